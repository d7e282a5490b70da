"""The desk: has questions answered and sends the answers with their pictures, or a sentence that says why not."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import TypeVar

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError, ImageError, LibraryError, QueryError, StorageError
from findimg.library.library import Manifest
from findimg.search.searcher import Hit, ImageFeatures, Searcher
from findimg.settings import Settings
from findimg.storage.folder import FolderStorage
from findimg_bot.service.answers import Found, Question, Tagged, answer, parsed, related
from findimg_bot.service.links import Links, path_below
from findimg_bot.service.live_library import LiveLibrary
from findimg_bot.service.metrics import Metrics
from findimg_bot.slack.blocks import (
    Block,
    Message,
    Pictures,
    Shown,
    escaped,
    found_message,
    name_of,
    sentence,
    shared_block,
    tags_blocks,
    tags_message,
    words_message,
)
from findimg_bot.slack.replies import RefusedError, Reply
from findimg_bot.slack.thumbnails import Thumbnails, reason
from findimg_bot.slack.uploads import File, download
from findimg_bot.state.store import Store, StoredQuestion

PAGE = 5  # hits in one answer
TAGS = 10
_ALT_TAGS = 3
_ACKNOWLEDGED_FIRST = 0.05  # seconds; nobody notices them, and 50 commands at once need no more
_AT_ONCE = 1.5  # seconds until somebody wonders whether anything happens
_WATCH_FOLDER, _WATCH_S3 = 1.0, 10.0  # seconds between two looks at CURRENT
_MOST_WAITING = 200  # questions; beyond that the next one is told to come again
_MOST_IMAGES = 20  # uploaded images, likewise
_SHOWN_BY_SLACK = ("image/png", "image/jpeg", "image/gif")
# What is about the question and fit for whoever asked it; other errors are the operator's.
_FOR_EVERYBODY = (QueryError, ImageError)
NOT_READY = "No images can be found at the moment; whoever runs findimg can see why with findimg-bot doctor."
_BROKEN = "Something is broken here, so I cannot answer; whoever runs findimg finds the reason in its log."

_log = logging.getLogger(__name__)
T = TypeVar("T")


class _Room:
    """Threads for one kind of work, with a bounded queue before them."""

    def __init__(self, name: str, threads: int, most: int):
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most = most
        self._inside = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Runs blocking work in one of the threads.

        Raises:
            QueryError: too much is waiting already.
        """
        if self._inside >= self._most:
            raise QueryError("Too many questions are waiting at the moment; ask again in a minute.")
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._inside -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)


class QueryService:
    """Answers questions in Slack; nothing that a later click needs stays in its memory."""

    def __init__(self, settings: Settings):
        """Opens the state; the library is opened by `start`.

        Raises:
            FindimgError: the state cannot be opened, or the settings name no library.
        """
        cores = os.cpu_count() or 1
        # One core stays free for acknowledging while an image is being embedded.
        self.live = LiveLibrary(settings, threads=max(1, cores - 1))
        self.library = self.live.library
        self.store = Store(settings.state)
        self.thumbnails = Thumbnails(self.store, settings.thumbnail_base_url)
        self.links = Links(settings.image_base_url)
        self.metrics = Metrics()
        self._searching = _Room("search", cores, _MOST_WAITING)
        self._seeing = _Room("see", 1, _MOST_IMAGES)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, client_of: Callable[[str], Awaitable[AsyncWebClient | None]]) -> None:
        """Opens the live version and the backbone in the background, and watches for the next version.

        Args:
            client_of: gives a client with the token of a team, None when the team has gone.
        """
        self._spawn(self._watch(client_of))
        self._spawn(self._warm())

    async def stop(self) -> None:
        """Ends what runs in the background and closes everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.thumbnails.stop()
        self._searching.close()
        self._seeing.close()
        self.live.close()
        self.store.close()

    async def search(
        self,
        client: AsyncWebClient,
        team: str,
        reply: Reply,
        question: Question,
        skip: int = 0,
        shared_by: str | None = None,
    ) -> None:
        """Answers with images: a page of them, and buttons for more.

        Args:
            skip: how many hits were shown before.
            shared_by: who shows them to others.
        """
        looked = await self._look(question, skip)
        lead = [shared_block(shared_by)] if shared_by else []
        await self._send_found(client, team, reply, question, looked, skip, lead)

    async def tag(self, team: str, reply: Reply, question: Question, file: File | None) -> None:
        """Answers with the tags of an image.

        Args:
            file: the image in Slack, None when the question is about an indexed one.
        """
        tagged = await self._searching.run(lambda: self._tags(question))
        kept = await self._keep(team, reply, question)
        name = question.name or name_of(question.like or question.text)
        image = _shown_by_slack(file)
        try:
            await reply.send(tags_message(tagged, name, image, kept))
        except RefusedError:
            if image is None:
                raise
            await reply.send(tags_message(tagged, name, None, kept))

    async def describe(self, client: AsyncWebClient, team: str, reply: Reply, question: Question) -> None:
        """Answers with an uploaded image's tags and with the images most like it."""
        lead: list[Block] = []
        # A library whose backbone has no classes knows no tags.
        with suppress(QueryError):
            tagged = await self._searching.run(lambda: self._tags(question))
            lead = tags_blocks(tagged, question.name, None, None)
        looked = await self._look(question, 0)
        await self._send_found(client, team, reply, question, looked, 0, lead)

    async def words(self, reply: Reply, word: str) -> None:
        """Answers with the nearest words."""
        answered = await self._searching.run(lambda: related(self.live.words(), word, TAGS))
        await reply.send(words_message(answered, word))

    async def see(self, client: AsyncWebClient, file: File) -> ImageFeatures:
        """Brings an uploaded image here and embeds it.

        Raises:
            FindimgError: it cannot be brought or read, or too many are waiting.
        """
        data = await download(client, file)
        return await self._seeing.run(lambda: self.live.see(data))

    async def manifest(self) -> Manifest:
        """The live version's manifest.

        Raises:
            FindimgError: there is no version.
        """

        def read() -> Manifest:
            with self.live.lease() as searcher:
                return searcher.manifest

        return await self._searching.run(read)

    @asynccontextmanager
    async def answering(self, kind: str, reply: Reply) -> AsyncIterator[None]:
        """Counts and times a question, and turns what goes wrong inside into a sentence to whoever asked.

        Args:
            kind: what it is counted as.
        """
        waiting = asyncio.create_task(_begin_later(reply))
        # What comes at the same moment is acknowledged before anything is answered.
        await asyncio.sleep(_ACKNOWLEDGED_FIRST)
        try:
            with self.metrics.answering(kind):
                yield
        except _FOR_EVERYBODY as error:
            await _say(reply, str(error))
        except (LibraryError, StorageError) as error:
            _log.error("The library cannot be searched: %s", error)
            await _say(reply, NOT_READY)
        except FindimgError as error:
            _log.error("A question could not be answered: %s", error)
            await _say(reply, _BROKEN)
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("An answer could not be sent: %s", reason(error))
            await _say(reply, f"I have an answer but cannot show it: {reason(error)}. Try again in a minute.")
        except Exception:
            _log.exception("A question could not be answered.")
            await _say(reply, _BROKEN)
        finally:
            waiting.cancel()

    async def _send_found(
        self,
        client: AsyncWebClient,
        team: str,
        reply: Reply,
        question: Question,
        looked: "_Looked",
        skip: int,
        lead: Sequence[Block] = (),
    ) -> None:
        hits = looked.found.hits
        kept = await self._keep(team, reply, question, skip, tuple(hit.uri for hit in hits))

        def message(pictures: Pictures) -> Message:
            return found_message(
                looked.found,
                looked.shown,
                pictures,
                looked.manifest,
                _title(question),
                kept,
                skip,
                alike=looked.alike,
                lead=lead,
                shared=not reply.private,
            )

        pictures = await self.thumbnails.show(client, team, self.library.storage, hits)
        try:
            await reply.send(message(pictures), pictures.fresh)
        except RefusedError:
            # Somebody deleted a thumbnail in Slack: it is uploaded again, once.
            await self.thumbnails.refused(team, hits)
            pictures = await self.thumbnails.show(client, team, self.library.storage, hits)
            try:
                await reply.send(message(pictures), pictures.fresh)
            except RefusedError as error:
                _log.warning("Slack refuses the thumbnails of an answer: %s", error)
                pictures = Pictures(note="Slack does not show the thumbnails.")
                await reply.send(message(pictures))
        if pictures.note:
            self.metrics.thumbnail_failures.inc()

    async def _keep(
        self, team: str, reply: Reply, question: Question, skip: int = 0, uris: tuple[str, ...] = ()
    ) -> str:
        asked = StoredQuestion(team, reply.user if reply.private else "", question, skip, uris)
        return await asyncio.to_thread(self.store.keep, asked)

    async def _look(self, question: Question, skip: int) -> "_Looked":
        def look() -> _Looked:
            with self.live.lease() as searcher:
                found = answer(searcher, question, PAGE, skip)
                assert isinstance(found, Found)
                manifest = searcher.manifest
                shown = [self._shown(searcher, hit) for hit in found.hits]
                alike = question.seen is not None or parsed(question).like is not None
                return _Looked(found, shown, manifest, alike)

        return await self._searching.run(look)

    def _tags(self, question: Question) -> Tagged:
        with self.live.lease() as searcher:
            tagged = answer(
                searcher, question if question.command == "/tag" else replace(question, command="/tag"), TAGS
            )
            assert isinstance(tagged, Tagged)
            return tagged

    def _shown(self, searcher: Searcher, hit: Hit) -> Shown:
        sources = searcher.manifest.sources
        tags: tuple[str, ...] = ()
        if searcher.manifest.joint:
            tags = tuple(tag.word for tag in searcher.tags(searcher.seen(hit.item), _ALT_TAGS))
        folder = str(PurePosixPath(path_below(hit.uri, sources)).parent)
        return Shown(
            hit,
            folder if folder != "." else "",
            tags,
            self.links.link(hit.uri, sources),
            self.links.on_request(hit.uri),
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _warm(self) -> None:
        try:
            await self._seeing.run(self.live.warm_backbone)
        except FindimgError as error:
            _log.warning("Uploaded images cannot be looked at: %s", error)

    async def _watch(self, client_of: Callable[[str], Awaitable[AsyncWebClient | None]]) -> None:
        seconds = _WATCH_FOLDER if isinstance(self.library.storage, FolderStorage) else _WATCH_S3
        said = ""
        while True:
            try:
                if await asyncio.to_thread(self.live.refresh):
                    await self._switched(client_of)
                said = ""
            except FindimgError as error:
                self.metrics.refresh_failures.inc()
                if str(error) != said:
                    said = str(error)
                    _log.warning("The live version cannot be opened: %s", error)
            except Exception:
                self.metrics.refresh_failures.inc()
                _log.exception("The library cannot be watched.")
            await asyncio.sleep(seconds)

    async def _switched(self, client_of: Callable[[str], Awaitable[AsyncWebClient | None]]) -> None:
        """Notes the new version, and takes thumbnails of images that it no longer has out of Slack."""
        manifest = await self.manifest()
        self.metrics.serving(manifest.version, manifest.images, datetime.fromisoformat(manifest.created).timestamp())
        uploaded = await asyncio.to_thread(self.store.uploaded)
        for team, hashes in uploaded.items():
            if gone := await asyncio.to_thread(self._gone, hashes):
                client = await client_of(team)
                if client:
                    await self.thumbnails.remove(client, team, sorted(gone))

    def _gone(self, hashes: Sequence[str]) -> set[str]:
        with self.live.lease() as searcher:
            return searcher.catalog.without(hashes)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one look into one version found."""

    found: Found
    shown: Sequence[Shown]
    manifest: Manifest
    alike: bool  # whether it was looked for by likeness


def _title(question: Question) -> str:
    like = question.name or (name_of(question.like) if question.like else "")
    about = f" {escaped(question.text)}" if question.text else ""
    if like:
        return f"Images like *{escaped(like)}*{about}"
    return f"Images for *{escaped(question.text)}*"


def _shown_by_slack(file: File | None) -> Block | None:
    if file is None or file.get("mimetype") not in _SHOWN_BY_SLACK:
        return None
    return {"slack_file": {"id": file["id"]}}


async def _begin_later(reply: Reply) -> None:
    """Says that an answer is being looked for, when it is not there at once."""
    await asyncio.sleep(_AT_ONCE)
    with suppress(SlackClientError, aiohttp.ClientError, OSError, TimeoutError):
        await reply.begin()


async def _say(reply: Reply, text: str) -> None:
    """Sends a sentence; where even that fails only the log can tell."""
    try:
        await reply.send(sentence(text))
    except Exception as error:
        _log.error("Nothing can be said to whoever asked: %s", reason(error))
