"""Applies changes to the library in a process of its own, which is started when it is needed."""

import asyncio
import contextlib
import logging
import pickle
import sys

from findimg.errors import StorageError
from findimg.plugins import Change, NotAdded
from findimg.settings import Settings
from findimg_bot.live_indexing.writer_messages import HEAD, WriteRequest, WriteResult

_IDLE_SECONDS = 600.0  # after which the process ends, and frees its memory
_DIED = "The process that writes to the library died. It is started again with the next picture."


class LibraryWriter:
    """Starts the process and sends it one change at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._lock = asyncio.Lock()

    async def check(self) -> None:
        """Start the process, to find out whether it can work.

        Raises:
            LibraryError: a package that it needs is not installed.
            StorageError: it cannot be started.
        """
        async with self._lock:
            await self._running()

    async def apply(self, settings: Settings, change: Change) -> tuple[NotAdded, ...]:
        """Add and remove images, publish the library, and return the images that could not be added.

        Raises:
            FindimgError: nothing was published.
        """
        async with self._lock:
            if self._idle:
                self._idle.cancel()
            process = await self._running()
            assert process.stdin
            data = pickle.dumps(WriteRequest(settings, change))
            try:
                process.stdin.write(HEAD.pack(len(data)) + data)
                await process.stdin.drain()
                return await self._answer(process)
            except OSError as error:
                self._process = None
                raise StorageError(_DIED) from error
            finally:
                self._idle = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._close)

    async def stop(self) -> None:
        """End the process. A change that is being applied is abandoned, and the library keeps its version."""
        process = self._process
        self._close()
        if process:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _close(self) -> None:
        if self._idle:
            self._idle.cancel()
        if self._process and self._process.stdin:
            self._process.stdin.close()
        self._process = None

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            level = str(logging.getLogger("findimg_bot").getEffectiveLevel())
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "findimg_bot.live_indexing.writer_process",
                level,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            await self._answer(self._process)
        return self._process

    async def _answer(self, process: asyncio.subprocess.Process) -> tuple[NotAdded, ...]:
        assert process.stdout
        try:
            (length,) = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
            answer = pickle.loads(await process.stdout.readexactly(length))
        except EOFError as error:
            self._process = None
            raise StorageError(_DIED) from error
        assert isinstance(answer, WriteResult)
        if answer.error:
            raise answer.error
        return answer.not_added
