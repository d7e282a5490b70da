"""Joins small changes of the state into few transactions, so that many requests at once are recorded at once."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection

from findimg_bot.state.database import Database

A = TypeVar("A")
T = TypeVar("T")
Change = Callable[[Connection, Sequence[A]], Sequence[T]]


class WriteQueue:
    """Runs changes. Those that wait for one transaction share the next one, and changes of one kind share a call.

    Changes of different kinds that wait together are made in any order.
    """

    def __init__(self, database: Database):
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="write")
        self._waiting: list[tuple[Change[Any, Any], Any, asyncio.Future[Any]]] = []
        self._writing: asyncio.Task[None] | None = None

    def write(self, change: Change[A, T], argument: A) -> asyncio.Future[T]:
        """Make a change soon, and return its future result.

        The future raises StorageError if the database cannot be reached or written.

        Args:
            change: takes the arguments of all changes of this kind, and returns a result for each.
            argument: what to change.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, argument, future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return future

    def close(self) -> None:
        """Wait until the transaction that runs ends."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _write_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            kinds: dict[Change[Any, Any], list[tuple[Any, asyncio.Future[Any]]]] = {}
            for change, argument, future in waiting:
                kinds.setdefault(change, []).append((argument, future))
            batch = list(kinds.items())
            try:
                results = await asyncio.get_running_loop().run_in_executor(self._thread, self._run, batch)
            except Exception as error:
                for _, _, future in waiting:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, changes), some in zip(batch, results, strict=True):
                    for (_, future), result in zip(changes, some, strict=True):
                        if not future.done():
                            future.set_result(result)
        self._writing = None

    def _run(
        self, batch: Sequence[tuple[Change[Any, Any], Sequence[tuple[Any, asyncio.Future[Any]]]]]
    ) -> list[Sequence[Any]]:
        def change_all(connection: Connection) -> list[Sequence[Any]]:
            return [change(connection, [argument for argument, _ in changes]) for change, changes in batch]

        return self._database.run(change_all)
