"""Embed shards in this process, one after the other."""

from collections.abc import Iterator, Sequence

from findimg_jobs.indexing.embed import Embedder, EmbedTask
from findimg_jobs.store.shards import Shard, Stats


def embed_locally(shards: Sequence[Shard], task: EmbedTask) -> Iterator[Stats]:
    """Embed and commit the shards in this process. Yield the statistics of each one."""
    embedder = Embedder(task)
    for shard in shards:
        yield embedder.embed(shard)
