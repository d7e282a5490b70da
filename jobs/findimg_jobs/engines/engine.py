"""The engine of a run: do its work on Ray, or in this process if the setting `engine` is `local`."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from findimg.settings import Settings
from findimg_jobs.engines.local import run_locally
from findimg_jobs.engines.shard_task import ShardTask
from findimg_jobs.store.planned_shards import Shards
from findimg_jobs.store.shards import ShardStats

In = TypeVar("In")
Out = TypeVar("Out")


class Engine:
    """Works through shards, and maps functions over items, on Ray or in this process.

    Ray starts with the first work that needs it, and stops when the engine is closed.
    """

    def __init__(self, settings: Settings):
        self._local = settings.engine == "local"
        self._address = settings.ray_address
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def joins_cluster(self) -> bool:
        """Whether a Ray cluster is already running, so that tasks do not wait for Ray to start."""
        return not self._local and bool(self._address)

    @property
    def is_local(self) -> bool:
        """Whether all work is done in this process."""
        return self._local

    def run(self, shards: Shards, task: ShardTask) -> Iterator[ShardStats]:
        """Work through shards and commit them. Yield the statistics of each one as it finishes.

        Raises:
            FindimgError: see `run_on_ray`.
        """
        if not len(shards):
            return iter(())
        if self._local:
            return run_locally(shards, task)
        self._connect()
        from findimg_jobs.engines.ray_cluster import run_on_ray

        return run_on_ray(shards, task, self._address)

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """Call a function with every item, in parallel on Ray, and yield the results in order.

        Args:
            function: a function of a module. It may be called again for an item whose worker died.
            items: the arguments.

        Raises:
            FindimgError: an error of the function, or no cluster can be reached.
        """
        if self._local:
            return map(function, items)
        self._connect()
        from findimg_jobs.engines.ray_cluster import map_on_ray

        return map_on_ray(function, items)

    def _connect(self) -> None:
        # Importing Ray takes a second, so a run with nothing to embed does not import it.
        from findimg_jobs.engines.ray_cluster import connected

        self._open.enter_context(connected(self._address))
