"""Compact the embedding store: delete shards that nothing needs, and copy small shards together.

Every run with few changes leaves a small shard, and every run reads the keys of all shards. This changes no version.
The command `findimg-jobs compact` merges segments of a version, see `build/merge_policies.py`.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from findimg.errors import LibraryError
from findimg.storage.base import Storage
from findimg_jobs.store.committed_images import CommittedImages, image_keys, read_committed
from findimg_jobs.store.shard_rows import make_table
from findimg_jobs.store.shards import (
    ImageKey,
    ShardStats,
    commit_table,
    make_shard,
    read_table,
    remove_shard,
    uncommit_if_damaged,
)
from findimg_jobs.tables.disk_tables import AnyTable, fetch_number, fetch_query, write_query
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, SourceImage

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
    """The number of rows of a shard that are needed."""

    number: int  # position of the shard in `CommittedImages.shards`
    rows: int

    def __len__(self) -> int:
        return self.rows


def compact_shards(
    storage: Storage,
    fingerprint: str,
    shard_size: int,
    wanted: Sequence[ImageTable] | None = None,
    grace: float = 0.0,
) -> Compaction:
    """Delete the shards that nothing needs, copy many small shards together, and return what was done.

    Rows are copied bit for bit. A new shard is committed before the old ones are deleted, so an interruption loses
    nothing.

    Args:
        storage: the library.
        fingerprint: names the embeddings.
        shard_size: images in a full shard.
        wanted: tables of the images that are needed. None for all images.
        grace: seconds. Rows committed more recently than this are needed as well.

    Raises:
        NotPublishedError: a shard is damaged.
        StorageError: the library cannot be read or written.
    """
    committed = read_committed(storage, fingerprint)
    tables = _needed_rows(committed, wanted, time.time() - grace)
    query = "SELECT shard, count(*) FROM (SELECT shard FROM keys UNION ALL SELECT shard FROM failures) GROUP BY shard"
    counts = np.zeros(len(committed.shards), np.int64)
    numbers, rows = (column.to_numpy() for column in fetch_query(query, tables))
    counts[numbers] = rows
    collected = [committed.shards[number] for number in np.flatnonzero(counts == 0)]
    for shard in collected:
        remove_shard(storage, fingerprint, shard)
    small = [_Needed(number, rows) for number, rows in enumerate(counts.tolist()) if 0 < rows * SMALL < shard_size]
    if len(small) <= MANY:
        return Compaction(len(collected))
    rewritten = written = 0
    for group in in_groups(small, shard_size):
        others = set(committed.shards) - {committed.shards[each.number] for each in group}
        needed = _read_needed(committed, tables, sorted(each.number for each in group))
        if len(group) > 1 and _rewrite(storage, fingerprint, needed, others):
            rewritten += len(group)
            written += 1
    return Compaction(len(collected), rewritten, written)


def is_crowded(committed: CommittedImages, shard_size: int) -> bool:
    """Return whether there are so many small shards that `compact` would copy them together."""
    query = (
        "SELECT count(*) FROM (SELECT shard FROM (SELECT shard FROM keys UNION ALL SELECT shard FROM failures)"
        f" GROUP BY shard HAVING count(*) * {SMALL} >= {shard_size})"
    )
    large = fetch_number(query, {"keys": committed.keys, "failures": committed.failures})
    return len(committed.shards) - large > MANY


def _needed_rows(committed: CommittedImages, wanted: Sequence[ImageTable] | None, old: float) -> dict[str, AnyTable]:
    """Return the needed rows of all shards, as the tables `keys` and `failures`.

    A row can exist twice, for example after an interrupted compaction. One is enough.
    """
    tables: dict[str, AnyTable] = {"keys": committed.keys, "failures": committed.failures}
    pairs = "SELECT uri, version FROM keys WHERE counts UNION SELECT uri, version FROM failures WHERE counts"
    if wanted is not None:
        young = [number for number, modified in enumerate(committed.modified) if modified > old]
        tables["young"] = pa.table({"shard": pa.array(young, pa.int32())})
        parts = [f"SELECT uri, version FROM {name} SEMI JOIN young USING (shard)" for name in ("keys", "failures")]
        for number, images in enumerate(wanted):
            tables[f"wanted_{number}"] = images.file
            parts.append(f"SELECT uri, version FROM wanted_{number}")
        pairs = f"FROM ({pairs}) SEMI JOIN ({' UNION ALL '.join(parts)}) USING (uri, version)"
    tables["pairs"] = write_query(pairs, tables)
    own = "SELECT uri, version, true AS is_own FROM pairs"
    contents = "SELECT DISTINCT sha256, true AS is_wanted FROM keys SEMI JOIN pairs USING (uri, version) WHERE counts"
    keys = write_query(
        f"SELECT keys.* FROM keys LEFT JOIN ({own}) USING (uri, version) LEFT JOIN ({contents}) USING (sha256)"
        " WHERE (counts AND is_own) OR (holds AND is_wanted) ORDER BY shard",
        tables,
    )
    failures = write_query(
        "SELECT failures.* FROM failures SEMI JOIN pairs USING (uri, version)"
        " ANTI JOIN (SELECT uri, version FROM keys WHERE counts) USING (uri, version) WHERE counts ORDER BY shard",
        tables,
    )
    return {"keys": keys, "failures": failures}


@dataclass(frozen=True, slots=True)
class _Group:
    """The needed rows of shards that are copied together."""

    keys: dict[str, list[ImageKey]]  # by shard
    failures: list[Failure]
    shards: list[str]


def _read_needed(committed: CommittedImages, needed: Mapping[str, AnyTable], numbers: Sequence[int]) -> _Group:
    """Return the needed rows of some shards, by their positions in `committed.shards`."""
    tables = {**needed, "chosen": pa.table({"shard": pa.array(numbers, pa.int32())})}
    shards = [committed.shards[number] for number in numbers]
    keys: dict[str, list[ImageKey]] = {}
    for key in image_keys(fetch_query("FROM keys SEMI JOIN chosen USING (shard)", tables), committed.shards):
        keys.setdefault(key.shard, []).append(key)
    query = "SELECT uri, version, reason, transient FROM failures SEMI JOIN chosen USING (shard)"
    return _Group(keys, [Failure.of(row) for row in fetch_query(query, tables).to_pylist()], shards)


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


def _rewrite(storage: Storage, fingerprint: str, group: _Group, others: AbstractSet[str]) -> bool:
    """Copy the needed rows of a group into one new shard, unless one of the `others` has its name."""
    rows = [_rows(storage, fingerprint, shard, keys) for shard, keys in sorted(group.keys.items())]
    table = pa.concat_tables(rows, promote_options="default") if rows else make_table([])
    keys = [key for each in group.keys.values() for key in each]
    images = [SourceImage(key.uri, key.etag) for key in keys]
    images += [SourceImage(failure.uri, failure.etag) for failure in group.failures]
    name = make_shard(tuple(images), fingerprint).name
    if name in others:
        return False
    stats = ShardStats(name, len(keys), sum(key.has_vectors for key in keys), len(group.failures), bytes_read=0)
    table = table.sort_by([("uri", "ascending"), ("version", "ascending")])
    failures = sorted(group.failures, key=lambda failure: (failure.uri, failure.etag))
    commit_table(storage, fingerprint, table, failures, stats)
    for shard in group.shards:
        if shard != name:
            remove_shard(storage, fingerprint, shard)
    return True


def _rows(storage: Storage, fingerprint: str, name: str, keys: Sequence[ImageKey]) -> pa.Table:
    with uncommit_if_damaged(storage, fingerprint, name):
        table = read_table(storage, fingerprint, name)
        pairs = {(key.uri, key.etag) for key in keys}
        mask = [pair in pairs for pair in zip(table["uri"].to_pylist(), table["version"].to_pylist(), strict=True)]
        if sum(mask) < len(pairs):
            raise LibraryError(f"Shard {name} is damaged: {len(pairs) - sum(mask)} images are missing.")
        return table.filter(pa.array(mask))
