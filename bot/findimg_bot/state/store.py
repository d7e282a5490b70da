"""The state that the bot needs between an answer and a click: questions, thumbnails' file ids and event ids.

It is a small SQLite file, which several processes of one machine may use at the same time, or a PostgreSQL database for
processes on several machines.
"""

import io
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, select

from findimg.search.image_features import ImageFeatures
from findimg_bot.questions import Question
from findimg_bot.state.database import Database, insert_row
from findimg_bot.state.leases import Leases
from findimg_bot.state.picture_changes import PictureChanges, delete_old_changes
from findimg_bot.state.requests import claim_events
from findimg_bot.state.tables import (
    catch_ups,
    events,
    picture_changes,
    picture_channels,
    questions,
    requests,
    thumbnails,
)

QUESTION_SECONDS = 30 * 86400.0  # until a question is deleted and its buttons stop working
EVENT_SECONDS = 86400.0  # Slack repeats an event for some minutes
_SWEEP = 3600.0  # seconds between two deletions of expired rows
_VARIABLES = 10_000  # in one statement. SQLite takes 32,766, PostgreSQL 65,535.
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """A question that was answered, for the buttons of the answer: who may see it, its page, and the page's images.

    `Question` is what a person asks.
    """

    team: str
    user: str  # the only person who sees the answer; empty when the whole channel sees it
    question: Question
    skip: int = 0
    uris: tuple[str, ...] = ()


class Store:
    """The bot's state. Safe to use from several threads. Every method raises StorageError when the database fails.

    Attributes:
        database: the opened database.
        picture_changes: changes of pictures in Slack channels that are to be applied to the library.
        leases: which of several bots does a task.
    """

    def __init__(self, address: str | Path):
        """Open the state, or create it.

        Args:
            address: path of a SQLite file, or postgresql://USER@HOST/DATABASE.

        Raises:
            SettingsError: the state cannot be opened, or is no state of the bot.
        """
        self.database = Database(address)
        self.picture_changes = PictureChanges(self.database)
        self.leases = Leases(self.database)
        self._sweeping = threading.Lock()
        self._swept = 0.0

    def save_question(self, stored: StoredQuestion) -> str:
        """Store a question for `QUESTION_SECONDS`, and return the id that its buttons carry."""
        question_id = secrets.token_urlsafe(12)
        question = stored.question
        row = {
            "id": question_id,
            "team": stored.team,
            "user": stored.user,
            "command": question.command,
            "text": _storable(question.text),
            "about": question.like if question.like is None else _storable(question.like),
            "seen": _pack(question.features),
            "name": _storable(question.name),
            "skip": stored.skip,
            "uris": json.dumps(stored.uris),
            "created": time.time(),
            "layout": question.layout,
        }
        self._write(lambda connection: insert_row(connection, questions, row))
        return question_id

    def find_question(self, question_id: str) -> StoredQuestion | None:
        """Return the question with this id, None when the id is unknown or expired."""
        query = select(questions).where(
            questions.c.id == _storable(question_id), questions.c.created > time.time() - QUESTION_SECONDS
        )
        row = self.database.run(lambda connection: connection.execute(query).mappings().first())
        if row is None:
            return None
        question = Question(row["command"], row["text"], row["about"], _unpack(row["seen"]), row["name"], row["layout"])
        return StoredQuestion(row["team"], row["user"], question, row["skip"], tuple(json.loads(row["uris"])))

    def is_new_event(self, event: str) -> bool:
        """Return whether an event is new, and remember it."""
        claim = secrets.token_urlsafe(12)
        return self._write(lambda connection: bool(claim_events(connection, {event: claim})))

    def thumbnails(self, team: str, hashes: Iterable[str]) -> dict[str, str]:
        """Return the ids of the Slack files that show these images to a team, by SHA-256."""
        wanted = list(hashes)

        def find(connection: Connection) -> dict[str, str]:
            found: dict[str, str] = {}
            for start in range(0, len(wanted), _VARIABLES):
                query = select(thumbnails.c.sha256, thumbnails.c.file).where(
                    thumbnails.c.team == team, thumbnails.c.sha256.in_(wanted[start : start + _VARIABLES])
                )
                found |= {row.sha256: row.file for row in connection.execute(query)}
            return found

        return self.database.run(find) if wanted else {}

    def save_thumbnail(self, team: str, sha256: str, file: str) -> None:
        """Store the id of the Slack file that shows an image to a team."""
        row = {"team": team, "sha256": sha256, "file": file}
        self._write(lambda connection: insert_row(connection, thumbnails, row, replace=("file",)))

    def forget_thumbnails(self, team: str, hashes: Iterable[str]) -> None:
        """Delete the ids of the Slack files that show these images to a team."""
        gone = list(hashes)

        def forget(connection: Connection) -> None:
            for start in range(0, len(gone), _VARIABLES):
                some = gone[start : start + _VARIABLES]
                connection.execute(delete(thumbnails).where(thumbnails.c.team == team, thumbnails.c.sha256.in_(some)))

        self._write(forget)

    def forget_team(self, team: str) -> None:
        """Delete everything about a team."""

        def forget(connection: Connection) -> None:
            for table in (questions, thumbnails, picture_changes, picture_channels, catch_ups, requests):
                connection.execute(delete(table).where(table.c.team == team))

        self._write(forget)

    def uploaded_hashes(self) -> dict[str, list[str]]:
        """Return the SHA-256 of every image with an uploaded thumbnail, by team."""
        query = select(thumbnails.c.team, thumbnails.c.sha256).order_by(thumbnails.c.team, thumbnails.c.sha256)
        rows = self.database.run(lambda connection: connection.execute(query).all())
        return {team: [sha256 for _, sha256 in group] for team, group in groupby(rows, key=lambda row: row[0])}

    def check(self) -> None:
        """Check that the state can be written."""
        self._write(lambda connection: insert_row(connection, events, {"id": "check", "created": 0.0}))

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self._sweeping:
            now = time.time()
            is_due = now - self._swept > _SWEEP
            self._swept = now if is_due else self._swept
        if is_due:
            self.database.run(_delete_expired)
        return self.database.run(work)


def _delete_expired(connection: Connection) -> None:
    now = time.time()
    connection.execute(delete(questions).where(questions.c.created <= now - QUESTION_SECONDS))
    connection.execute(delete(events).where(events.c.created <= now - EVENT_SECONDS))
    delete_old_changes(connection)


def _storable(text: str) -> str:
    """Return a text without NUL, which PostgreSQL refuses."""
    return text.replace("\0", "")


def _pack(features: ImageFeatures | None) -> bytes | None:
    if features is None:
        return None
    file = io.BytesIO()
    np.savez(
        file,
        visual=features.visual,
        classes=features.classes,
        probabilities=features.probabilities,
        described=np.empty(0, np.float32) if features.for_words is None else features.for_words,
        made_by=np.asarray(features.made_by, np.str_),
        text=features.text,
    )
    return file.getvalue()


def _unpack(data: bytes | None) -> ImageFeatures | None:
    if data is None:
        return None
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    # Earlier releases stored neither the encoders, nor the features of a second one, nor the text.
    for_words: NDArray[np.float32] = arrays.get("described", np.empty(0, np.float32))
    return ImageFeatures(
        visual=arrays["visual"],
        classes=arrays["classes"],
        probabilities=arrays["probabilities"],
        for_words=for_words if len(for_words) else None,
        made_by=tuple(arrays.get("made_by", np.empty(0, np.str_)).tolist()),
        text=str(arrays.get("text", "")),
    )
