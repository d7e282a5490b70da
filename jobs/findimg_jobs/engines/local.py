"""The engine without Ray: one process, one shard after the other."""

from collections.abc import Iterator, Sequence

from findimg_jobs.indexing.embed import Embedder, EmbedTask
from findimg_jobs.store.shards import Shard, Stats


def embed_locally(shards: Sequence[Shard], work: EmbedTask) -> Iterator[Stats]:
    """Embeds and commits the shards in this process, yielding what each came to."""
    embedder = Embedder(work)
    for shard in shards:
        yield embedder.embed(shard)
