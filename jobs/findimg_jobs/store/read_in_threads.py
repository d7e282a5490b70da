"""Call a function in threads, a few items ahead of the caller. The stores and the listing read with it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

_READERS = 16  # items that are read at the same time


def read_in_threads(read: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Call a function with every item, in threads up to 16 items ahead, and yield the results in order."""
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(_READERS) as readers:
        for item in items:
            waiting.append(readers.submit(read, item))
            if len(waiting) > _READERS:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()
