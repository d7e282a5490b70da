"""The embedding store: shards of embedded images.

A shard is committed when its stats.json is written. It is never changed afterwards.
"""

import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from findimg.errors import LibraryError, NotPublishedError, ObjectMissingError
from findimg.images.facts import FACT_COLUMNS, ImageFacts
from findimg.library.layout import shards_prefix
from findimg.storage.base import Storage
from findimg_jobs.keys.records import Failure, SourceImage

In = TypeVar("In")
Out = TypeVar("Out")

TOP_CLASSES = 20
# Columns of vectors.parquet with the facts of content. They are null in a row without content.
_FACTS = {column.name: pa.type_for_alias(column.store_type) for column in FACT_COLUMNS}
_VECTORS: dict[str, type[np.generic]] = {
    "visual": np.float16,
    "classes": np.uint16,
    "probabilities": np.float32,
    "region_classes": np.uint16,
    "region_probabilities": np.float32,
}


KEYS = pa.schema([("uri", pa.string()), ("version", pa.string()), ("sha256", pa.binary(32)), ("embedded", pa.bool_())])
FAILURES = pa.schema(
    [("uri", pa.string()), ("version", pa.string()), ("reason", pa.string()), ("transient", pa.bool_())]
)
_READERS = 16  # shards that are read at the same time


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a plan. It is named after its images, so that equal work has an equal name."""

    name: str
    images: tuple[SourceImage, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The result of decoding and embedding one image."""

    facts: ImageFacts
    visual: NDArray[np.float32]  # float32[dim]
    classes: NDArray[np.uint16] | None = None  # uint16[20], most probable first; None if the encoder has no classes
    probabilities: NDArray[np.float32] | None = None  # float32[20]
    region_classes: NDArray[np.uint16] | None = None  # uint16[20], by `Features.regions`; None without regions
    region_probabilities: NDArray[np.float32] | None = None  # float32[20]


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """One row of a shard's vectors."""

    uri: str
    etag: str
    sha256: str
    content: Content | None  # None if another row holds the same content


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics of one embedded shard."""

    shard: str
    images: int  # rows in vectors.parquet
    embedded: int  # rows that were computed, not copies
    failed: int
    bytes_read: int
    seconds: dict[str, float] = field(default_factory=dict)  # by stage, summed over threads
    retries: int = 0  # requests to S3 that were retried
    incomplete: int = 0  # rows of files whose end is missing
    memory: int = 0  # bytes, the worker's peak so far
    second: "Stats | None" = None  # of a second encoder that embedded the same images
    alone: tuple[SourceImage, ...] = ()  # images that each of two encoders must try alone


@dataclass(frozen=True, slots=True)
class ImageKey:
    """One image of the store, without its vectors."""

    uri: str
    etag: str
    sha256: str
    embedded: bool  # its vectors are in this row
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


def name_shard(images: tuple[SourceImage, ...], fingerprint: str) -> Shard:
    """Return a shard, named after the hash of the fingerprint and its sorted (URI, etag) pairs."""
    pairs = [(image.uri, image.etag) for image in sorted(images)]
    digest = hashlib.sha256(json.dumps([fingerprint, pairs]).encode()).hexdigest()
    return Shard(digest[:24], images)


def commit_shard(
    storage: Storage, fingerprint: str, rows: Sequence[EmbeddedImage], failures: Sequence[Failure], stats: Stats
) -> None:
    """Write a shard. Its stats.json is written last and commits it.

    Raises:
        StorageError: the library cannot be written. The shard is not committed.
    """
    commit_table(storage, fingerprint, make_table(rows), failures, stats)


def commit_table(
    storage: Storage, fingerprint: str, table: pa.Table, failures: Sequence[Failure], stats: Stats
) -> None:
    """Write a shard, like `commit_shard`, with rows from `read_table`."""
    folder = shard_folder(fingerprint, stats.shard)
    # A shard that is embedded again must not count while its files are from two attempts.
    uncommit(storage, fingerprint, stats.shard)
    buffer = io.BytesIO()
    # Vectors hardly repeat and nobody filters by them. Dictionaries and statistics would take longer than writing.
    others = [name for name in table.column_names if name not in _VECTORS]
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
    yield from filter(None, read_ahead(lambda each: read_shard(storage, fingerprint, *each), found))


def read_ahead(read: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Call a function with every item, in threads a few items ahead of the caller, and yield the results in order."""
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(_READERS) as readers:
        for item in items:
            waiting.append(readers.submit(read, item))
            if len(waiting) > _READERS:
                yield waiting.popleft().result()
        for future in waiting:
            yield future.result()


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


def read_vectors(storage: Storage, fingerprint: str, shard: str) -> Iterator[tuple[str, Content]]:
    """Yield (SHA-256, Content) for the rows of a committed shard that have vectors.

    Raises:
        LibraryError: the shard is damaged.
    """
    table = read_table(storage, fingerprint, shard)
    table = table.filter(holds_vectors(table))
    if not len(table):
        return
    matrices = {name: _matrix(table[name]) for name in _VECTORS if name in table.column_names}
    for i, values in enumerate(with_facts(table).select(["sha256", *_FACTS]).to_pylist()):
        sha256 = values.pop("sha256")
        yield sha256, Content(ImageFacts(**values), **{name: matrix[i] for name, matrix in matrices.items()})


@dataclass(frozen=True, slots=True, eq=False)
class ContentRows:
    """The content of n images of a shard, one row each."""

    facts: pa.Table  # n rows with the columns of `ImageFacts`
    # Each [n, length]: visual, and also the classes, probabilities and regions that the encoder has. A row that was
    # embedded before the encoder had regions has zeros there.
    vectors: dict[str, NDArray[Any]]


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
        vectors = {name: _matrix(table[name])[rows] for name in _VECTORS if name in table.column_names}
        return ContentRows(with_facts(table).select(list(_FACTS)).take(rows), vectors)


def with_facts(table: pa.Table) -> pa.Table:
    """Return a table with all columns of facts. Shards of older releases lack some of them."""
    for name, kind in _FACTS.items():
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), kind))
    return table


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


def make_table(rows: Sequence[EmbeddedImage]) -> pa.Table:
    """Return the columns of vectors.parquet. The vector columns are left out if no row has vectors."""
    columns = {
        column: pa.array([getattr(row, name) for row in rows], pa.string())
        for column, name in (("uri", "uri"), ("version", "etag"), ("sha256", "sha256"))
    }
    for name, kind in _FACTS.items():
        columns[name] = pa.array([getattr(row.content.facts, name) if row.content else None for row in rows], kind)
    for name, dtype in _VECTORS.items():
        vectors = [getattr(row.content, name) if row.content else None for row in rows]
        if any(vector is not None for vector in vectors):
            columns[name] = _vectors(vectors, dtype)
    return pa.table(columns)


def holds_vectors(table: pa.Table) -> pa.Array:
    """Return which rows have vectors, bool[rows]."""
    if "visual" not in table.column_names:
        return pa.array([False] * len(table), pa.bool_())
    return pa.compute.is_valid(table["visual"])


def _vectors(values: Sequence[NDArray[Any] | None], dtype: type[np.generic]) -> pa.Array:
    """Return a Parquet column of vectors of one length. A row without a vector is null."""
    length = next(len(v) for v in values if v is not None)
    filled: NDArray[Any] = np.zeros((len(values), length), dtype)
    for i, value in enumerate(values):
        if value is not None:
            filled[i] = value
    missing = pa.array([v is None for v in values], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(filled.ravel()), length, mask=missing)


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a Parquet column of vectors as a matrix. A row without a vector is zero."""
    whole = column.combine_chunks()
    valid = np.asarray(whole.is_valid())
    vectors: NDArray[Any] = whole.flatten().to_numpy(zero_copy_only=False).reshape(valid.sum(), -1)
    if valid.all():
        return vectors
    matrix = np.zeros((len(whole), vectors.shape[1]), vectors.dtype)
    matrix[valid] = vectors
    return matrix
