"""Answers questions: runs the search in bounded thread pools and sends the result, or a sentence with the reason."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError, QueryError, UnknownWordError
from findimg.library.channels import channel_of
from findimg.search.answers.results import Hit, ImageFeatures
from findimg.search.taught.follow import INTERVAL
from findimg.settings import Settings
from findimg_bot.answers import (
    Question,
    related_words,
)
from findimg_bot.errors import SLACK_ERRORS, explain, slack_failure
from findimg_bot.live_indexing.channel_choice import ChannelChoice
from findimg_bot.live_indexing.indexer import LiveIndexer
from findimg_bot.live_indexing.picture_events import PictureEvents
from findimg_bot.live_library import LiveLibrary
from findimg_bot.service.executor import BoundedExecutor
from findimg_bot.service.library_reader import TAGS, LibraryReader
from findimg_bot.service.links import Links
from findimg_bot.service.metrics import Metrics
from findimg_bot.service.recovery import Recovery, Repeat
from findimg_bot.service.teaching import Teaching, suggested_name
from findimg_bot.service.version_watcher import VersionWatcher
from findimg_bot.slack.blocks.elements import Block, small_text
from findimg_bot.slack.blocks.message import Message, text_message
from findimg_bot.slack.blocks.picture_text import picture_text_message
from findimg_bot.slack.blocks.results import (
    HitThumbnails,
    ResultsPage,
    copies_message,
    link_preview,
    results_message,
    shared_image_message,
)
from findimg_bot.slack.blocks.tags import tags_blocks, tags_message, words_message
from findimg_bot.slack.blocks.taught import unknown_words_message
from findimg_bot.slack.blocks.text import file_name, notification_text
from findimg_bot.slack.download import download
from findimg_bot.slack.image_files import SlackFile
from findimg_bot.slack.installations import ClientOfTeam
from findimg_bot.slack.replies import RefusedError, Reply, SupersededError
from findimg_bot.slack.thumbnails import Thumbnails
from findimg_bot.slack.visibility import Visibility
from findimg_bot.state.store import Store, StoredQuestion

MAX_TAGGED = 5  # images of one message
_ATTEMPTS = 3  # to send a message with thumbnails
_ACKNOWLEDGE_DELAY = 0.02  # seconds; unnoticeable, and enough to acknowledge many commands that come at once
PROGRESS_DELAY = 1.5  # seconds until the person is told that the search is running
_MAX_QUESTIONS = 200  # waiting or running; the next one is refused
_MAX_IMAGES = 20  # uploaded images, likewise
_SHOWN_BY_SLACK = ("image/png", "image/jpeg", "image/gif")

ResultsBuilder = Callable[..., Message]  # takes the arguments of `results_message`
_log = logging.getLogger(__name__)


class TeachableError(UnknownWordError):
    """A query has an unknown word, which the person may teach."""

    def __init__(self, text: str, message: Message):
        super().__init__(text)
        self.message = message


class LargerAudienceError(QueryError):
    """People who may not see a picture would see it, so the person who shares it must confirm.

    Attributes:
        uri: the picture.
        place: the Slack channel in which it was posted, as mrkdwn.
    """

    def __init__(self, uri: str, place: str):
        super().__init__("That picture was posted in another channel. Confirm that it may be shared.")
        self.uri = uri
        self.place = place


class QueryService:
    """Answers questions in Slack. What a later click needs is in the state, so that any bot can answer the click."""

    def __init__(self, settings: Settings):
        """Open the state. `start` opens the library.

        Raises:
            FindimgError: the state cannot be opened, or the settings name no library.
        """
        cores = os.cpu_count() or 1
        # One core stays free to acknowledge requests while an image is being embedded.
        self.live = LiveLibrary(settings, max(1, cores - 1), lambda: self.store.picture_changes.hidden())
        self.library = self.live.library
        self.store = Store(settings.state)
        self.recovery = Recovery(self.store.database)
        self.thumbnails = Thumbnails(self.store, settings.thumbnail_base_url)
        self.links = Links(settings.image_base_url)
        self.metrics = Metrics()
        self.visibility = Visibility()
        is_live = settings.live_indexing == "on"
        self._watcher = VersionWatcher(self.live, self.store, self.thumbnails, self.metrics, is_live)
        self.indexer = LiveIndexer(settings, self.live, self.store, self._watcher.wake) if is_live else None
        self.picture_events = PictureEvents(self.store.picture_changes, self._wake_indexer, self.request_comparison)
        self.channel_choice = ChannelChoice(
            self.store.picture_changes, lambda: self.library.storage, self._wake_indexer, self.request_comparison
        )
        self._indexed_channels = settings.indexed_channels
        self._search_pool = BoundedExecutor("search", cores, _MAX_QUESTIONS)
        self._embed_pool = BoundedExecutor("embed", 1, _MAX_IMAGES)
        self.reader = LibraryReader(self.live, self._search_pool, self.links, self.visibility)
        self.teaching = Teaching(settings, self.live, self._search_pool, self._embed_pool, self.reader.visible_to_asker)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, client_of: ClientOfTeam, repeat: Repeat) -> None:
        """Open the live version and the encoder in the background, and watch for new versions.

        Args:
            client_of: returns a client with a team's token, None when the app is not installed there.
            repeat: processes a request of a bot that ended as if Slack had sent it.
        """
        self._spawn(self._watcher.run(client_of))
        self._spawn(self.recovery.run(repeat, lambda: self.live.version is not None))
        self._spawn(self._follow_taught())
        self._spawn(self.channel_choice.load())
        if self.indexer:
            self._spawn(self.indexer.run(client_of))
        self._spawn(self._warm())

    def may_index(self, channel: str) -> bool:
        """Return whether the operator lets the pictures of a Slack channel be indexed."""
        return not self._indexed_channels or channel in self._indexed_channels

    def request_comparison(self) -> None:
        """Look for pictures in Slack of which the bot may have got no event."""
        if self.indexer:
            self.indexer.request_comparison()

    async def stop(self) -> None:
        """Stop the background work and close everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.thumbnails.stop()
        self._search_pool.close()
        self._embed_pool.close()
        self.live.close()
        self.recovery.close()
        self.store.close()

    async def search(
        self,
        client: AsyncWebClient,
        team: str,
        reply: Reply,
        question: Question,
        skip: int = 0,
        build: ResultsBuilder = results_message,
    ) -> None:
        """Answer with one page of images, and controls for more.

        Args:
            skip: number of hits on earlier pages.
            build: returns the answer; takes the arguments of `results_message`.
        """
        try:
            page = await self.reader.find(question, await self.reader.visible_in(reply), skip=skip)
        except UnknownWordError as error:
            # A modal has its own fields for another try.
            if build is not results_message or not suggested_name(question) or not self._shows_teach(reply):
                raise
            question_id = await self._store_question(team, reply, question)
            raise TeachableError(str(error), unknown_words_message(str(error), question_id)) from error
        await self._send_page(client, team, reply, question, replace(page, teaches=self._shows_teach(reply)), build)

    async def share(
        self, client: AsyncWebClient, team: str, reply: Reply, uri: str, is_confirmed: bool = False
    ) -> None:
        """Show one indexed image to everybody in the channel of `reply`.

        Args:
            is_confirmed: whether the person knows that the image was posted in another channel.

        Raises:
            LargerAudienceError: the image was posted in another channel, and the person must confirm.
            QueryError: the image is no longer indexed, or the person may not see it.
        """
        details = await self.reader.details(uri)
        posted_in = channel_of(uri)
        if posted_in not in (None, reply.channel) and not is_confirmed:
            raise LargerAudienceError(uri, f"<#{posted_in}>")
        question = Question("/similar", "", like=uri)
        question_id = await self._store_question(team, reply, question, 0, (uri,))

        async def send(pictures: HitThumbnails, attempt: int) -> None:
            source = pictures.sources.get(details.hit.sha256)
            message = shared_image_message(details, source, reply.user, f"{question_id}.0")
            await reply.send(message, pictures.fresh)

        await self._send_with_thumbnails(client, team, [details.hit], send)

    async def preview(
        self,
        client: AsyncWebClient,
        team: str,
        links: Sequence[str],
        send: Callable[[dict[str, list[Block]]], Awaitable[None]],
    ) -> None:
        """Show previews of links to indexed images. Other links are passed over.

        Args:
            send: takes the blocks of each link. It raises `RefusedError` when Slack refuses them.
        """
        found = await self.reader.linked(links)
        if not found:
            return
        uris = tuple(details.hit.uri for details in found.values())
        stored = StoredQuestion(team, "", Question("/similar", "", like=uris[0]), 0, uris)
        question_id = await asyncio.to_thread(self.store.save_question, stored)

        async def show(pictures: HitThumbnails, attempt: int) -> None:
            await send(
                {
                    link: link_preview(details, pictures.sources.get(details.hit.sha256), f"{question_id}.{number}")
                    for number, (link, details) in enumerate(found.items())
                }
            )

        await self._send_with_thumbnails(client, team, [details.hit for details in found.values()], show)

    async def tag(self, team: str, reply: Reply, question: Question, file: SlackFile | None) -> None:
        """Answer with the tags of an image.

        Args:
            file: the image in Slack, None when the question is about an indexed one.
        """
        results = await self.reader.tags(question, await self.reader.visible_in(reply))
        question_id = await self._store_question(team, reply, question)
        name = question.name or file_name(question.like or question.text)
        source = _source_in_slack(file)
        try:
            await reply.send(tags_message(results, name, source, question_id))
        except RefusedError:
            if source is None:
                raise
            await reply.send(tags_message(results, name, None, question_id))

    async def tag_all(self, team: str, reply: Reply, images: Sequence[tuple[Question, SlackFile]], count: int) -> None:
        """Answer with the tags of several uploaded images.

        Args:
            count: number of images in the message, of which `images` are the first.
        """
        blocks: list[Block] = []
        for question, file in images:
            results = await self.reader.tags(question)
            question_id = await self._store_question(team, reply, question)
            blocks += tags_blocks(results, question.name, _source_in_slack(file), question_id)
        if count > len(images):
            blocks.append(small_text(f"The first {len(images)} of {count} images."))
        names = ", ".join(question.name for question, _ in images)
        await reply.send(Message(notification_text(f"Tags of {names}"), blocks))

    async def describe(self, client: AsyncWebClient, team: str, reply: Reply, question: Question) -> None:
        """Answer with an uploaded image's tags and the most similar images."""
        lead: list[Block] = []
        # A library whose encoder has no classes knows no tags.
        with suppress(QueryError):
            results = await self.reader.tags(question)
            lead = tags_blocks(results, question.name, None, None)
        await self.search(client, team, reply, question, build=partial(results_message, lead=lead))

    async def words(self, reply: Reply, word: str) -> None:
        """Answer with the nearest words."""
        results = await self._search_pool.run(lambda: related_words(self.live.words(), word, TAGS))
        await reply.send(words_message(results, word))

    async def embed(self, client: AsyncWebClient, file: SlackFile) -> ImageFeatures:
        """Download an image from Slack and return its features.

        Raises:
            FindimgError: it cannot be downloaded or decoded, or too many images are waiting.
        """
        data = await download(client, file)
        return await self._embed_pool.run(lambda: self.live.embed(data))

    async def copies(self, reply: Reply, stored: StoredQuestion, uri: str) -> None:
        """Answer with the images that an answer folded behind one of its hits.

        Raises:
            QueryError: the library has changed, and the image has no copies in this answer any more.
        """
        hit = await self.reader.hit(stored.question, stored.skip, uri, await self.reader.visible_in(reply))
        if hit is None or not (hit.copies or hit.near_duplicates):
            raise QueryError("The library has changed since this answer. Ask again.")
        await reply.send(copies_message(uri, hit.copies, hit.near_duplicates))

    async def text(self, reply: Reply, uri: str) -> None:
        """Answer with the text of an indexed image, so that it can be copied.

        Raises:
            QueryError: the image is no longer indexed, or has no text any more.
        """
        text = await self.reader.text(uri, await self.reader.visible_in(reply))
        if not text:
            raise QueryError("The library has changed since this answer. Ask again.")
        await reply.send(picture_text_message(uri, text))

    @asynccontextmanager
    async def answering(self, kind: str, reply: Reply, progress_after: float = PROGRESS_DELAY) -> AsyncIterator[None]:
        """Count and time a question, and send the reason when the block raises an error.

        Args:
            kind: label of the question in the metrics.
            progress_after: seconds until the person is told that the search is running.
        """
        progress = asyncio.create_task(_show_progress_later(reply, progress_after))
        # Acknowledge all pending requests before starting any search.
        await asyncio.sleep(_ACKNOWLEDGE_DELAY)
        try:
            with self.metrics.answering(kind):
                yield
        except SupersededError:
            _log.info("Another bot has taken over a request.")
        except TeachableError as error:
            await _send(reply, error.message)
        except Exception as error:
            await _send(reply, text_message(explain(error)))
        finally:
            progress.cancel()

    async def _send_page(
        self,
        client: AsyncWebClient,
        team: str,
        reply: Reply,
        question: Question,
        page: ResultsPage,
        show: ResultsBuilder,
    ) -> None:
        hits = page.results.hits
        question_id = await self._store_question(team, reply, question, page.skip, tuple(hit.uri for hit in hits))

        async def send(pictures: HitThumbnails, attempt: int) -> None:
            message = show(page, pictures, question_id, private=reply.private, cards=attempt == 0)
            await reply.send(message, pictures.fresh)

        await self._send_with_thumbnails(client, team, hits, send, page.skip + 1, page.grid)

    async def _send_with_thumbnails(
        self,
        client: AsyncWebClient,
        team: str,
        hits: Sequence[Hit],
        send: Callable[[HitThumbnails, int], Awaitable[None]],
        first: int = 1,
        grid: bool = False,
    ) -> None:
        """Send a message with thumbnails, and try again when Slack refuses them.

        Slack refuses a message when it still scans a new file, or when somebody deleted a file.

        Args:
            send: sends the message with pictures, in the given attempt from 0 on.
            first: number of the first hit in the answer.
            grid: whether the person asked for a contact sheet.
        """
        for attempt in range(_ATTEMPTS):
            pictures = await self.thumbnails.for_hits(
                client, team, self.library.storage, hits, first=first, grid=grid, ready=attempt > 0
            )
            try:
                await send(pictures, attempt)
                break
            except RefusedError as error:
                _log.info("Slack refused the thumbnails of an answer: %s", error)
                if attempt or not pictures.fresh:
                    await self.thumbnails.refused(team, hits, first)
        else:
            _log.warning("Slack refuses the thumbnails of an answer.")
            pictures = HitThumbnails(note="Slack does not show the thumbnails.")
            await send(pictures, _ATTEMPTS)
        if pictures.note:
            self.metrics.thumbnail_failures.inc()

    async def _store_question(
        self, team: str, reply: Reply, question: Question, skip: int = 0, uris: tuple[str, ...] = ()
    ) -> str:
        stored = StoredQuestion(team, reply.user if reply.private else "", question, skip, uris)
        return await asyncio.to_thread(self.store.save_question, stored)

    def _shows_teach(self, reply: Reply) -> bool:
        """Return whether an answer offers to teach. In public answers it does, because anybody may click."""
        return not reply.private or self.teaching.is_offered_to(reply.user)

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
                await asyncio.to_thread(self.live.refresh_taught)
            await asyncio.sleep(INTERVAL)

    async def _warm(self) -> None:
        try:
            await self._embed_pool.run(self.live.warm_encoder)
        except FindimgError as error:
            _log.warning("Uploaded images cannot be embedded: %s", error)


def _source_in_slack(file: SlackFile | None) -> Block | None:
    if file is None or file.get("mimetype") not in _SHOWN_BY_SLACK:
        return None
    return {"slack_file": {"id": file["id"]}}


async def _show_progress_later(reply: Reply, seconds: float) -> None:
    """Tell the person that the search is running, when the answer takes longer."""
    await asyncio.sleep(seconds)
    with suppress(*SLACK_ERRORS):
        await reply.begin()


async def _send(reply: Reply, message: Message) -> None:
    """Send the reason for a failure; when that fails as well, log it."""
    try:
        await reply.send(message)
    except SupersededError:
        _log.info("Another bot has taken over a request.")
    except Exception as error:
        _log.error("The person who asked cannot be told about an error: %s", slack_failure(error))
