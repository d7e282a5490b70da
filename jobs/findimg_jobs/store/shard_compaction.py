"""Compact the embedding store: delete shards that nothing needs, and copy small shards together.

Every run with few changes leaves a small shard, and every run reads the keys of all shards.
"""

import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from findimg.errors import LibraryError
from findimg.storage.base import Storage
from findimg_jobs.indexing.records import Failure, SourceImage
from findimg_jobs.store.shards import (
    CommittedImages,
    CommittedShard,
    ImageKey,
    Stats,
    combine_shards,
    commit_table,
    make_table,
    name_shard,
    read_shards,
    read_table,
    remove_shard,
    uncommit_if_damaged,
)

SMALL = 4  # a shard is small if its needed rows fill less than a fourth of a full shard
MANY = 64  # number of small shards that may stay
_Small = TypeVar("_Small", bound=Sized)


@dataclass(frozen=True, slots=True)
class Compaction:
    """What compaction did, as numbers of shards."""

    collected: int = 0  # deleted because nothing needs them
    rewritten: int = 0  # deleted because their needed rows were copied
    written: int = 0  # new shards with the copied rows


@dataclass(frozen=True, slots=True)
class _Needed:
    """The rows of a shard that are needed."""

    shard: CommittedShard
    keys: tuple[ImageKey, ...]
    failures: tuple[Failure, ...]

    def __len__(self) -> int:
        return len(self.keys) + len(self.failures)


def compact(
    storage: Storage,
    fingerprint: str,
    shard_size: int,
    wanted: AbstractSet[SourceImage] | None = None,
    grace: float = 0.0,
) -> Compaction:
    """Delete the shards that nothing needs, copy many small shards together, and return what was done.

    Rows are copied bit for bit. A new shard is committed before the old ones are deleted, so an interruption loses
    nothing.

    Args:
        storage: the library.
        fingerprint: names the embeddings.
        shard_size: images in a full shard.
        wanted: the images that are needed. None for all.
        grace: seconds. Rows committed more recently than this are needed as well.

    Raises:
        NotPublishedError: a shard is damaged.
        StorageError: the library cannot be read or written.
    """
    shards = read_shards(storage, fingerprint)
    needed = list(_needed(shards, combine_shards(shards), wanted, time.time() - grace))
    collected = [each.shard for each in needed if not len(each)]
    for shard in collected:
        remove_shard(storage, fingerprint, shard.name)
    small = [each for each in needed if 0 < len(each) * SMALL < shard_size]
    if len(small) <= MANY:
        return Compaction(len(collected))
    rewritten = written = 0
    for group in in_groups(small, shard_size):
        others = {shard.name for shard in shards} - {each.shard.name for each in group}
        if len(group) > 1 and _rewrite(storage, fingerprint, group, others):
            rewritten += len(group)
            written += 1
    return Compaction(len(collected), rewritten, written)


def is_crowded(shards: Iterable[CommittedShard], shard_size: int) -> bool:
    """Return whether there are so many small shards that `compact` would copy them together."""
    return sum((len(shard.keys) + len(shard.failures)) * SMALL < shard_size for shard in shards) > MANY


def _needed(
    shards: Sequence[CommittedShard], committed: CommittedImages, wanted: AbstractSet[SourceImage] | None, old: float
) -> Iterator[_Needed]:
    pairs = set(committed.keys) | set(committed.failures)
    if wanted is not None:
        young = {(key.uri, key.version) for shard in shards if shard.modified > old for key in shard.keys}
        young |= {(each.uri, each.version) for shard in shards if shard.modified > old for each in shard.failures}
        pairs &= {(image.uri, image.version) for image in wanted} | young
    hashes = {committed.keys[pair].sha256 for pair in pairs if pair in committed.keys}
    for shard in shards:
        # A row can exist twice, for example after an interrupted compaction. One is enough.
        keys = [
            key
            for key in shard.keys
            if ((key.uri, key.version) in pairs and committed.keys.get((key.uri, key.version)) is key)
            or (key.sha256 in hashes and committed.contents[key.sha256] is key)
        ]
        failures = [
            failure
            for failure in shard.failures
            if (pair := (failure.uri, failure.version)) in pairs
            and pair not in committed.keys
            and committed.failures[pair] is failure
        ]
        yield _Needed(shard, tuple(keys), tuple(failures))


def in_groups(shards: Iterable[_Small], size: int) -> Iterator[list[_Small]]:
    """Yield shards in groups of which each fits into one shard.

    Args:
        shards: their length is the number of their needed rows, less than `size`.
        size: rows of a shard.
    """
    group: list[_Small] = []
    for shard in shards:
        if sum(map(len, group)) + len(shard) > size:
            yield group
            group = []
        group.append(shard)
    yield group


def _rewrite(storage: Storage, fingerprint: str, group: Sequence[_Needed], others: AbstractSet[str]) -> bool:
    """Copy the needed rows of a group into one new shard, unless one of the `others` has its name."""
    failures = [failure for each in group for failure in each.failures]
    rows = [_rows(storage, fingerprint, each) for each in group if each.keys]
    table = pa.concat_tables(rows, promote_options="default") if rows else make_table([])
    keys = [key for each in group for key in each.keys]
    images = [SourceImage(key.uri, key.version) for key in keys]
    images += [SourceImage(failure.uri, failure.version) for failure in failures]
    name = name_shard(tuple(images), fingerprint).name
    if name in others:
        return False
    stats = Stats(name, len(keys), sum(key.embedded for key in keys), len(failures), bytes_read=0)
    commit_table(storage, fingerprint, table.sort_by([("uri", "ascending"), ("version", "ascending")]), failures, stats)
    for each in group:
        if each.shard.name != name:
            remove_shard(storage, fingerprint, each.shard.name)
    return True


def _rows(storage: Storage, fingerprint: str, needed: _Needed) -> pa.Table:
    name = needed.shard.name
    with uncommit_if_damaged(storage, fingerprint, name):
        table = read_table(storage, fingerprint, name)
        pairs = {(key.uri, key.version) for key in needed.keys}
        mask = [pair in pairs for pair in zip(table["uri"].to_pylist(), table["version"].to_pylist(), strict=True)]
        if sum(mask) < len(pairs):
            raise LibraryError(f"Shard {name} is damaged: {len(pairs) - sum(mask)} images are missing.")
        return table.filter(pa.array(mask))
