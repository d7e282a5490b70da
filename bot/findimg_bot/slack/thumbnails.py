"""Thumbnails in Slack: from an address of the operator's, else uploaded once to each workspace."""

import asyncio
import logging
from collections.abc import Sequence
from urllib.parse import quote

import aiohttp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from findimg.contact_sheet import Cell, Row, draw_sheet
from findimg.errors import FindimgError, StorageError
from findimg.search.searcher import Hit
from findimg.storage.base import Storage
from findimg_bot.slack.blocks import Block, Pictures, name_of, plain
from findimg_bot.slack.limits import IMAGE_URL
from findimg_bot.state.store import Store

EACH_SECONDS = 4.0  # for uploading each thumbnail; what takes longer is shown on one contact sheet
SHEET_SECONDS = 4.0  # for that
READY_SECONDS = 60.0  # how long an uploaded file may take in the background until it is given up
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0  # seconds between two looks at whether a file is ready
_UPLOADS = 8  # at the same time

_log = logging.getLogger(__name__)
# What an upload can fail with: Slack's answer, the network, time.
UPLOAD_ERRORS = (SlackClientError, aiohttp.ClientError, OSError, TimeoutError)


class Thumbnails:
    """Makes hits visible in a workspace."""

    def __init__(self, store: Store, base_url: str):
        """Args:
        base_url: where Slack can fetch the library's keys; empty uploads.
        """
        self._store = store
        self._base_url = base_url
        self._uploads: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._places = asyncio.Semaphore(_UPLOADS)

    async def show(self, client: AsyncWebClient, team: str, storage: Storage, hits: Sequence[Hit]) -> Pictures:
        """Finds or makes a picture of each hit; when that takes too long, one of all of them.

        Args:
            client: with the team's token.
            storage: the library.
        """
        if self._base_url:
            urls = {hit.sha256: self._base_url + quote(hit.thumbnail) for hit in hits}
            return Pictures({sha256: {"image_url": url} for sha256, url in urls.items() if len(url) <= IMAGE_URL})
        files = await asyncio.to_thread(self._store.thumbnails, team, {hit.sha256 for hit in hits})
        missing = {hit.sha256: hit for hit in hits if hit.sha256 not in files}
        if not missing:
            return Pictures(_files(files))
        tasks = {sha256: self._upload(client, team, storage, hit) for sha256, hit in missing.items()}
        # Not cancelled when the time is up: what they upload serves the next answer.
        await asyncio.wait(tasks.values(), timeout=EACH_SECONDS)
        reasons = []
        for sha256, task in tasks.items():
            if not task.done():
                reasons.append("Slack is slow to take the thumbnails in")
            elif error := task.exception():
                reasons.append(reason(error))
            else:
                files[sha256] = task.result()
        if not reasons:
            return Pictures(_files(files), fresh=True)
        try:
            async with asyncio.timeout(SHEET_SECONDS):
                sheet = await self._upload_sheet(client, storage, hits)
        except (*UPLOAD_ERRORS, FindimgError) as error:
            _log.warning("Thumbnails cannot be shown: %s; and on one sheet: %s", reasons[0], reason(error))
            return Pictures(_files(files), note=f"Some thumbnails are missing: {reasons[0]}.", fresh=True)
        return Pictures(sheet=_file(sheet), fresh=True)

    async def refused(self, team: str, hits: Sequence[Hit]) -> None:
        """Forgets the thumbnails of an answer that Slack refused to show: somebody deleted a file."""
        await asyncio.to_thread(self._store.forget_thumbnails, team, [hit.sha256 for hit in hits])

    async def remove(self, client: AsyncWebClient, team: str, hashes: Sequence[str]) -> None:
        """Deletes the thumbnails of images that are gone, in Slack too."""
        files = await asyncio.to_thread(self._store.thumbnails, team, hashes)
        for sha256, file in files.items():
            try:
                await client.files_delete(file=file)
            except UPLOAD_ERRORS as error:
                if "file_not_found" not in str(error) and "file_deleted" not in str(error):
                    _log.warning("The thumbnail %s of a removed image cannot be deleted: %s", file, reason(error))
                    continue
            await asyncio.to_thread(self._store.forget_thumbnails, team, [sha256])

    async def stop(self) -> None:
        """Ends the uploads that are under way."""
        tasks = list(self._uploads.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _upload(self, client: AsyncWebClient, team: str, storage: Storage, hit: Hit) -> asyncio.Task[str]:
        """The upload of one thumbnail, the same for all who ask for it meanwhile."""
        key = team, hit.sha256
        if key not in self._uploads:
            task = asyncio.create_task(self._remembered(client, team, storage, hit))
            task.add_done_callback(lambda done: self._finished(key, done))
            self._uploads[key] = task
        return self._uploads[key]

    def _finished(self, key: tuple[str, str], done: asyncio.Task[str]) -> None:
        del self._uploads[key]
        if not done.cancelled() and (error := done.exception()):
            _log.info("A thumbnail was not uploaded: %s", error if isinstance(error, StorageError) else reason(error))

    async def _remembered(self, client: AsyncWebClient, team: str, storage: Storage, hit: Hit) -> str:
        async with self._places, asyncio.timeout(READY_SECONDS):
            data = await asyncio.to_thread(storage.read, hit.thumbnail)
            file = await upload(client, data, f"{hit.sha256[:16]}.jpg", plain(name_of(hit.uri)))
        await asyncio.to_thread(self._store.remember, team, hit.sha256, file)
        return file

    async def _upload_sheet(self, client: AsyncWebClient, storage: Storage, hits: Sequence[Hit]) -> str:
        sheet = await asyncio.to_thread(_sheet, storage, hits)
        return await upload(client, sheet, "images.jpg", "All at once")


async def upload(client: AsyncWebClient, data: bytes, filename: str, title: str) -> str:
    """Uploads a JPEG and waits until Slack can show it; returns the file's id.

    Raises:
        SlackClientError, aiohttp.ClientError, OSError: Slack refused it, or cannot be reached.
    """
    # No alt text here: with it files_upload_v2 can fail without a word.
    done = await client.files_upload_v2(
        file_uploads=[{"file": data, "filename": filename, "title": title}], request_file_info=False
    )
    file: str = done["files"][0]["id"]
    wait = _FIRST_WAIT
    while True:
        info = await client.files_info(file=file)
        # Slack looks through a file before it shows it, and knows its type only then.
        if info["file"].get("mimetype"):
            return file
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def reason(error: BaseException) -> str:
    """Why Slack was not reached or did not do something, in a few words without a token or an address."""
    response = getattr(error, "response", None)
    if response is not None and (code := response.get("error")):
        return f"Slack answered {code}"
    if isinstance(error, TimeoutError):
        return "Slack took too long"
    if isinstance(error, StorageError):
        return "the library cannot be read"
    return f"Slack cannot be reached ({type(error).__name__})"


def _files(files: dict[str, str]) -> dict[str, Block]:
    return {sha256: _file(file) for sha256, file in files.items()}


def _file(file: str) -> Block:
    return {"slack_file": {"id": file}}


def _sheet(storage: Storage, hits: Sequence[Hit]) -> bytes:
    cells = [Cell(storage.read(hit.thumbnail), f"{hit.score:.2f}  {name_of(hit.uri)}") for hit in hits]
    return draw_sheet([Row("", hits=cells)])
