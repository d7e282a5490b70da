"""Work through shards in this process, one after the other."""

from collections.abc import Iterator

from findimg_jobs.engines.shard_task import ShardTask
from findimg_jobs.store.planned_shards import Shards
from findimg_jobs.store.shards import ShardStats


def run_locally(shards: Shards, task: ShardTask) -> Iterator[ShardStats]:
    """Work through the shards in this process and commit them. Yield the statistics of each one."""
    worker = task.open()
    for shard in shards:
        yield worker.work(shard)
