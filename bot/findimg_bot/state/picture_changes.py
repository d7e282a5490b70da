"""Changes of pictures in Slack channels that are to be applied to the library, and members' choices.

The changes are a queue. It survives restarts, and all bots with the same state share it. One bot at a time works on it.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, select, update

from findimg.library.channels import HiddenPictures, PicturePlace
from findimg_bot.state.database import Database, insert_row
from findimg_bot.state.tables import catch_ups, picture_changes, picture_channels

_DONE_SECONDS = 86400.0  # for which a removed picture stays hidden, until every bot has a version without it
_LOST_SECONDS = 30 * 86400.0  # after which a change that no bot applied is dropped


class Action(StrEnum):
    """A kind of change. CHECK and REMOVE hide the picture at once."""

    ADD = "add"
    CHECK = "check"  # a message with the picture was deleted. Other messages of the channel may still show it.
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class PictureChange:
    """One change."""

    place: PicturePlace
    action: Action
    noticed: float  # seconds since the epoch
    attempts: int = 0  # how often it could not be applied


class PictureChanges:
    """The queue of changes, and the choices of members. Every method raises StorageError as of `Store`."""

    def __init__(self, database: Database):
        self._database = database

    def record(self, places: Iterable[PicturePlace], action: Action, found_at: float | None = None) -> None:
        """Store a change of pictures. It replaces earlier changes of the same ones.

        Args:
            found_at: when the comparison with Slack began that found the change. It does not replace newer changes, nor
                changes that are not applied yet. None for an event, which replaces every change.
        """
        now = time.time()
        rows = [
            {**place._asdict(), "action": action, "noticed": now, "due": now, "attempts": 0, "done": None}
            for place in places
        ]
        table = picture_changes.c
        condition = None if found_at is None else and_(table.done.is_not(None), table.noticed < found_at)

        def write(connection: Connection) -> None:
            for row in rows:
                replace = ("action", "noticed", "due", "attempts", "done")
                insert_row(connection, picture_changes, row, replace, condition)

        if rows:
            self._database.run(write)

    def unhide(self, place: PicturePlace) -> None:
        """Delete the changes of a place, so that its pictures are not hidden any more."""
        same = and_(*(picture_changes.c[name] == value for name, value in place._asdict().items()))
        self._database.run(lambda connection: connection.execute(delete(picture_changes).where(same)))

    def unhide_channels(self, team: str, channels: Iterable[str], before: float) -> None:
        """Show the pictures of channels again that were closed, if that was noticed before a time."""
        table = picture_changes.c
        closed = and_(table.team == team, table.channel.in_(list(channels)), table.file == "", table.noticed < before)
        self._database.run(lambda connection: connection.execute(delete(picture_changes).where(closed)))

    def due(self, limit: int) -> list[PictureChange]:
        """Return the changes that are to be applied now, the oldest first."""
        table = picture_changes.c
        query = select(picture_changes).where(table.done.is_(None), table.due <= time.time())
        query = query.order_by(table.noticed).limit(limit)
        return self._database.run(lambda connection: [_change(row) for row in connection.execute(query).mappings()])

    def unapplied(self, team: str) -> list[PictureChange]:
        """Return the changes of a team that are not applied, also those that are tried again later."""
        table = picture_changes.c
        query = select(picture_changes).where(table.team == team, table.done.is_(None))
        return self._database.run(lambda connection: [_change(row) for row in connection.execute(query).mappings()])

    def finish(self, changes: Sequence[PictureChange]) -> None:
        """Store that changes were applied. Removed pictures stay hidden for a day."""

        def write(connection: Connection) -> None:
            for change in changes:
                if change.action is Action.ADD:
                    connection.execute(delete(picture_changes).where(_is_same(change)))
                else:
                    connection.execute(update(picture_changes).where(_is_same(change)).values(done=time.time()))

        self._database.run(write)

    def drop(self, changes: Sequence[PictureChange]) -> None:
        """Delete changes that are not to be applied."""

        def write(connection: Connection) -> None:
            for change in changes:
                connection.execute(delete(picture_changes).where(_is_same(change)))

        self._database.run(write)

    def turn_into_additions(self, changes: Sequence[PictureChange]) -> None:
        """Turn checks of pictures that are still there into additions, because the library may not have them."""
        now = time.time()
        values = {"action": Action.ADD, "noticed": now, "due": now, "attempts": 0}

        def write(connection: Connection) -> None:
            for change in changes:
                connection.execute(update(picture_changes).where(_is_same(change)).values(values))

        self._database.run(write)

    def postpone(self, changes: Sequence[PictureChange], seconds: float, is_attempt: bool = True) -> None:
        """Try changes again later.

        Args:
            seconds: when.
            is_attempt: whether to count the attempt.
        """

        def write(connection: Connection) -> None:
            for change in changes:
                values: dict[str, Any] = {"due": time.time() + seconds, "attempts": change.attempts + is_attempt}
                connection.execute(update(picture_changes).where(_is_same(change)).values(values))

        self._database.run(write)

    def hidden_pictures(self) -> HiddenPictures:
        """Return the pictures that nobody may see."""
        removed = select(picture_changes.c.team, picture_changes.c.channel, picture_changes.c.file)
        removed = removed.where(picture_changes.c.action != Action.ADD)
        off = select(picture_channels.c.team, picture_channels.c.channel).where(picture_channels.c.is_off)

        def read(connection: Connection) -> HiddenPictures:
            rows = [*connection.execute(removed), *connection.execute(off)]
            return frozenset(PicturePlace(*row) for row in rows)

        return self._database.run(read)

    def channels_off(self, team: str) -> frozenset[str]:
        """Return the ids of the channels in which a member switched indexing off."""
        table = picture_channels.c
        query = select(table.channel).where(table.team == team, table.is_off)
        return self._database.run(lambda connection: frozenset(connection.execute(query).scalars()))

    def switch_indexing(self, team: str, channel: str, is_off: bool) -> bool:
        """Store whether a channel may be indexed, and return whether that is a change."""
        table = picture_channels.c
        row = {"team": team, "channel": channel, "is_off": is_off, "is_announced": False}

        def write(connection: Connection) -> bool:
            if insert_row(connection, picture_channels, row):
                return is_off
            same = and_(table.team == team, table.channel == channel, table.is_off != is_off)
            return connection.execute(update(picture_channels).where(same).values(is_off=is_off)).rowcount > 0

        return self._database.run(write)

    def claim_announcement(self, team: str, channel: str) -> bool:
        """Return whether this bot is to announce that a channel is indexed. Only one bot is, and only once."""
        table = picture_channels.c
        row = {"team": team, "channel": channel, "is_off": False, "is_announced": True}

        def write(connection: Connection) -> bool:
            if insert_row(connection, picture_channels, row):
                return True
            same = and_(table.team == team, table.channel == channel, ~table.is_announced)
            return connection.execute(update(picture_channels).where(same).values(is_announced=True)).rowcount > 0

        return self._database.run(write)

    def listed_until(self, team: str) -> float | None:
        """Return the time before which all files of a team are known, None if that is not known."""
        query = select(catch_ups.c.until).where(catch_ups.c.team == team)
        return self._database.run(lambda connection: connection.execute(query).scalar())

    def set_listed_until(self, team: str, until: float) -> None:
        """Store the time before which all files of a team are known."""
        row = {"team": team, "until": until}
        self._database.run(lambda connection: insert_row(connection, catch_ups, row, replace=("until",)))


def delete_old_changes(connection: Connection) -> None:
    """Delete changes that have no effect any more."""
    now, table = time.time(), picture_changes.c
    old = (table.done <= now - _DONE_SECONDS) | (table.noticed <= now - _LOST_SECONDS)
    connection.execute(delete(picture_changes).where(old))


def _change(row: RowMapping) -> PictureChange:
    place = PicturePlace(row["team"], row["channel"], row["file"])
    return PictureChange(place, Action(row["action"]), row["noticed"], row["attempts"])


def _is_same(change: PictureChange) -> ColumnElement[bool]:
    """Return the condition for a row that was not replaced since it was read."""
    table, place = picture_changes.c, change.place
    return and_(
        table.team == place.team,
        table.channel == place.channel,
        table.file == place.file,
        table.action == change.action,
        table.noticed == change.noticed,
    )
