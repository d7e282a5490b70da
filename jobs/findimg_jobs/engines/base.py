"""The engines that run the work of a plan: Ray, or this process alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from findimg.settings import Settings
from findimg_jobs.engines.local import embed_locally
from findimg_jobs.indexing.embed import EmbedTask
from findimg_jobs.store.shards import Shard, Stats

In = TypeVar("In")
Out = TypeVar("Out")


class Engine:
    """Where the work of a run is done. Ray starts with the first work that needs it, and ends with the run."""

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
    def is_cluster(self) -> bool:
        """Whether there is a running cluster to join, so that work done there costs no start of Ray."""
        return not self._local and bool(self._address)

    @property
    def is_local(self) -> bool:
        """Whether everything is done in this process."""
        return self._local

    def embed(self, shards: Sequence[Shard], work: EmbedTask) -> Iterator[Stats]:
        """Embeds and commits shards, yielding what each came to, in the order in which they finish.

        Raises:
            FindimgError: see `embed_on_ray`.
        """
        if not shards:
            return iter(())
        if self._local:
            return embed_locally(shards, work)
        self._join()
        from findimg_jobs.engines.cluster import embed_on_ray

        return embed_on_ray(shards, work, self._address)

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
        """Calls a function with every item, side by side, and yields the results in order.

        Args:
            function: of a module; doing it twice must do no harm.

        Raises:
            FindimgError: what the function raised, or no cluster answers.
        """
        if self._local:
            return map(function, items)
        self._join()
        from findimg_jobs.engines.cluster import map_on_ray

        return map_on_ray(function, items)

    def _join(self) -> None:
        # Imported here because Ray takes a second, which a run with nothing to do need not wait for.
        from findimg_jobs.engines.cluster import connected

        self._open.enter_context(connected(self._address))
