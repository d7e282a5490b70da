"""Thumbnails in Slack: from a public address, else uploaded once to each workspace."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import FindimgError
from findimg.search.answers.results import Hit
from findimg.storage.base import Storage
from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.slack.blocks.elements import Block
from findimg_bot.slack.blocks.results.results_page import HitThumbnails
from findimg_bot.slack.blocks.text import file_name, plain
from findimg_bot.slack.limits import IMAGE_URL
from findimg_bot.slack.pictures.picture_grid import draw_grid
from findimg_bot.slack.pictures.upload import UploadBatch
from findimg_bot.state.store import Store

EACH_SECONDS = 4.0  # for uploading thumbnails; an answer that takes longer shows one contact sheet
SHEET_SECONDS = 4.0  # for uploading the contact sheet
READY_SECONDS = 60.0  # until an upload in the background is given up
_CHECK_AFTER = 0.3  # seconds from an upload to the first check whether Slack can show it
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0  # seconds between two checks whether a file is ready
_PARALLEL_UPLOADS = 8

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Upload:
    """A running upload, which all answers that need the file share."""

    uploaded: asyncio.Future[str]  # the file's id, as soon as Slack has the file
    ready: asyncio.Task[str]  # the same, as soon as Slack can show it


class Thumbnails:
    """Makes thumbnails visible in a workspace."""

    def __init__(self, store: Store, storage: Storage, base_url: str):
        """Args:
        storage: of the library, which has the thumbnails.
        base_url: public address of the library's files; empty uploads thumbnails to Slack.
        """
        self._store = store
        self._storage = storage
        self._base_url = base_url
        self._uploads: dict[tuple[str, str], _Upload] = {}
        self._upload_slots = asyncio.Semaphore(_PARALLEL_UPLOADS)

    async def for_hits(
        self,
        client: AsyncWebClient,
        team: str,
        hits: Sequence[Hit],
        *,
        first: int = 1,
        grid: bool = False,
        ready: bool = False,
    ) -> HitThumbnails:
        """Return a picture of each hit, or one of all hits for a grid and when uploading takes too long.

        Args:
            client: with the team's token.
            first: number of the first hit in the answer.
            grid: whether to show all hits on one contact sheet.
            ready: whether to wait until Slack can show what was uploaded. Slack scans a new file for a moment and
                refuses a message that comes too early. Trying without waiting saves a call in most cases.
        """
        if grid and hits:
            return await self._sheet(client, team, (hits, first), ready, "Slack takes long to accept it")
        if self._base_url:
            urls = {hit.sha256: self._base_url + quote(hit.thumbnail) for hit in hits}
            return HitThumbnails({sha256: {"image_url": url} for sha256, url in urls.items() if len(url) <= IMAGE_URL})
        files = await asyncio.to_thread(self._store.thumbnails, team, {hit.sha256 for hit in hits})
        missing = {hit.sha256: hit for hit in hits if hit.sha256 not in files}
        if not missing:
            return HitThumbnails(_files(files))
        batch = UploadBatch(client, sum((team, sha256) not in self._uploads for sha256 in missing))
        uploads = {sha256: self._upload_hit(team, hit, batch) for sha256, hit in missing.items()}
        waiting = {sha256: each.ready if ready else each.uploaded for sha256, each in uploads.items()}
        # Late uploads are not cancelled, because the next answer can use them.
        await asyncio.wait(waiting.values(), timeout=EACH_SECONDS)
        reasons = []
        for sha256, upload in waiting.items():
            if not upload.done():
                reasons.append("Slack takes long to accept thumbnails")
            elif error := upload.exception():
                reasons.append(slack_failure(error))
            else:
                files[sha256] = upload.result()
        if not reasons:
            return HitThumbnails(_files(files), fresh=True)
        sheet = await self._sheet(client, team, (hits, first), ready, reasons[0])
        return sheet if sheet.sheet else HitThumbnails(_files(files), note=sheet.note, fresh=True)

    async def refused(self, team: str, hits: Sequence[Hit], first: int = 1) -> None:
        """Delete the stored ids of an answer's thumbnails after Slack refused to show them."""
        hashes = [*(hit.sha256 for hit in hits), _sheet_hash(hits, first)]
        await asyncio.to_thread(self._store.forget_thumbnails, team, hashes)

    async def remove(self, client: AsyncWebClient, team: str, hashes: Sequence[str]) -> None:
        """Delete the thumbnails of removed images, in Slack and in the state."""
        files = await asyncio.to_thread(self._store.thumbnails, team, hashes)
        for sha256, file in files.items():
            try:
                await client.files_delete(file=file)
            except SLACK_ERRORS as error:
                if "file_not_found" not in str(error) and "file_deleted" not in str(error):
                    _log.warning("The thumbnail %s of a removed image was not deleted: %s", file, slack_failure(error))
                    continue
            await asyncio.to_thread(self._store.forget_thumbnails, team, [sha256])

    async def stop(self) -> None:
        """Cancel running uploads."""
        tasks = [upload.ready for upload in self._uploads.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sheet(
        self,
        client: AsyncWebClient,
        team: str,
        page: tuple[Sequence[Hit], int],
        ready: bool,
        reason: str,
    ) -> HitThumbnails:
        """Return a contact sheet of all hits, else a note with `reason`."""
        hits, first = page
        name = _sheet_hash(hits, first)
        known = await asyncio.to_thread(self._store.thumbnails, team, [name])
        if name in known:
            return HitThumbnails(sheet=_file(known[name]))

        def draw() -> bytes:
            return draw_grid([self._storage.read(hit.thumbnail) for hit in hits], first)

        # Stored under the hash of its images, so that a new version without one of them deletes the sheet.
        upload = self._upload(team, name, draw, "Contact sheet", UploadBatch(client))
        waiting: asyncio.Future[str] = upload.ready if ready else upload.uploaded
        try:
            async with asyncio.timeout(SHEET_SECONDS):
                return HitThumbnails(sheet=_file(await asyncio.shield(waiting)), fresh=True)
        except (*SLACK_ERRORS, FindimgError) as error:
            _log.warning("Neither thumbnails nor a contact sheet: %s; %s", reason, slack_failure(error))
            return HitThumbnails(note=f"Some thumbnails are missing: {reason}.")

    def _upload_hit(self, team: str, hit: Hit, batch: UploadBatch) -> _Upload:
        title = plain(file_name(hit.uri))
        return self._upload(team, hit.sha256, lambda: self._storage.read(hit.thumbnail), title, batch)

    def _upload(self, team: str, sha256: str, read: Callable[[], bytes], title: str, batch: UploadBatch) -> _Upload:
        """Return the upload of a picture, started now unless it is running."""
        key = team, sha256
        if key not in self._uploads:
            uploaded: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            async def run() -> str:
                async with asyncio.timeout(READY_SECONDS):
                    async with self._upload_slots:
                        file = await batch.upload(read, f"{sha256[:16]}.jpg", title)
                    if not uploaded.done():
                        uploaded.set_result(file)
                    # Most files are shown by now, so the answer goes first.
                    await asyncio.sleep(_CHECK_AFTER)
                    await wait_until_ready(batch.client, file)
                await asyncio.to_thread(self._store.save_thumbnail, team, sha256, file)
                return file

            task = asyncio.create_task(run())
            task.add_done_callback(lambda done: self._finished(key, uploaded, done))
            self._uploads[key] = _Upload(uploaded, task)
        return self._uploads[key]

    def _finished(self, key: tuple[str, str], uploaded: asyncio.Future[str], done: asyncio.Task[str]) -> None:
        del self._uploads[key]
        if done.cancelled():
            uploaded.cancel()
        elif error := done.exception():
            _log.info("A thumbnail was not uploaded: %s", error if _is_named(error) else slack_failure(error))
            if not uploaded.done():
                uploaded.set_exception(error)
                uploaded.exception()  # retrieved, also when nobody waits


async def wait_until_ready(client: AsyncWebClient, file: str) -> None:
    """Wait until Slack can show a file. Slack scans a new file, and sets its type afterwards.

    Raises:
        SlackClientError, aiohttp.ClientError, OSError: Slack refuses the call or cannot be reached.
    """
    wait = _FIRST_WAIT
    while True:
        info = await client.files_info(file=file)
        if info["file"].get("mimetype"):
            return
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def _is_named(error: BaseException) -> bool:
    """Return whether an error's text may be logged: findimg's own texts hold no token."""
    return isinstance(error, FindimgError)


def _sheet_hash(hits: Sequence[Hit], first: int) -> str:
    text = "\n".join(f"{hit.sha256} {hit.uri}" for hit in hits)
    return hashlib.sha256(f"contact sheet from {first}\n{text}".encode()).hexdigest()


def _files(files: dict[str, str]) -> dict[str, Block]:
    return {sha256: _file(file) for sha256, file in files.items()}


def _file(file: str) -> Block:
    return {"slack_file": {"id": file}}
