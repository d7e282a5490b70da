"""Joins small changes of the state into few transactions, so that many requests at once are recorded at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection

from findimg_bot.state.database import Database

T = TypeVar("T")


class WriteQueue:
    """Runs changes in the order in which they come. Those that wait for one transaction share the next one."""

    def __init__(self, database: Database):
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._waiting: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    def write(self, change: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Run a change soon, and return its future result.

        The future raises StorageError if the database cannot be reached or written.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return future

    def close(self) -> None:
        """Wait until the transaction that runs ends."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                results = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, batch)
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
        self._writing = None

    def _run(self, batch: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]]) -> list[Any]:
        return self._database.run(lambda connection: [change(connection) for change, _ in batch])
