"""Thumbnails in Slack: from a public address, else uploaded once to each workspace."""

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
from findimg_bot.service.errors import slack_failure
from findimg_bot.slack.blocks.elements import Block
from findimg_bot.slack.blocks.results import HitPictures
from findimg_bot.slack.blocks.text import file_name, plain
from findimg_bot.slack.limits import IMAGE_URL
from findimg_bot.state.store import Store

EACH_SECONDS = 4.0  # for uploading thumbnails; an answer that takes longer shows one contact sheet
SHEET_SECONDS = 4.0  # for uploading the contact sheet
READY_SECONDS = 60.0  # until an upload in the background is given up
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0  # seconds between two checks whether a file is ready
_PARALLEL_UPLOADS = 8

_log = logging.getLogger(__name__)
# What a failed upload raises: Slack's answer, a network error, a timeout.
UPLOAD_ERRORS = (SlackClientError, aiohttp.ClientError, OSError, TimeoutError)


class Thumbnails:
    """Makes thumbnails visible in a workspace."""

    def __init__(self, store: Store, base_url: str):
        """Args:
        base_url: public address of the library's files; empty uploads thumbnails to Slack.
        """
        self._store = store
        self._base_url = base_url
        self._uploads: dict[tuple[str, str], asyncio.Task[str]] = {}
        self._places = asyncio.Semaphore(_PARALLEL_UPLOADS)

    async def show(self, client: AsyncWebClient, team: str, storage: Storage, hits: Sequence[Hit]) -> HitPictures:
        """Return a picture of each hit, or one of all hits when uploading takes too long.

        Args:
            client: with the team's token.
            storage: the library.
        """
        if self._base_url:
            urls = {hit.sha256: self._base_url + quote(hit.thumbnail) for hit in hits}
            return HitPictures({sha256: {"image_url": url} for sha256, url in urls.items() if len(url) <= IMAGE_URL})
        files = await asyncio.to_thread(self._store.thumbnails, team, {hit.sha256 for hit in hits})
        missing = {hit.sha256: hit for hit in hits if hit.sha256 not in files}
        if not missing:
            return HitPictures(_files(files))
        tasks = {sha256: self._upload(client, team, storage, hit) for sha256, hit in missing.items()}
        # Late uploads are not cancelled, because the next answer can use them.
        await asyncio.wait(tasks.values(), timeout=EACH_SECONDS)
        reasons = []
        for sha256, task in tasks.items():
            if not task.done():
                reasons.append("Slack takes long to accept thumbnails")
            elif error := task.exception():
                reasons.append(slack_failure(error))
            else:
                files[sha256] = task.result()
        if not reasons:
            return HitPictures(_files(files), fresh=True)
        try:
            async with asyncio.timeout(SHEET_SECONDS):
                sheet = await self._upload_sheet(client, storage, hits)
        except (*UPLOAD_ERRORS, FindimgError) as error:
            _log.warning(
                "Thumbnails cannot be shown: %s. Nor can a contact sheet: %s", reasons[0], slack_failure(error)
            )
            return HitPictures(_files(files), note=f"Some thumbnails are missing: {reasons[0]}.", fresh=True)
        return HitPictures(sheet=_file(sheet), fresh=True)

    async def refused(self, team: str, hits: Sequence[Hit]) -> None:
        """Delete the stored ids of an answer's thumbnails after Slack refused to show them."""
        await asyncio.to_thread(self._store.forget_thumbnails, team, [hit.sha256 for hit in hits])

    async def remove(self, client: AsyncWebClient, team: str, hashes: Sequence[str]) -> None:
        """Delete the thumbnails of removed images, in Slack and in the state."""
        files = await asyncio.to_thread(self._store.thumbnails, team, hashes)
        for sha256, file in files.items():
            try:
                await client.files_delete(file=file)
            except UPLOAD_ERRORS as error:
                if "file_not_found" not in str(error) and "file_deleted" not in str(error):
                    _log.warning("The thumbnail %s of a removed image was not deleted: %s", file, slack_failure(error))
                    continue
            await asyncio.to_thread(self._store.forget_thumbnails, team, [sha256])

    async def stop(self) -> None:
        """Cancel running uploads."""
        tasks = list(self._uploads.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _upload(self, client: AsyncWebClient, team: str, storage: Storage, hit: Hit) -> asyncio.Task[str]:
        """Return the upload of one thumbnail, which all answers that need it share."""
        key = team, hit.sha256
        if key not in self._uploads:
            task = asyncio.create_task(self._upload_and_store(client, team, storage, hit))
            task.add_done_callback(lambda done: self._finished(key, done))
            self._uploads[key] = task
        return self._uploads[key]

    def _finished(self, key: tuple[str, str], done: asyncio.Task[str]) -> None:
        del self._uploads[key]
        if not done.cancelled() and (error := done.exception()):
            _log.info(
                "A thumbnail was not uploaded: %s", error if isinstance(error, StorageError) else slack_failure(error)
            )

    async def _upload_and_store(self, client: AsyncWebClient, team: str, storage: Storage, hit: Hit) -> str:
        async with self._places, asyncio.timeout(READY_SECONDS):
            data = await asyncio.to_thread(storage.read, hit.thumbnail)
            file = await upload(client, data, f"{hit.sha256[:16]}.jpg", plain(file_name(hit.uri)))
        await asyncio.to_thread(self._store.save_thumbnail, team, hit.sha256, file)
        return file

    async def _upload_sheet(self, client: AsyncWebClient, storage: Storage, hits: Sequence[Hit]) -> str:
        sheet = await asyncio.to_thread(_sheet, storage, hits)
        return await upload(client, sheet, "images.jpg", "Contact sheet")


async def upload(client: AsyncWebClient, data: bytes, filename: str, title: str) -> str:
    """Upload a JPEG, wait until Slack can show it, and return the file's id.

    Raises:
        SlackClientError, aiohttp.ClientError, OSError: Slack refuses the file or cannot be reached.
    """
    # No alt text: with it files_upload_v2 can silently fail to share the file.
    done = await client.files_upload_v2(
        file_uploads=[{"file": data, "filename": filename, "title": title}], request_file_info=False
    )
    file: str = done["files"][0]["id"]
    wait = _FIRST_WAIT
    while True:
        info = await client.files_info(file=file)
        # Slack scans a file before it shows it, and sets its type afterwards.
        if info["file"].get("mimetype"):
            return file
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def _files(files: dict[str, str]) -> dict[str, Block]:
    return {sha256: _file(file) for sha256, file in files.items()}


def _file(file: str) -> Block:
    return {"slack_file": {"id": file}}


def _sheet(storage: Storage, hits: Sequence[Hit]) -> bytes:
    cells = [Cell(storage.read(hit.thumbnail), f"{hit.score:.2f}  {file_name(hit.uri)}") for hit in hits]
    return draw_sheet([Row("", hits=cells)])
