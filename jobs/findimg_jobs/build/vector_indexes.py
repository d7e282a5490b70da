"""Build a version's vector indexes, partition by partition, in this process or on workers.

Annoy cannot join trees that were built separately, so one worker builds a whole partition. The worker reads the
partition's vectors from the library and writes the index file there, so it may run on any machine.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import NotPublishedError
from findimg.index import annoy as ann
from findimg.index.annoy import Calibration, Vectors, index_files
from findimg.library.manifest import FileEntry, IndexEntry
from findimg.storage.base import Storage, open_storage
from findimg_jobs.engines.base import Engine

_SMALL = 50_000  # this process indexes so few vectors sooner than a worker starts


@dataclass(frozen=True, slots=True, eq=False)
class IndexSpec:
    """One index to build."""

    name: str
    vectors: Vectors  # float[images, dim], usually memory-mapped
    queries: NDArray[np.float32]  # float32[q, dim], for the calibration


@dataclass(frozen=True, slots=True, eq=False)
class _Partition:
    """One partition for a worker to build."""

    library: str
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


def build_indexes(
    specs: Sequence[IndexSpec], partition_size: int, storage: Storage, version: str, folder: Path, engine: Engine
) -> tuple[dict[str, IndexEntry], dict[str, FileEntry]]:
    """Build and calibrate indexes.

    Args:
        specs: the indexes.
        partition_size: maximum number of items in one partition.
        storage: the library. Workers write their files into the version.
        version: the version's name.
        folder: a folder on this machine, for the files that this process builds.
        engine: runs the workers.

    Returns:
        The indexes by name, and their files by name.

    Raises:
        NotPublishedError: a worker could not build a partition.
        OSError: `folder` has no room.
    """
    indexes = {}
    for spec in specs:
        images, dim = spec.vectors.shape
        counts = [min(partition_size, images - start) for start in range(0, images, partition_size)]
        indexes[spec.name] = IndexEntry(dim=dim, counts=counts, search_k=0, recall=0)
    in_this_process = engine.is_local or all(len(spec.vectors) <= min(_SMALL, partition_size) for spec in specs)
    if in_this_process:
        partitions = _split(specs, indexes)
        built = [_build_partition(vectors, queries, folder / file) for file, vectors, queries in partitions]
    else:
        built = list(engine.map(_build_on_worker, _upload_partitions(specs, indexes, storage, version, folder)))
        storage.clear(_drafts(version))
    files = [file for name, index in indexes.items() for file in index_files(name, index)]
    built_files = dict(zip(files, built, strict=True))
    for name, index in indexes.items():
        calibrations = [built_files[file].calibration for file in index_files(name, index)]
        # Each partition finds its own nearest items with at least this recall, and the nearest of all are among them.
        search_k = max(each.search_k for each in calibrations)
        recall = min(each.recall for each in calibrations)
        indexes[name] = index.model_copy(update={"search_k": search_k, "recall": recall})
    return indexes, {file: partition.file for file, partition in built_files.items()}


def _split(
    specs: Sequence[IndexSpec], indexes: dict[str, IndexEntry]
) -> Iterator[tuple[str, Vectors, NDArray[np.float32]]]:
    """Yield (file name, vectors, queries) of every partition."""
    for spec in specs:
        index = indexes[spec.name]
        ends = np.cumsum(index.counts).tolist()
        for file, count, end in zip(index_files(spec.name, index), index.counts, ends, strict=True):
            yield file, spec.vectors[end - count : end], spec.queries


def _upload_partitions(
    specs: Sequence[IndexSpec], indexes: dict[str, IndexEntry], storage: Storage, version: str, folder: Path
) -> Iterator[_Partition]:
    """Write the vectors of every partition into the library, and yield the partition."""
    draft = folder / "partition.draft"
    for file, vectors, queries in _split(specs, indexes):
        vectors.tofile(draft)
        key = f"{_drafts(version)}/{file}"
        storage.upload(draft, key)
        draft.unlink()
        count, dim = vectors.shape
        yield _Partition(storage.root, key, str(vectors.dtype), count, dim, queries, f"versions/{version}/{file}")


def _build_on_worker(partition: _Partition) -> _BuiltPartition:
    """Build a partition on a worker, from the library into the library."""
    storage = open_storage(partition.library)
    try:
        with tempfile.TemporaryDirectory(prefix="findimg-") as name:
            draft, path = Path(name, "vectors"), Path(name, "index")
            storage.fetch(partition.vectors, draft)
            vectors = np.memmap(draft, partition.dtype, "r", shape=(partition.count, partition.dim))
            built = _build_partition(vectors, partition.queries, path)
            storage.upload(path, partition.key)
            return built
    except OSError as error:
        raise NotPublishedError(
            f"A worker cannot build {partition.key} in {tempfile.gettempdir()}: {error}. Free some space there and "
            "run again. Everything embedded so far is kept."
        ) from error


def _build_partition(vectors: Vectors, queries: NDArray[np.float32], path: Path) -> _BuiltPartition:
    count, dim = vectors.shape
    # Annoy writes through a memory map, so a full disk would kill the process instead of raising an error.
    needed = 2 * (4 * dim + 12) * (count * (1 + 3 * ann.TREES / dim) + 4 * ann.TREES)
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, f"{needed / 1e6:.0f} MB are needed for an index")
    ann.build(vectors, [path], count)
    calibration = ann.calibrate([path], [count], vectors, queries)
    return _BuiltPartition(FileEntry.of(path), calibration)


def _drafts(version: str) -> str:
    return f"versions/{version}/drafts"
