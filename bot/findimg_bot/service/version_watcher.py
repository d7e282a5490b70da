"""Follows the library: opens each new version, removes thumbnails of removed images, and tells indexed channels."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from findimg.errors import FindimgError
from findimg.library.channels import PicturePlace
from findimg.library.layout import CURRENT
from findimg_bot.live_indexing.announcement import announce
from findimg_bot.served_library import ServedLibrary
from findimg_bot.service.metrics import Metrics
from findimg_bot.slack.installation.workspaces import ClientOfTeam
from findimg_bot.slack.pictures.thumbnails import Thumbnails
from findimg_bot.state.store import Store

_FOLDER_INTERVAL, _REMOTE_INTERVAL = 1.0, 10.0  # seconds between two reads of CURRENT
_LIVE_INDEXING_INTERVAL = 2.0  # likewise of a library elsewhere, while a bot publishes pictures within seconds
_log = logging.getLogger(__name__)


class VersionWatcher:
    """Keeps the live version current until its task is cancelled."""

    def __init__(
        self,
        served_library: ServedLibrary,
        store: Store,
        thumbnails: Thumbnails,
        metrics: Metrics,
        has_live_indexing: bool = False,
    ):
        """Args:
        has_live_indexing: whether versions are published within seconds after a picture was shared.
        """
        self._has_live_indexing = has_live_indexing
        self._wake = asyncio.Event()
        self._followed: str | None = None  # the last version that was reported
        self._announced: set[PicturePlace] = set()  # Slack channels that know that they are indexed
        self._served_library = served_library
        self._store = store
        self._thumbnails = thumbnails
        self._metrics = metrics

    def wake(self) -> None:
        """Check for a new version now."""
        self._wake.set()

    async def run(self, client_of: ClientOfTeam) -> None:
        """Check for a new version at regular intervals.

        Args:
            client_of: returns a client with a team's token, None when the app is not installed there.
        """
        interval = _LIVE_INDEXING_INTERVAL if self._has_live_indexing else _REMOTE_INTERVAL
        if self._served_library.library.storage.local_path(CURRENT):
            interval = _FOLDER_INTERVAL
        reported = ""
        while True:
            try:
                await asyncio.to_thread(self._served_library.refresh)
                # A question may have opened the version before.
                if self._served_library.version != self._followed:
                    self._followed = self._served_library.version
                    await self._after_switch(client_of)
                reported = ""
            except FindimgError as error:
                self._metrics.refresh_failures.inc()
                if str(error) != reported:
                    reported = str(error)
                    _log.warning("The live version cannot be opened: %s", error)
            except Exception:
                self._metrics.refresh_failures.inc()
                _log.exception("The library cannot be watched.")
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._wake.wait()
            self._wake.clear()

    async def _after_switch(self, client_of: ClientOfTeam) -> None:
        """Report the new version, and delete thumbnails of images that it does not contain from Slack."""

        def report() -> None:
            with self._served_library.lend_everything() as searcher:
                manifest = searcher.manifest
            created = datetime.fromisoformat(manifest.created).timestamp()
            self._metrics.serving(manifest.version, manifest.images, created)

        await asyncio.to_thread(report)
        uploaded = await asyncio.to_thread(self._store.uploaded_hashes)
        for team, hashes in uploaded.items():
            if removed := await asyncio.to_thread(self._removed, hashes):
                client = await client_of(team)
                if client is None:
                    _log.error(
                        "%d thumbnails of removed images stay in %s, because findimg has no token for it.",
                        len(removed),
                        team,
                    )
                else:
                    await self._thumbnails.remove(client, team, sorted(removed))
        await self._announce(client_of)

    async def _announce(self, client_of: ClientOfTeam) -> None:
        """Tell Slack channels once that they are indexed."""
        for place in sorted(await asyncio.to_thread(self._served_library.slack_channels) - self._announced):
            if client := await client_of(place.team):
                self._announced.add(place)
                await announce(client, self._store.picture_changes, place.team, place.channel)

    def _removed(self, hashes: Sequence[str]) -> set[str]:
        with self._served_library.lend_everything() as searcher:
            return searcher.catalog.without(hashes)
