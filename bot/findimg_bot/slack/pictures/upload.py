"""Uploads pictures to Slack. Uploads that begin together are completed with one call of Slack."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient

_ATTEMPTS = 2  # to send a file
_GATHER_SECONDS = 1.0  # that a file waits for the others of its batch
# Errors of `files.completeUploadExternal` that can be due to one of its files.
_OF_ONE_FILE = ("file_not_found", "file_deleted", "invalid_arguments")


class UploadBatch:
    """Completes several uploads with one call of Slack."""

    def __init__(self, client: AsyncWebClient, count: int = 1):
        """Args:
        client: with the team's token.
        count: number of uploads that begin together.
        """
        self.client = client
        self._missing = count
        self._all_sent = asyncio.Event()
        self._sent: dict[str, tuple[str, asyncio.Future[None]]] = {}  # file id → title, and when it is completed
        self._completing: asyncio.Task[None] | None = None
        self._is_closed = False

    async def upload(self, read: Callable[[], bytes], filename: str, title: str) -> str:
        """Upload a JPEG and return the file's id. Slack may not be able to show it yet.

        Args:
            read: returns the JPEG.

        Raises:
            FindimgError: it cannot be read.
            SlackClientError, aiohttp.ClientError, OSError: Slack refuses the file or cannot be reached.
        """
        try:
            data = await asyncio.to_thread(read)
            # No alt text: with it Slack can silently fail to share the file.
            begun = await self.client.files_getUploadURLExternal(filename=filename, length=len(data))
            file = str(begun["file_id"])
            await self._send(str(begun["upload_url"]), data, filename)
        finally:
            self._missing -= 1
            if self._missing <= 0:
                self._all_sent.set()
        if self._is_closed:
            await self._complete({file: title})
            return file
        completed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sent[file] = title, completed
        if self._completing is None:
            self._completing = asyncio.create_task(self._complete_all())
        await completed
        return file

    async def _send(self, url: str, data: bytes, filename: str) -> None:
        shared = self.client.session
        session = shared or aiohttp.ClientSession(trust_env=self.client.trust_env_in_session)
        try:
            for attempt in range(_ATTEMPTS):
                try:
                    status = await self._post(session, url, data)
                    break
                except aiohttp.ClientConnectionError:
                    if attempt == _ATTEMPTS - 1:
                        raise
        finally:
            if shared is None:
                await session.close()
        if status != 200:
            raise SlackRequestError(f"The upload of {filename} was answered with status {status}.")

    async def _post(self, session: aiohttp.ClientSession, url: str, data: bytes) -> int:
        client = self.client
        timeout = aiohttp.ClientTimeout(client.timeout)
        async with session.post(url, data=data, proxy=client.proxy, ssl=client.ssl or True, timeout=timeout) as answer:
            return answer.status

    async def _complete_all(self) -> None:
        """Complete the files that are sent soon. Those that are sent later are completed one by one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_SECONDS):
                await self._all_sent.wait()
        self._is_closed = True
        titles = {file: title for file, (title, _) in self._sent.items()}
        for file, error in (await self._errors(titles)).items():
            completed = self._sent[file][1]
            if completed.done():  # the upload was cancelled
                continue
            if error is None:
                completed.set_result(None)
            else:
                completed.set_exception(error)

    async def _errors(self, titles: Mapping[str, str]) -> dict[str, Exception | None]:
        """Complete files and return for each the reason why it is not complete, None if it is."""
        try:
            await self._complete(titles)
        except SlackApiError as error:
            if len(titles) > 1 and error.response.get("error") in _OF_ONE_FILE:
                alone = await asyncio.gather(*(self._errors({file: title}) for file, title in titles.items()))
                return {file: reason for found in alone for file, reason in found.items()}
            return dict.fromkeys(titles, error)
        except Exception as error:
            return dict.fromkeys(titles, error)
        return dict.fromkeys(titles)

    async def _complete(self, titles: Mapping[str, str]) -> None:
        files: list[dict[str, str | None]] = [{"id": file, "title": title} for file, title in titles.items()]
        await self.client.files_completeUploadExternal(files=files)
