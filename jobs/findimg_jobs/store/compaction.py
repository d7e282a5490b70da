"""Compaction: the embedding store loses what nothing refers to, and small shards become full ones.

A night of little change leaves a small shard, and every run reads what all shards hold.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa

from findimg.errors import LibraryError
from findimg.storage.base import Storage
from findimg_jobs.indexing.sources import Failure, SourceImage
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

SMALL = 4  # a shard is small when less than a fourth of a full one is needed of it
MANY = 64  # so many small shards may stay


@dataclass(frozen=True, slots=True)
class Compaction:
    """What compaction did, in shards."""

    collected: int = 0  # removed, for nothing refers to them
    rewritten: int = 0  # removed, for what is needed of them has moved
    written: int = 0  # what has moved is in these


@dataclass(frozen=True, slots=True)
class _Needed:
    """What is needed of a shard."""

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
    """Removes the shards that nothing refers to, and copies many small shards together, bit for bit.

    A new shard is committed before the old ones are removed: interrupted at any moment, nothing is lost.

    Args:
        shard_size: images in a full shard.
        wanted: the images that are referred to; None for all.
        grace: seconds; what was committed later than so long ago is referred to as well.

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
    for group in _grouped(small, shard_size):
        others = {shard.name for shard in shards} - {each.shard.name for each in group}
        if len(group) > 1 and _rewrite(storage, fingerprint, group, others):
            rewritten += len(group)
            written += 1
    return Compaction(len(collected), rewritten, written)


def is_crowded(shards: Iterable[CommittedShard], shard_size: int) -> bool:
    """Whether there are so many small shards that `compact` would copy them together."""
    return sum((len(shard.keys) + len(shard.failures)) * SMALL < shard_size for shard in shards) > MANY


def _needed(
    shards: Sequence[CommittedShard], known: CommittedImages, wanted: AbstractSet[SourceImage] | None, old: float
) -> Iterator[_Needed]:
    pairs = set(known.keys) | set(known.failures)
    if wanted is not None:
        young = {(key.uri, key.version) for shard in shards if shard.modified > old for key in shard.keys}
        young |= {(each.uri, each.version) for shard in shards if shard.modified > old for each in shard.failures}
        pairs &= {(image.uri, image.version) for image in wanted} | young
    hashes = {known.keys[pair].sha256 for pair in pairs if pair in known.keys}
    for shard in shards:
        # Of what is there twice, such as after an interrupted compaction, one is enough.
        keys = [
            key
            for key in shard.keys
            if ((key.uri, key.version) in pairs and known.keys.get((key.uri, key.version)) is key)
            or (key.sha256 in hashes and known.contents[key.sha256] is key)
        ]
        failures = [
            failure
            for failure in shard.failures
            if (pair := (failure.uri, failure.version)) in pairs
            and pair not in known.keys
            and known.failures[pair] is failure
        ]
        yield _Needed(shard, tuple(keys), tuple(failures))


def _grouped(small: Iterable[_Needed], shard_size: int) -> Iterator[list[_Needed]]:
    """Groups shards so that what is needed of each group fits into one."""
    group: list[_Needed] = []
    for each in small:
        if sum(map(len, group)) + len(each) > shard_size:
            yield group
            group = []
        group.append(each)
    yield group


def _rewrite(storage: Storage, fingerprint: str, group: Sequence[_Needed], others: AbstractSet[str]) -> bool:
    """Moves what is needed of a group into one new shard, unless one of the `others` has its name."""
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
            raise LibraryError(f"Shard {name} is damaged: it lacks {len(pairs) - sum(mask)} images.")
        return table.filter(pa.array(mask))
