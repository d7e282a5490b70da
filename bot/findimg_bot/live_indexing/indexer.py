"""Applies changes of pictures in Slack channels to the library. Of all bots with one state, one does this at a time."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError, LockedError
from findimg.library.channels import PicturePlace
from findimg.plugins import Change
from findimg.settings import Settings
from findimg.storage.base import Entry
from findimg.storage.slack import picture_entry
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.live_indexing.announcement import announce
from findimg_bot.live_indexing.library_writer import LibraryWriter
from findimg_bot.live_indexing.slack_comparison import IndexedPictures, compare_with_slack
from findimg_bot.live_indexing.slack_listing import FileDescriptions, channels_of, describe_files, list_channels
from findimg_bot.served_library import ServedLibrary
from findimg_bot.slack.installation.workspaces import ClientOfTeam
from findimg_bot.slack.pictures.image_files import SlackFile, image_among
from findimg_bot.state.picture_changes import Action, PictureChange
from findimg_bot.state.store import Store

_LEASE = "live indexing"
_LEASE_SECONDS = 30.0  # after which another bot takes over from one that died
_POLL = 1.0  # seconds between two looks for changes that another bot stored
_BATCH = 500  # changes of one version
_CATCH_UP = 60.0  # seconds between two looks for new pictures without an event
_FULL_CATCH_UP = 600.0  # seconds between two comparisons of all pictures
_ATTEMPTS = 10  # to add a picture, over 17 minutes
_LONGEST_PAUSE = 300.0  # seconds between two attempts
_LOCKED_PAUSE = 2.0  # seconds, while a run of index publishes
_LIMITED_PAUSE = 30.0  # seconds, while Slack limits the calls
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Batch:
    """The changes of one workspace, by what happens to them."""

    entries: dict[PicturePlace, Entry] = field(default_factory=dict)
    applied: list[PictureChange] = field(default_factory=list)
    dropped: list[PictureChange] = field(default_factory=list)
    refused: list[PictureChange] = field(default_factory=list)  # dropped for good, such as broken files
    present: list[PictureChange] = field(default_factory=list)  # checks of pictures that are still there
    waiting: list[PictureChange] = field(default_factory=list)  # Slack still processes the file
    limited: list[PictureChange] = field(default_factory=list)  # Slack limits how often it is asked


class LiveIndexer:
    """Works on the queue of changes until its task is cancelled."""

    def __init__(
        self, settings: Settings, served_library: ServedLibrary, store: Store, on_published: Callable[[], None]
    ):
        """Args:
        on_published: called after each new version.
        """
        self._settings = settings
        self._served_library = served_library
        self._changes = store.picture_changes
        self._leases = store.leases
        self._on_published = on_published
        self._writer = LibraryWriter()
        self._owner = secrets.token_urlsafe(12)
        self._holds_lease = False
        self._wake = asyncio.Event()
        self._comparison_requested = asyncio.Event()
        self._bots: dict[str, str] = {}  # ids of the bot users, by team
        self._refused: set[PicturePlace] = set()  # pictures that cannot be added, such as broken files
        self._reported = ""  # the last error, which is logged once

    async def check(self) -> None:
        """Check that this machine can write to the library.

        Raises:
            FindimgError: it cannot. The text says what is missing.
        """
        await self._writer.check()

    def wake(self) -> None:
        """Look for changes now."""
        self._wake.set()

    def request_comparison(self) -> None:
        """Compare all pictures with Slack soon, because events may have been lost."""
        self._comparison_requested.set()

    async def run(self, client_of: ClientOfTeam) -> None:
        """Apply changes, and compare with Slack, until the task is cancelled.

        Args:
            client_of: returns a client with a team's token, None when the app is not installed there.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_lease())
                tasks.create_task(self._work(client_of))
                tasks.create_task(self._compare(client_of))
        finally:
            await self._writer.stop()
            if self._holds_lease:
                with suppress(FindimgError):
                    await asyncio.to_thread(self._leases.release, _LEASE, self._owner)

    async def _keep_lease(self) -> None:
        while True:
            held = self._holds_lease
            try:
                self._holds_lease = await asyncio.to_thread(self._leases.hold, _LEASE, self._owner, _LEASE_SECONDS)
            except FindimgError as error:
                self._holds_lease = False
                self._report(error)
            if self._holds_lease and not held:
                _log.info("This bot indexes the pictures of Slack channels.")
                self.wake()
                self.request_comparison()
            await asyncio.sleep(_LEASE_SECONDS / 3 if self._holds_lease else _POLL)

    async def _work(self, client_of: ClientOfTeam) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_POLL):
                    await self._wake.wait()
            self._wake.clear()
            try:
                while self._holds_lease and await self._apply_due(client_of):
                    pass
            except FindimgError as error:
                self._report(error)
            except Exception:
                _log.exception("Changes of pictures in Slack cannot be applied.")

    async def _compare(self, client_of: ClientOfTeam) -> None:
        loop = asyncio.get_running_loop()
        full_at = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CATCH_UP):
                    await self._comparison_requested.wait()
                full_at = loop.time()
            self._comparison_requested.clear()
            if not self._holds_lease:
                full_at = loop.time()
                continue
            try:
                is_full = loop.time() >= full_at
                for team in await asyncio.to_thread(self._teams):
                    if client := await client_of(team):
                        await self._compare_team(client, team, is_full)
                if is_full:
                    full_at = loop.time() + _FULL_CATCH_UP
            except FindimgError as error:
                self._report(error)
            except SLACK_ERRORS as error:
                _log.warning("The pictures in Slack cannot be compared with the library: %s", slack_failure(error))
            except Exception:
                _log.exception("The pictures in Slack cannot be compared with the library.")

    async def _compare_team(self, client: AsyncWebClient, team: str, is_full: bool) -> None:
        indexed = IndexedPictures(
            await self._channels(client, team), await asyncio.to_thread(self._served_library.slack_pictures, team)
        )
        await compare_with_slack(
            client, self._changes, team, indexed, is_full, lambda place: place not in self._refused
        )
        self.wake()

    async def _apply_due(self, client_of: ClientOfTeam) -> bool:
        """Follow the oldest changes, and return whether there were any."""
        changes = await asyncio.to_thread(self._changes.due, _BATCH)
        ordered = sorted(changes, key=lambda change: change.place.team)
        for team, group in groupby(ordered, key=lambda change: change.place.team):
            await self._apply_for_team(client_of, team, list(group))
        return bool(changes)

    async def _apply_for_team(self, client_of: ClientOfTeam, team: str, changes: Sequence[PictureChange]) -> None:
        try:
            client = await client_of(team)
            if client is None:
                await self._postpone(changes)
                return
            batch = await self._sort_changes(client, team, changes)
            await self._apply(client, team, batch)
        except LockedError:
            await asyncio.to_thread(self._changes.postpone, changes, _LOCKED_PAUSE, is_attempt=False)
        except FindimgError as error:
            self._report(error)
            await self._postpone(changes)
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("Changes of pictures wait, because %s.", slack_failure(error))
            await self._postpone(changes)

    async def _sort_changes(self, client: AsyncWebClient, team: str, changes: Sequence[PictureChange]) -> _Batch:
        """Ask Slack about the changed files, and decide what to do with each change."""
        batch = _Batch()
        asked = [change for change in changes if change.action is not Action.REMOVE]
        described, channels, bot = FileDescriptions(), frozenset[str](), ""
        if asked:
            channels, bot = await self._channels(client, team), await self._bot(client, team)
            since = min(change.noticed for change in asked)
            described = await describe_files(client, team, {change.place.file for change in asked}, since)
        for change in changes:
            place = change.place
            if change.action is Action.REMOVE:
                batch.applied.append(change)
                continue
            file = described.files.get(place.file)
            if file is None and place.file in described.unknown:
                batch.limited.append(change)
            elif change.action is Action.CHECK:
                is_there = file is not None and place.channel in channels_of(file) & channels
                (batch.present if is_there else batch.applied).append(change)
            elif file is None or place.channel not in channels:
                batch.dropped.append(change)
            elif file.get("user") == bot or _is_no_image(file):
                batch.refused.append(change)
            elif not file.get("mimetype") or place.channel not in channels_of(file):
                batch.waiting.append(change)
            elif entry := picture_entry(file, team, place.channel):
                batch.entries[place] = entry
                batch.applied.append(change)
            else:
                batch.refused.append(change)
        return batch

    async def _apply(self, client: AsyncWebClient, team: str, batch: _Batch) -> None:
        """Change the library, and store what became of the changes."""
        for channel in sorted({place.channel for place in batch.entries}):
            await announce(client, self._changes, team, channel)
        channels = {place.channel for place in await asyncio.to_thread(self._served_library.slack_channels)}
        removed = [change.place for change in batch.applied if change.action is not Action.ADD]
        change = Change(
            tuple(batch.entries.values()), tuple(uri for place in removed for uri in place.addresses(channels))
        )
        failed: list[PictureChange] = []
        if change.added or change.removed:
            settings = self._settings.model_copy(update={"slack_bot_token": SecretStr(str(client.token))})
            not_added = {each.uri: each for each in await self._writer.apply(settings, change)}
            for each in batch.applied:
                problem = not_added.get(batch.entries[each.place].uri) if each.place in batch.entries else None
                if problem is None:
                    continue
                _log.info("A picture cannot be added: %s: %s", problem.uri, problem.reason)
                (failed if problem.transient else batch.refused).append(each)
            self._on_published()
        self._refused |= {each.place for each in batch.refused}
        finished = [each for each in batch.applied if each not in failed and each not in batch.refused]
        await asyncio.to_thread(self._changes.finish, finished)
        await asyncio.to_thread(self._changes.drop, [*batch.dropped, *batch.refused])
        await asyncio.to_thread(self._changes.turn_into_additions, batch.present)
        await asyncio.to_thread(self._changes.postpone, batch.limited, _LIMITED_PAUSE, is_attempt=False)
        await self._postpone([*batch.waiting, *failed])
        self._reported = ""

    async def _postpone(self, changes: Sequence[PictureChange]) -> None:
        """Try changes again later. Give up additions after some attempts: the next run of `index` adds them."""
        lost = [each for each in changes if each.action is Action.ADD and each.attempts + 1 >= _ATTEMPTS]
        if lost:
            _log.warning("%d pictures from Slack cannot be added now. The next run of index adds them.", len(lost))
            await asyncio.to_thread(self._changes.drop, lost)
        for change in changes:
            if change not in lost:
                pause = min(_LONGEST_PAUSE, 2.0**change.attempts)
                await asyncio.to_thread(self._changes.postpone, [change], pause)

    async def _channels(self, client: AsyncWebClient, team: str) -> frozenset[str]:
        """Return the ids of the channels of a team whose pictures are to be indexed."""
        only = self._settings.indexed_channels
        off = await asyncio.to_thread(self._changes.channels_off, team)
        sources = await asyncio.to_thread(self._sources)
        return frozenset(
            channel
            for channel in await list_channels(client, team)
            if channel not in off
            and (not only or channel in only)
            and not {f"slack://{team}", f"slack://{team}/{channel}"}.isdisjoint(sources)
        )

    async def _bot(self, client: AsyncWebClient, team: str) -> str:
        if team not in self._bots:
            self._bots[team] = str((await client.auth_test())["user_id"])
        return self._bots[team]

    def _sources(self) -> list[str]:
        with self._served_library.lend_everything() as searcher:
            return searcher.manifest.sources

    def _teams(self) -> list[str]:
        """Return the ids of the workspaces among the library's sources."""
        start = "slack://"
        sources = [source for source in self._sources() if source.startswith(start)]
        if not sources:
            self._report(
                FindimgError(
                    f"{self._served_library.library.uri} has no source slack://TEAM, so no picture from Slack is "
                    "indexed. Run findimg-jobs index with this source and all others once."
                )
            )
        return sorted({source.removeprefix(start).partition("/")[0] for source in sources})

    def _report(self, error: FindimgError) -> None:
        if str(error) != self._reported:
            self._reported = str(error)
            _log.warning("Pictures from Slack are not indexed at the moment: %s", error)


def _is_no_image(file: SlackFile) -> bool:
    return bool(file.get("mimetype")) and image_among([file]) is None
