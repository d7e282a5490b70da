"""Build a version's vector indexes, partition by partition, in this process or on workers.

A small index is exact. For a large one, approximate indexes are built and calibrated too, and the index with the
cheapest search is kept.

Annoy cannot join trees that were built separately, so one worker builds a whole partition. The worker reads the
partition's vectors from the library and writes the index file there, so it may run on any machine.
"""

import errno
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import NotPublishedError
from findimg.index.base import RECALL_GOAL, Calibration, Vectors, approximate_types, index_files, index_type
from findimg.index.exact import ALWAYS_EXACT
from findimg.library.layout import VERSIONS, version_key
from findimg.library.manifest import FileEntry, IndexEntry
from findimg.storage.base import Storage, open_storage
from findimg_jobs.engines.base import Engine

_SMALL = 50_000  # this process indexes so few vectors sooner than a worker starts
_EXACT = "exact"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class IndexSpec:
    """One index to build."""

    name: str
    vectors: Vectors  # float[images, dim], usually memory-mapped
    queries: NDArray[np.float32]  # float32[q, dim], for the calibration


@dataclass(frozen=True, slots=True, eq=False)
class BuildTarget:
    """Where and how indexes are built."""

    storage: Storage  # the library. Workers write their files into the version.
    version: str  # the version's name
    folder: Path  # a folder on this machine, for the files that this process builds
    engine: Engine  # runs the workers
    partition_size: int  # maximum number of items in one partition


@dataclass(frozen=True, slots=True, eq=False)
class _Partition:
    """One partition for a worker to build."""

    library: str
    type: str  # of the index
    vectors: str  # key of a draft that holds the vectors
    dtype: str
    count: int
    dim: int
    queries: NDArray[np.float32]
    key: str  # where the worker writes the index file


@dataclass(frozen=True, slots=True)
class _BuiltPartition:
    file: FileEntry
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class _BuiltIndex:
    entry: IndexEntry
    files: dict[str, FileEntry]
    cost: float  # of one search, see Calibration


def build_indexes(
    specs: Sequence[IndexSpec], target: BuildTarget
) -> tuple[dict[str, IndexEntry], dict[str, FileEntry]]:
    """Build and calibrate indexes, and keep the cheapest type of each.

    Returns:
        The indexes by name, and their own files by name.

    Raises:
        NotPublishedError: a worker could not build a partition.
        OSError: the target's folder has no room.
    """
    entries: dict[str, IndexEntry] = {}
    files: dict[str, FileEntry] = {}
    for spec in specs:
        built = _build_best(spec, target)
        entries[spec.name] = built.entry
        files |= built.files
    return entries, files


def _build_best(spec: IndexSpec, target: BuildTarget) -> _BuiltIndex:
    exact_cost = spec.vectors.size
    if exact_cost > ALWAYS_EXACT:
        for name in approximate_types():
            built = _build_partitions(spec, name, target)
            if built.cost < exact_cost and built.entry.recall >= RECALL_GOAL:
                return built
            _log.info("An exact scan searches the %s vectors faster than the index type %s.", spec.name, name)
            _discard(built, target)
    return _build_exact(spec, target)


def _build_exact(spec: IndexSpec, target: BuildTarget) -> _BuiltIndex:
    count, dim = spec.vectors.shape
    entry = IndexEntry(type=_EXACT, dim=dim, counts=[count], search_k=0, recall=1.0)
    (file,) = index_files(spec.name, entry)
    built = _build_partition(_EXACT, spec.vectors, spec.queries, target.folder / file)
    return _BuiltIndex(entry, {file: built.file}, built.calibration.cost)


def _build_partitions(spec: IndexSpec, type_name: str, target: BuildTarget) -> _BuiltIndex:
    count, dim = spec.vectors.shape
    size = target.partition_size
    counts = [min(size, count - start) for start in range(0, count, size)]
    entry = IndexEntry(type=type_name, dim=dim, counts=counts, search_k=0, recall=0)
    files = index_files(spec.name, entry)
    if target.engine.is_local or count <= min(_SMALL, size):
        built = [
            _build_partition(type_name, vectors, spec.queries, target.folder / file)
            for file, vectors in zip(files, _split(spec.vectors, counts), strict=True)
        ]
    else:
        built = list(target.engine.map(_build_on_worker, _upload_partitions(spec, entry, target)))
        target.storage.clear(_drafts(target.version))
    calibrations = [each.calibration for each in built]
    # Each partition finds its own nearest items with at least this recall, and the nearest of all are among them.
    search_k = max(each.search_k for each in calibrations)
    recall = min(each.recall for each in calibrations)
    return _BuiltIndex(
        entry.model_copy(update={"search_k": search_k, "recall": recall}),
        {file: each.file for file, each in zip(files, built, strict=True)},
        sum(each.cost for each in calibrations),
    )


def _discard(built: _BuiltIndex, target: BuildTarget) -> None:
    for file in built.files:
        (target.folder / file).unlink(missing_ok=True)
        target.storage.delete(version_key(target.version, file))


def _split(vectors: Vectors, counts: Sequence[int]) -> Iterator[Vectors]:
    """Yield the vectors of every partition."""
    start = 0
    for count in counts:
        yield vectors[start : start + count]
        start += count


def _upload_partitions(spec: IndexSpec, entry: IndexEntry, target: BuildTarget) -> Iterator[_Partition]:
    """Write the vectors of every partition into the library, and yield the partition."""
    draft = target.folder / "partition.draft"
    storage, version = target.storage, target.version
    for file, vectors in zip(index_files(spec.name, entry), _split(spec.vectors, entry.counts), strict=True):
        vectors.tofile(draft)
        key = f"{_drafts(version)}/{file}"
        storage.upload(draft, key)
        draft.unlink()
        yield _Partition(
            library=storage.root,
            type=entry.type,
            vectors=key,
            dtype=str(vectors.dtype),
            count=len(vectors),
            dim=entry.dim,
            queries=spec.queries,
            key=version_key(version, file),
        )


def _build_on_worker(partition: _Partition) -> _BuiltPartition:
    """Build a partition on a worker, from the library into the library."""
    storage = open_storage(partition.library)
    try:
        with tempfile.TemporaryDirectory(prefix="findimg-") as name:
            draft, path = Path(name, "vectors"), Path(name, "index")
            storage.fetch(partition.vectors, draft)
            vectors = np.memmap(draft, partition.dtype, "r", shape=(partition.count, partition.dim))
            built = _build_partition(partition.type, vectors, partition.queries, path)
            storage.upload(path, partition.key)
            return built
    except OSError as error:
        raise NotPublishedError(
            f"A worker cannot build {partition.key} in {tempfile.gettempdir()}: {error}. Free some space there and "
            "run again. Everything embedded so far is kept."
        ) from error


def _build_partition(type_name: str, vectors: Vectors, queries: NDArray[np.float32], path: Path) -> _BuiltPartition:
    index = index_type(type_name)
    # Indexes are written through memory maps, so a full disk would kill the process instead of raising an error.
    needed = index.needed_space(*vectors.shape)
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed for an index")
    index.build(vectors, path)
    return _BuiltPartition(FileEntry.of(path), index.calibrate(path, vectors, queries))


def _drafts(version: str) -> str:
    return f"{VERSIONS}/{version}/drafts"
