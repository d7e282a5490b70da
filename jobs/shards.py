"""The embedding store: shards of embedded images, committed by their stats.json, never changed afterwards."""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from jobs.sources import Failure, SourceImage
from shared.library import shards_prefix
from shared.storage import Storage

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
class Embedded:
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


@dataclass(frozen=True, slots=True)
class Key:
    """What the store knows of one image without its vectors."""

    uri: str
    version: str
    sha256: str
    embedded: bool  # its vectors are in this very row
    shard: str
    row: int


def cut(images: Iterable[SourceImage], fingerprint: str, size: int) -> list[Shard]:
    """Cuts images into shards of at most `size`, in URI order."""
    ordered = sorted(images)
    pieces = [tuple(ordered[start : start + size]) for start in range(0, len(ordered), size)]
    return [name_shard(piece, fingerprint) for piece in pieces]


def name_shard(images: tuple[SourceImage, ...], fingerprint: str) -> Shard:
    """Names a shard by the hash of the fingerprint and its sorted (URI, version) pairs."""
    pairs = [(image.uri, image.version) for image in sorted(images)]
    digest = hashlib.sha256(json.dumps([fingerprint, pairs]).encode()).hexdigest()
    return Shard(digest[:24], images)


def commit(
    storage: Storage, fingerprint: str, rows: Sequence[Embedded], failures: Sequence[Failure], stats: Stats
) -> None:
    """Writes a shard; stats.json comes last, and only with it the shard counts.

    Raises:
        StorageError: the library cannot be written; the shard is not committed.
    """
    folder = f"{shards_prefix(fingerprint)}/{stats.shard}"
    buffer = io.BytesIO()
    pq.write_table(_table(rows), buffer, compression="zstd")
    storage.write(f"{folder}/vectors.parquet", buffer.getvalue())
    storage.write(f"{folder}/failures.jsonl", "".join(json.dumps(asdict(f)) + "\n" for f in failures).encode())
    keys = [[row.uri, row.version, row.sha256, row.content is not None] for row in rows]
    storage.write(f"{folder}/stats.json", json.dumps(asdict(stats) | {"keys": keys}).encode())


@dataclass(frozen=True, slots=True)
class Known:
    """Everything committed for one fingerprint, without vectors."""

    keys: dict[tuple[str, str], Key]  # by (URI, version)
    contents: dict[str, Key]  # by SHA-256, the row that holds the vectors
    failures: dict[tuple[str, str], Failure]  # by (URI, version)

    def settled(self, image: SourceImage) -> bool:
        """Whether another try would give nothing new: the image is embedded, or broken for good."""
        pair = image.uri, image.version
        return pair in self.keys or (pair in self.failures and not self.failures[pair].transient)

    def failures_among(self, images: Iterable[SourceImage]) -> list[Failure]:
        """The failures of those images that are not embedded."""
        pairs = ((image.uri, image.version) for image in images)
        return [self.failures[pair] for pair in pairs if pair not in self.keys and pair in self.failures]


def read_known(storage: Storage, fingerprint: str) -> Known:
    """Reads what is committed; a shard without stats.json does not exist."""
    prefix = shards_prefix(fingerprint)
    names = sorted(e.key.split("/")[2] for e in storage.list(prefix) if e.key.endswith("/stats.json"))
    known = Known({}, {}, {})
    with ThreadPoolExecutor(16) as readers:
        for name, stats, failures in readers.map(lambda name: _read_shard(storage, prefix, name), names):
            for row, (uri, version, sha256, embedded) in enumerate(stats["keys"]):
                key = Key(uri, version, sha256, embedded, name, row)
                known.keys[uri, version] = key
                if embedded:
                    known.contents.setdefault(sha256, key)
            known.failures.update({(f.uri, f.version): f for f in failures})
    # A row that points to content whose vectors are gone is as good as absent: it must be embedded again.
    for pair in [pair for pair, key in known.keys.items() if key.sha256 not in known.contents]:
        del known.keys[pair]
    return known


def read_vectors(storage: Storage, fingerprint: str, shard: str) -> Iterator[tuple[int, Content]]:
    """Yields (row, Content) for the rows of a committed shard that hold vectors."""
    table = pq.read_table(io.BytesIO(storage.read(f"{shards_prefix(fingerprint)}/{shard}/vectors.parquet")))
    table = table.append_column("row", pa.array(np.arange(len(table))))
    table = table.filter(pa.compute.is_valid(table["visual"]))
    if not len(table):
        return
    matrices = {name: _matrix(table[name]) for name in _VECTORS if name in table.column_names}
    for i, values in enumerate(table.select(["row", *_PLAIN]).to_pylist()):
        row = values.pop("row")
        yield row, Content(**values, **{name: matrix[i] for name, matrix in matrices.items()})


def _read_shard(storage: Storage, prefix: str, name: str) -> tuple[str, dict[str, Any], list[Failure]]:
    stats = json.loads(storage.read(f"{prefix}/{name}/stats.json"))
    lines = storage.read(f"{prefix}/{name}/failures.jsonl").splitlines() if stats["failed"] else []
    return name, stats, [Failure(**json.loads(line)) for line in lines]


def _table(rows: Sequence[Embedded]) -> pa.Table:
    columns = {
        name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in ("uri", "version", "sha256")
    }
    for name, kind in _PLAIN.items():
        columns[name] = pa.array([getattr(row.content, name) if row.content else None for row in rows], kind)
    for name, dtype in _VECTORS.items():
        vectors = [getattr(row.content, name) if row.content else None for row in rows]
        if name == "visual" or any(vector is not None for vector in vectors):
            columns[name] = _vectors(vectors, dtype)
    return pa.table(columns)


def _vectors(values: Sequence[NDArray[Any] | None], dtype: type[np.generic]) -> pa.Array:
    """A Parquet column of vectors of one length, null where there is none."""
    length = next((len(v) for v in values if v is not None), 1)
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
