"""The interfaces of work on shards: the task that is sent to each worker, and the worker.

`indexing/embed_worker.py` and `text_reading/text_worker.py` implement them.
"""

from collections.abc import Sequence
from typing import Protocol

from findimg_jobs.store.shards import Shard, ShardStats
from findimg_jobs.tables.source_records import SourceImage


class ShardWorker(Protocol):
    """Holds the models and works through shards, one at a time."""

    def ready(self) -> bool:
        """Return True once the models are loaded."""

    def work(self, shard: Shard) -> ShardStats:
        """Work through a shard, commit it and return its statistics.

        Raises:
            FindimgError: the run cannot go on. Nothing is committed.
        """


class ShardTask(Protocol):
    """What a worker needs besides its shards. It is sent to each worker once."""

    @property
    def memory(self) -> int:
        """Bytes that a worker needs."""

    def open(self, threads: int | None = None) -> ShardWorker:
        """Load the models and return a worker.

        Args:
            threads: number of cores to use. None for all of this machine.
        """

    def make_shard(self, images: Sequence[SourceImage]) -> Shard:
        """Return images as a shard of this task."""

    def commit_as_failed(self, shard: Shard, reason: str) -> ShardStats:
        """Record all images of a shard as failures, because every worker that works on it dies."""
