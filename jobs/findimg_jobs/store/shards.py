"""The embedding store: shards of embedded images.

A shard is committed when its stats.json is written. Runs never change it afterwards. Only `read-captions` writes it
again, with facts that it lacked.
"""

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from findimg.errors import LibraryError, NotPublishedError, ObjectMissingError
from findimg.library.layout import shards_prefix
from findimg.storage.base import Storage
from findimg_jobs.store.read_in_threads import read_in_threads
from findimg_jobs.store.shard_rows import (
    VECTORS,
    ContentRows,
    EmbeddedContent,
    ShardRow,
    content_rows,
    contents_of,
    holds_vectors,
    make_table,
)
from findimg_jobs.tables.source_records import Failure, SourceImage

# `version` is an etag, see `tables/source_records.py`.
KEYS = pa.schema([("uri", pa.string()), ("version", pa.string()), ("sha256", pa.binary(32)), ("embedded", pa.bool_())])
FAILURES = pa.schema(
    [("uri", pa.string()), ("version", pa.string()), ("reason", pa.string()), ("transient", pa.bool_())]
)


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a plan. It is named after its images, so that equal work has an equal name."""

    name: str
    images: tuple[SourceImage, ...]


@dataclass(frozen=True, slots=True)
class ShardStats:
    """The statistics of one shard, as its stats.json has them."""

    shard: str
    images: int  # rows in vectors.parquet
    embedded: int  # rows that were computed, not copies
    failed: int  # images that failed; each is a row of failures.jsonl
    bytes_read: int
    seconds: dict[str, float] = field(default_factory=dict)  # by stage, summed over threads
    retries: int = 0  # requests to storages that were retried
    incomplete: int = 0  # rows of files whose end is missing
    memory: int = 0  # bytes, the worker's peak so far
    second: "ShardStats | None" = None  # of a second encoder that embedded the same images
    alone: tuple[SourceImage, ...] = ()  # images of a shard that two encoders gave up; each of them tries alone


@dataclass(frozen=True, slots=True)
class ImageKey:
    """One image of the store, without its vectors."""

    uri: str
    etag: str
    sha256: str
    has_vectors: bool  # whether its vectors are in this row; False for a copy
    shard: str


@dataclass(frozen=True, slots=True, eq=False)
class CommittedShard:
    """A committed shard without its vectors."""

    name: str
    modified: float  # time of the commit, seconds since the epoch
    key_table: pa.Table  # of KEYS
    failure_table: pa.Table  # of FAILURES

    @property
    def keys(self) -> tuple[ImageKey, ...]:
        """The rows of vectors.parquet."""
        return tuple(
            ImageKey(row["uri"], row["version"], row["sha256"].hex(), row["embedded"], self.name)
            for row in self.key_table.to_pylist()
        )

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The images that cannot be read."""
        return tuple(Failure.of(row) for row in self.failure_table.to_pylist())


def fingerprints(storage: Storage) -> set[str]:
    """Return the fingerprints of all encoders that the library has embeddings of."""
    return {entry.key.split("/")[1] for entry in storage.list("embeddings")}


def make_shard(images: tuple[SourceImage, ...], fingerprint: str) -> Shard:
    """Return images as a shard, named after the hash of the fingerprint and its sorted (URI, etag) pairs."""
    pairs = [(image.uri, image.etag) for image in sorted(images)]
    digest = hashlib.sha256(json.dumps([fingerprint, pairs]).encode()).hexdigest()
    return Shard(digest[:24], images)


def commit_shard(
    storage: Storage, fingerprint: str, rows: Sequence[ShardRow], failures: Sequence[Failure], stats: ShardStats
) -> None:
    """Write a shard. Its stats.json is written last and commits it.

    Raises:
        StorageError: the library cannot be written. The shard is not committed.
    """
    commit_table(storage, fingerprint, make_table(rows), failures, stats)


def commit_table(
    storage: Storage, fingerprint: str, table: pa.Table, failures: Sequence[Failure], stats: ShardStats
) -> None:
    """Write a shard, like `commit_shard`, with rows from `read_table`."""
    folder = shard_folder(fingerprint, stats.shard)
    # A shard that is embedded again must not count while its files are from two attempts.
    uncommit(storage, fingerprint, stats.shard)
    buffer = io.BytesIO()
    # Vectors hardly repeat and nobody filters by them. Dictionaries and statistics would take longer than writing.
    others = [name for name in table.column_names if name not in VECTORS]
    pq.write_table(table, buffer, compression="zstd", use_dictionary=others, write_statistics=others)
    storage.write(f"{folder}/vectors.parquet", buffer.getvalue())
    storage.write(f"{folder}/failures.jsonl", "".join(json.dumps(f.row()) + "\n" for f in failures).encode())
    columns = [table[name].to_pylist() for name in ("uri", "version", "sha256")]
    keys = list(zip(*columns, holds_vectors(table).to_pylist(), strict=True))
    counts = {name: value for name, value in asdict(stats).items() if name not in ("second", "alone")}
    storage.write(f"{folder}/stats.json", json.dumps(counts | {"keys": keys}).encode())


def remove_shard(storage: Storage, fingerprint: str, shard: str) -> None:
    """Delete a shard."""
    # A partly deleted shard must not count.
    uncommit(storage, fingerprint, shard)
    storage.clear(shard_folder(fingerprint, shard))


def uncommit(storage: Storage, fingerprint: str, shard: str) -> None:
    """Delete the commit of a shard, so that its images are embedded again."""
    storage.delete(f"{shard_folder(fingerprint, shard)}/stats.json")


@contextmanager
def uncommit_if_damaged(storage: Storage, fingerprint: str, shard: str) -> Iterator[None]:
    """Uncommit a shard when the block inside finds that it is damaged.

    Raises:
        NotPublishedError: the shard is damaged. The next run embeds it again.
    """
    try:
        yield
    except LibraryError as error:
        uncommit(storage, fingerprint, shard)
        raise NotPublishedError(f"{error} Run index again: it embeds the images of this shard again.") from error


def read_shards(storage: Storage, fingerprint: str) -> Iterator[CommittedShard]:
    """Yield all committed shards in the order of their names. A few are read ahead. One without stats.json is ignored.

    Raises:
        StorageError: the library cannot be read.
    """
    prefix = shards_prefix(fingerprint)
    found = sorted((e.key.split("/")[2], e.modified) for e in storage.list(prefix) if e.key.endswith("/stats.json"))
    yield from filter(None, read_in_threads(lambda each: read_shard(storage, fingerprint, *each), found))


def read_table(storage: Storage, fingerprint: str, shard: str) -> pa.Table:
    """Return all rows of a committed shard.

    Raises:
        LibraryError: the shard is damaged.
    """
    key = f"{shard_folder(fingerprint, shard)}/vectors.parquet"
    try:
        return pq.read_table(io.BytesIO(storage.read(key)))
    except (ObjectMissingError, pa.ArrowException) as error:
        raise LibraryError(f"{storage.uri(key)} is missing or damaged: {error}.") from error


def read_vectors(storage: Storage, fingerprint: str, shard: str) -> Iterator[tuple[str, EmbeddedContent]]:
    """Yield (SHA-256, EmbeddedContent) for the rows of a committed shard that have vectors.

    Raises:
        LibraryError: the shard is damaged.
    """
    table = read_table(storage, fingerprint, shard)
    table = table.filter(holds_vectors(table))
    if not len(table):
        return
    yield from zip(table["sha256"].to_pylist(), contents_of(table), strict=True)


def read_rows(storage: Storage, fingerprint: str, shard: str, hashes: Sequence[str]) -> ContentRows:
    """Return a shard's content for the given SHA-256, in the order of `hashes`. Hashes may repeat.

    Raises:
        NotPublishedError: the shard is damaged. It was uncommitted.
    """
    with uncommit_if_damaged(storage, fingerprint, shard):
        table = read_table(storage, fingerprint, shard)
        table = table.filter(holds_vectors(table))
        row_of = {sha256: row for row, sha256 in enumerate(table["sha256"].to_pylist())}
        missing = {sha256 for sha256 in hashes if sha256 not in row_of}
        if missing:
            raise LibraryError(f"Shard {shard} is damaged: {len(missing)} images are missing.")
        rows = np.asarray([row_of[sha256] for sha256 in hashes])
        return content_rows(table, rows)


def shard_folder(fingerprint: str, shard: str) -> str:
    """Return the folder of a shard in its library."""
    return f"{shards_prefix(fingerprint)}/{shard}"


def read_shard(storage: Storage, fingerprint: str, name: str, modified: float = 0.0) -> CommittedShard | None:
    """Return a shard, or None if its files are damaged, for example by a power cut. Then it is embedded again.

    Args:
        storage: the library.
        fingerprint: names the embeddings.
        name: the shard's.
        modified: time of its commit, if the caller knows it.
    """
    folder = shard_folder(fingerprint, name)
    try:
        stats = json.loads(storage.read(f"{folder}/stats.json"))
        lines = storage.read(f"{folder}/failures.jsonl").splitlines() if stats["failed"] else []
        columns = list(zip(*stats["keys"], strict=True)) or [(), (), (), ()]
        columns[2] = tuple(map(bytes.fromhex, columns[2]))
        keys = pa.table([pa.array(column, field.type) for column, field in zip(columns, KEYS, strict=True)], KEYS)
        failures = pa.Table.from_pylist([Failure.of(json.loads(line)).row() for line in lines], FAILURES)
        return CommittedShard(name, modified, keys, failures)
    except (ValueError, TypeError, KeyError, pa.ArrowException, ObjectMissingError):
        return None
