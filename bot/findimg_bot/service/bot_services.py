"""Builds the parts of the bot that listeners use, and starts and stops them."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, suppress

from findimg.errors import FindimgError
from findimg.search.taught.follower import INTERVAL
from findimg.settings import Settings
from findimg_bot.live_indexing.channel_switch import ChannelSwitch
from findimg_bot.live_indexing.indexer import LiveIndexer
from findimg_bot.live_indexing.picture_events import PictureEvents
from findimg_bot.served_library import ServedLibrary
from findimg_bot.service.bounded_executor import BoundedExecutor
from findimg_bot.service.library_reader import LibraryReader
from findimg_bot.service.metrics import Metrics
from findimg_bot.service.original_links import OriginalLinks
from findimg_bot.service.query_service import QueryService
from findimg_bot.service.request_handling import PROGRESS_DELAY, handling_request
from findimg_bot.service.request_recovery import DispatchAgain, RequestRecovery
from findimg_bot.service.teaching import Teaching
from findimg_bot.service.thumbnail_sender import ThumbnailSender
from findimg_bot.service.upload_encoder import UploadEncoder
from findimg_bot.service.version_watcher import VersionWatcher
from findimg_bot.slack.installation.workspaces import ClientOfTeam
from findimg_bot.slack.pictures.thumbnails import Thumbnails
from findimg_bot.slack.replies import Reply
from findimg_bot.slack.visibility import Visibility
from findimg_bot.state.store import Store

_MAX_QUESTIONS = 200  # waiting or running; the next one is refused
_MAX_IMAGES = 20  # uploaded images, likewise
_log = logging.getLogger(__name__)


class BotServices:
    """The parts of one bot. Its state holds what a later click needs, so that any bot can answer the click.

    Attributes:
        served_library: the published version of the library, opened.
        store: the bot's state.
        recovery: records requests until they are answered.
        metrics: counts and times of answers.
        visibility: who may see the pictures of which Slack channel.
        reader: reads the library.
        queries: answers questions.
        uploads: features of images that people upload.
        teaching: changes and lists taught names.
        indexer: indexes pictures of Slack channels, None if the settings switch that off.
        picture_events: receives Slack's events about pictures.
        channel_switch: switches indexing off and on in a channel.
    """

    def __init__(self, settings: Settings):
        """Open the state. `start` opens the library.

        Raises:
            FindimgError: the state cannot be opened, or the settings name no library.
        """
        cores = os.cpu_count() or 1
        # One core stays free to acknowledge requests while an image is being embedded.
        self.served_library = ServedLibrary(
            settings, max(1, cores - 1), lambda: self.store.picture_changes.hidden_pictures()
        )
        storage = self.served_library.library.storage
        self.store = Store(settings.state)
        self.recovery = RequestRecovery(self.store.database)
        self.metrics = Metrics()
        self.visibility = Visibility()
        self._thumbnails = Thumbnails(self.store, storage, settings.thumbnail_base_url)
        self._search_pool = BoundedExecutor("search", cores, _MAX_QUESTIONS)
        self._embed_pool = BoundedExecutor("embed", 1, _MAX_IMAGES)

        self.reader = LibraryReader(
            self.served_library, self._search_pool, OriginalLinks(settings.image_base_url), self.visibility
        )
        self.teaching = Teaching(
            settings, self.served_library, self._search_pool, self._embed_pool, self.reader.visible_channels
        )
        self.uploads = UploadEncoder(self.served_library, self._embed_pool)
        thumbnail_sender = ThumbnailSender(self._thumbnails, self.metrics)
        self.queries = QueryService(self.reader, self.teaching, self.store, thumbnail_sender)

        has_live_indexing = settings.live_indexing == "on"
        self._watcher = VersionWatcher(
            self.served_library, self.store, self._thumbnails, self.metrics, has_live_indexing
        )
        self.indexer = (
            LiveIndexer(settings, self.served_library, self.store, self._watcher.wake) if has_live_indexing else None
        )
        changes = self.store.picture_changes
        self.picture_events = PictureEvents(changes, self._wake_indexer, self.request_comparison)
        self.channel_switch = ChannelSwitch(changes, lambda: storage, self._wake_indexer, self.request_comparison)
        self._indexed_channels = settings.indexed_channels
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, client_of: ClientOfTeam, dispatch_again: DispatchAgain) -> None:
        """Open the live version and the encoder in the background, and watch for new versions.

        Args:
            client_of: returns a client with a team's token, None when the app is not installed there.
            dispatch_again: processes a request of a bot that ended as if Slack had sent it.
        """
        self._spawn(self._watcher.run(client_of))
        self._spawn(self.recovery.run(dispatch_again, lambda: self.served_library.version is not None))
        self._spawn(self._follow_taught())
        self._spawn(self.channel_switch.load())
        if self.indexer:
            self._spawn(self.indexer.run(client_of))
        self._spawn(self._warm_encoder())

    async def stop(self) -> None:
        """Stop the background work and close everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._thumbnails.stop()
        self._search_pool.close()
        self._embed_pool.close()
        self.served_library.close()
        self.recovery.close()
        self.store.close()

    def handling_request(
        self, kind: str, reply: Reply, progress_after: float = PROGRESS_DELAY
    ) -> AbstractAsyncContextManager[None]:
        """Return a block that handles a request. See `findimg_bot.service.request_handling`."""
        return handling_request(self.metrics, kind, reply, progress_after)

    def may_index(self, channel: str) -> bool:
        """Return whether the operator lets the pictures of a Slack channel be indexed."""
        return not self._indexed_channels or channel in self._indexed_channels

    def request_comparison(self) -> None:
        """Look for pictures in Slack of which the bot may have got no event."""
        if self.indexer:
            self.indexer.request_comparison()

    def _wake_indexer(self) -> None:
        if self.indexer:
            self.indexer.wake()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow_taught(self) -> None:
        """Read at regular intervals what the team teaches."""
        while True:
            # Without a version the version watcher reports the problem.
            with suppress(FindimgError):
                await asyncio.to_thread(self.served_library.refresh_taught)
            await asyncio.sleep(INTERVAL)

    async def _warm_encoder(self) -> None:
        try:
            await self.uploads.warm()
        except FindimgError as error:
            _log.warning("Uploaded images cannot be embedded: %s", error)
