"""The embedding store: shards of embedded images, committed by their stats.json, never changed afterwards."""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from findimg.errors import LibraryError, NotPublishedError, ObjectMissingError
from findimg.library.library import shards_prefix
from findimg.storage.base import Storage
from findimg_jobs.indexing.sources import Failure, SourceImage

TOP_CLASSES = 20
# The columns of vectors.parquet that tell of content, null where a row has none.
_PLAIN = {
    "width": pa.int32(),
    "height": pa.int32(),
    "format": pa.string(),
    "bytes": pa.int64(),
    "taken": pa.timestamp("s"),
}
_VECTORS: dict[str, type[np.generic]] = {"visual": np.float16, "classes": np.uint16, "probabilities": np.float32}


@dataclass(frozen=True, slots=True)
class Shard:
    """A piece of a plan; its name says what is in it, so equal work has an equal name."""

    name: str
    images: tuple[SourceImage, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What decoding and embedding an image gave."""

    width: int  # pixels, upright
    height: int
    format: str
    bytes: int
    taken: datetime | None
    visual: NDArray[np.float32]  # float32[dim]
    classes: NDArray[np.uint16] | None = None  # uint16[20], most probable first; None for a backbone without classes
    probabilities: NDArray[np.float32] | None = None  # float32[20]


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """One row of a shard's vectors."""

    uri: str
    version: str
    sha256: str
    content: Content | None  # None when the same content was embedded elsewhere


@dataclass(frozen=True, slots=True)
class Stats:
    """What embedding a shard came to."""

    shard: str
    images: int  # rows in vectors.parquet
    embedded: int  # of these, really computed
    failed: int
    bytes_read: int
    seconds: dict[str, float] = field(default_factory=dict)  # by stage, added over threads
    retries: int = 0  # requests that S3 was asked again
    memory: int = 0  # bytes that the worker held at its peak, until then


@dataclass(frozen=True, slots=True)
class ImageKey:
    """What the store knows of one image without its vectors."""

    uri: str
    version: str
    sha256: str
    embedded: bool  # its vectors are in this very row
    shard: str


@dataclass(frozen=True, slots=True)
class CommittedShard:
    """A committed shard without its vectors."""

    name: str
    keys: tuple[ImageKey, ...]
    failures: tuple[Failure, ...]
    modified: float  # when it was committed, seconds since the epoch


def make_shards(images: Iterable[SourceImage], fingerprint: str, size: int) -> list[Shard]:
    """Cuts images into shards of at most `size`, in URI order."""
    ordered = sorted(images)
    pieces = [tuple(ordered[start : start + size]) for start in range(0, len(ordered), size)]
    return [name_shard(piece, fingerprint) for piece in pieces]


def name_shard(images: tuple[SourceImage, ...], fingerprint: str) -> Shard:
    """Names a shard by the hash of the fingerprint and its sorted (URI, version) pairs."""
    pairs = [(image.uri, image.version) for image in sorted(images)]
    digest = hashlib.sha256(json.dumps([fingerprint, pairs]).encode()).hexdigest()
    return Shard(digest[:24], images)


def commit_shard(
    storage: Storage, fingerprint: str, rows: Sequence[EmbeddedImage], failures: Sequence[Failure], stats: Stats
) -> None:
    """Writes a shard; stats.json comes last, and only with it the shard counts.

    Raises:
        StorageError: the library cannot be written; the shard is not committed.
    """
    commit_table(storage, fingerprint, make_table(rows), failures, stats)


def commit_table(
    storage: Storage, fingerprint: str, table: pa.Table, failures: Sequence[Failure], stats: Stats
) -> None:
    """Like `commit`, with rows that `read_table` read."""
    folder = shard_folder(fingerprint, stats.shard)
    # A shard that is done again must not count while its files belong to two tries.
    storage.delete(f"{folder}/stats.json")
    buffer = io.BytesIO()
    # Vectors hardly repeat, and nobody asks for their extremes: looking for either takes longer than writing them.
    plain = [name for name in table.column_names if name not in _VECTORS]
    pq.write_table(table, buffer, compression="zstd", use_dictionary=plain, write_statistics=plain)
    storage.write(f"{folder}/vectors.parquet", buffer.getvalue())
    storage.write(f"{folder}/failures.jsonl", "".join(json.dumps(asdict(f)) + "\n" for f in failures).encode())
    told = [table[name].to_pylist() for name in ("uri", "version", "sha256")]
    keys = list(zip(*told, holds_vectors(table).to_pylist(), strict=True))
    storage.write(f"{folder}/stats.json", json.dumps(asdict(stats) | {"keys": keys}).encode())


def remove_shard(storage: Storage, fingerprint: str, shard: str) -> None:
    """Removes a shard."""
    # What is half removed must not count.
    uncommit(storage, fingerprint, shard)
    storage.clear(shard_folder(fingerprint, shard))


def uncommit(storage: Storage, fingerprint: str, shard: str) -> None:
    """Makes a shard count no longer; its images will be embedded again."""
    storage.delete(f"{shard_folder(fingerprint, shard)}/stats.json")


@contextmanager
def uncommit_if_damaged(storage: Storage, fingerprint: str, shard: str) -> Iterator[None]:
    """Uncommits a shard that turns out to be damaged.

    Raises:
        NotPublishedError: it was; the next run mends it.
    """
    try:
        yield
    except LibraryError as error:
        uncommit(storage, fingerprint, shard)
        raise NotPublishedError(f"{error} Run index again: it embeds the images of this shard again.") from error


@dataclass(frozen=True, slots=True)
class CommittedImages:
    """Everything committed for one fingerprint, without vectors."""

    keys: dict[tuple[str, str], ImageKey]  # by (URI, version)
    contents: dict[str, ImageKey]  # by SHA-256, the row that holds the vectors
    failures: dict[tuple[str, str], Failure]  # by (URI, version)

    def embedded(self, image: SourceImage) -> bool:
        """Whether the image's vectors are there."""
        return (image.uri, image.version) in self.keys

    def settled(self, image: SourceImage) -> bool:
        """Whether another try would give nothing new: the image is embedded, or broken for good."""
        pair = image.uri, image.version
        return self.embedded(image) or (pair in self.failures and not self.failures[pair].transient)

    def failures_among(self, images: Iterable[SourceImage]) -> list[Failure]:
        """The failures of those images that are not embedded."""
        pairs = ((image.uri, image.version) for image in images)
        return [self.failures[pair] for pair in pairs if pair not in self.keys and pair in self.failures]


def read_committed(storage: Storage, fingerprint: str) -> CommittedImages:
    """Reads what is committed; a shard without stats.json does not exist."""
    return combine_shards(read_shards(storage, fingerprint))


def read_shards(storage: Storage, fingerprint: str) -> list[CommittedShard]:
    """Reads all committed shards, in the order of their names."""
    prefix = shards_prefix(fingerprint)
    found = sorted((e.key.split("/")[2], e.modified) for e in storage.list(prefix) if e.key.endswith("/stats.json"))
    with ThreadPoolExecutor(16) as readers:
        shards = readers.map(lambda each: _read_shard(storage, fingerprint, *each), found)
        return [shard for shard in shards if shard]


def combine_shards(shards: Iterable[CommittedShard]) -> CommittedImages:
    """Puts together what shards hold."""
    known = CommittedImages({}, {}, {})
    for shard in shards:
        for key in shard.keys:
            known.keys[key.uri, key.version] = key
            if key.embedded:
                known.contents.setdefault(key.sha256, key)
        for failure in shard.failures:
            # Of two tries the one that settled the matter counts.
            if not failure.transient or (failure.uri, failure.version) not in known.failures:
                known.failures[failure.uri, failure.version] = failure
    # A row that points to content whose vectors are gone is as good as absent: it must be embedded again.
    for pair in [pair for pair, key in known.keys.items() if key.sha256 not in known.contents]:
        del known.keys[pair]
    return known


def read_table(storage: Storage, fingerprint: str, shard: str) -> pa.Table:
    """Reads all rows of a committed shard.

    Raises:
        LibraryError: it is damaged.
    """
    key = f"{shard_folder(fingerprint, shard)}/vectors.parquet"
    try:
        return pq.read_table(io.BytesIO(storage.read(key)))
    except (ObjectMissingError, pa.ArrowException) as error:
        raise LibraryError(f"{storage.uri(key)} is missing or damaged: {error}.") from error


def read_vectors(storage: Storage, fingerprint: str, shard: str) -> Iterator[tuple[str, Content]]:
    """Yields (SHA-256, Content) for the rows of a committed shard that hold vectors.

    Raises:
        LibraryError: the shard is damaged.
    """
    table = read_table(storage, fingerprint, shard)
    table = table.filter(holds_vectors(table))
    if not len(table):
        return
    matrices = {name: _matrix(table[name]) for name in _VECTORS if name in table.column_names}
    for i, values in enumerate(table.select(["sha256", *_PLAIN]).to_pylist()):
        sha256 = values.pop("sha256")
        yield sha256, Content(**values, **{name: matrix[i] for name, matrix in matrices.items()})


@dataclass(frozen=True, slots=True, eq=False)
class ContentRows:
    """What a shard holds of n images, a row each."""

    plain: pa.Table  # n rows: width, height, format, bytes, taken
    vectors: dict[str, NDArray[Any]]  # each [n, length]: visual, and for a backbone with classes classes, probabilities


def read_rows(storage: Storage, fingerprint: str, shard: str, hashes: Sequence[str]) -> ContentRows:
    """Reads what a shard holds of the images with these SHA-256, in the order of `hashes`, which may repeat one.

    Raises:
        NotPublishedError: the shard is damaged, and counts no longer.
    """
    with uncommit_if_damaged(storage, fingerprint, shard):
        table = read_table(storage, fingerprint, shard)
        table = table.filter(holds_vectors(table))
        row_of = {sha256: row for row, sha256 in enumerate(table["sha256"].to_pylist())}
        missing = {sha256 for sha256 in hashes if sha256 not in row_of}
        if missing:
            raise LibraryError(f"Shard {shard} is damaged: it lacks {len(missing)} images.")
        rows = np.asarray([row_of[sha256] for sha256 in hashes])
        vectors = {name: _matrix(table[name])[rows] for name in _VECTORS if name in table.column_names}
        return ContentRows(table.select(list(_PLAIN)).take(rows), vectors)


def shard_folder(fingerprint: str, shard: str) -> str:
    """Where a shard lies in a library."""
    return f"{shards_prefix(fingerprint)}/{shard}"


def _read_shard(storage: Storage, fingerprint: str, name: str, modified: float) -> CommittedShard | None:
    """A shard; None when its files cannot be understood, as a power cut may leave them: its images are done again."""
    folder = shard_folder(fingerprint, name)
    try:
        stats = json.loads(storage.read(f"{folder}/stats.json"))
        lines = storage.read(f"{folder}/failures.jsonl").splitlines() if stats["failed"] else []
        keys = tuple(ImageKey(uri, version, sha256, has, name) for uri, version, sha256, has in stats["keys"])
        return CommittedShard(name, keys, tuple(Failure(**json.loads(line)) for line in lines), modified)
    except (ValueError, TypeError, KeyError, ObjectMissingError):
        return None


def make_table(rows: Sequence[EmbeddedImage]) -> pa.Table:
    """The columns of vectors.parquet; those of vectors are left out when no row has any."""
    columns = {
        name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in ("uri", "version", "sha256")
    }
    for name, kind in _PLAIN.items():
        columns[name] = pa.array([getattr(row.content, name) if row.content else None for row in rows], kind)
    for name, dtype in _VECTORS.items():
        vectors = [getattr(row.content, name) if row.content else None for row in rows]
        if any(vector is not None for vector in vectors):
            columns[name] = _vectors(vectors, dtype)
    return pa.table(columns)


def holds_vectors(table: pa.Table) -> pa.Array:
    """Which rows hold vectors, bool[rows]."""
    if "visual" not in table.column_names:
        return pa.array([False] * len(table), pa.bool_())
    return pa.compute.is_valid(table["visual"])


def _vectors(values: Sequence[NDArray[Any] | None], dtype: type[np.generic]) -> pa.Array:
    """A Parquet column of vectors of one length, null where there is none."""
    length = next(len(v) for v in values if v is not None)
    filled: NDArray[Any] = np.zeros((len(values), length), dtype)
    for i, value in enumerate(values):
        if value is not None:
            filled[i] = value
    missing = pa.array([v is None for v in values], pa.bool_())
    return pa.FixedSizeListArray.from_arrays(pa.array(filled.ravel()), length, mask=missing)


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    whole = column.combine_chunks()
    matrix: NDArray[Any] = whole.flatten().to_numpy(zero_copy_only=False).reshape(len(whole), -1)
    return matrix
