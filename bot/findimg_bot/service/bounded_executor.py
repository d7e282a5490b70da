"""Thread pools with a bounded queue, for work that would block the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from findimg_bot.errors import BusyError

T = TypeVar("T")


class BoundedExecutor:
    """A thread pool that refuses work while too much of it is waiting."""

    def __init__(self, name: str, threads: int, capacity: int):
        """Start the pool.

        Args:
            name: prefix of the threads' names.
            threads: number of threads.
            capacity: number of calls that may run or wait at the same time.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._capacity = capacity
        self._pending = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Run blocking work in one of the threads, and return its result.

        Raises:
            BusyError: too many calls are waiting.
        """
        if self._pending >= self._capacity:
            raise BusyError("Too many questions are waiting. Try again in a minute.")
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Cancel waiting work, and wait for running work to end."""
        self._threads.shutdown(wait=True, cancel_futures=True)
