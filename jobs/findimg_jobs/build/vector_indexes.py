"""Building a version's indexes, partition by partition, in this process or on workers.

Trees cannot be joined once built, so a partition is what one worker builds alone. It takes the partition's vectors from
the library and puts the file there: where the workers are does not matter.
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
from findimg.index.annoy import Calibration, Vectors
from findimg.library.library import File, Index, index_files, sha256_of
from findimg.storage.base import Storage, open_storage
from findimg_jobs.engines.base import Engine

_QUICK = 50_000  # vectors that are indexed sooner than workers are started


@dataclass(frozen=True, slots=True, eq=False)
class IndexSpec:
    """An index to be built."""

    name: str
    vectors: Vectors  # float[images, dim], usually in a file
    queries: NDArray[np.float32]  # float32[q, dim], what it is calibrated with


@dataclass(frozen=True, slots=True, eq=False)
class _Partition:
    """One partition for a worker to build."""

    library: str
    vectors: str  # key of a draft that holds them
    dtype: str
    count: int
    dim: int
    queries: NDArray[np.float32]
    key: str  # where the built partition goes


@dataclass(frozen=True, slots=True)
class _Built:
    file: File
    calibration: Calibration


def build_indexes(
    wanted: Sequence[IndexSpec], partition_size: int, storage: Storage, version: str, folder: Path, engine: Engine
) -> tuple[dict[str, Index], dict[str, File]]:
    """Builds and calibrates indexes.

    Args:
        partition_size: items in one partition, at the most.
        storage: the library; what workers build is put there, into the version.
        version: its name.
        folder: on this machine; what this process builds is put there.

    Returns:
        The indexes by name, and the files they consist of.

    Raises:
        NotPublishedError: a worker could not build a partition.
        OSError: there is no room in `folder`.
    """
    indexes = {}
    for each in wanted:
        images, dim = each.vectors.shape
        counts = [min(partition_size, images - start) for start in range(0, images, partition_size)]
        indexes[each.name] = Index(dim=dim, counts=counts, search_k=0, recall=0)
    alone = engine.is_local or all(len(each.vectors) <= min(_QUICK, partition_size) for each in wanted)
    if alone:
        built = [_build_here(vectors, queries, folder / file) for file, vectors, queries in _cut(wanted, indexes)]
    else:
        built = list(engine.map(_build_there, _hand_out(wanted, indexes, storage, version, folder)))
        storage.clear(_drafts(version))
    files = [file for name, index in indexes.items() for file in index_files(name, index)]
    found = dict(zip(files, built, strict=True))
    for name, index in indexes.items():
        calibrations = [found[file].calibration for file in index_files(name, index)]
        # Each partition finds its own nearest so well at the least, and of all of them the nearest are among these.
        search_k = max(each.search_k for each in calibrations)
        recall = min(each.recall for each in calibrations)
        indexes[name] = index.model_copy(update={"search_k": search_k, "recall": recall})
    return indexes, {file: each.file for file, each in found.items()}


def _cut(wanted: Sequence[IndexSpec], indexes: dict[str, Index]) -> Iterator[tuple[str, Vectors, NDArray[np.float32]]]:
    """Yields (file name, vectors, queries) of every partition."""
    for each in wanted:
        index = indexes[each.name]
        ends = np.cumsum(index.counts).tolist()
        for file, count, end in zip(index_files(each.name, index), index.counts, ends, strict=True):
            yield file, each.vectors[end - count : end], each.queries


def _hand_out(
    wanted: Sequence[IndexSpec], indexes: dict[str, Index], storage: Storage, version: str, folder: Path
) -> Iterator[_Partition]:
    draft = folder / "partition.draft"
    for file, vectors, queries in _cut(wanted, indexes):
        vectors.tofile(draft)
        key = f"{_drafts(version)}/{file}"
        storage.upload(draft, key)
        draft.unlink()
        count, dim = vectors.shape
        yield _Partition(storage.root, key, str(vectors.dtype), count, dim, queries, f"versions/{version}/{file}")


def _build_there(partition: _Partition) -> _Built:
    """Builds a partition on a worker, from the library into the library."""
    storage = open_storage(partition.library)
    try:
        with tempfile.TemporaryDirectory(prefix="findimg-") as name:
            draft, path = Path(name, "vectors"), Path(name, "index")
            storage.fetch(partition.vectors, draft)
            vectors = np.memmap(draft, partition.dtype, "r", shape=(partition.count, partition.dim))
            built = _build_here(vectors, partition.queries, path)
            storage.upload(path, partition.key)
            return built
    except OSError as error:
        raise NotPublishedError(
            f"A worker cannot build {partition.key} in {tempfile.gettempdir()}: {error}. Make room there; "
            "what is embedded is kept."
        ) from error


def _build_here(vectors: Vectors, queries: NDArray[np.float32], path: Path) -> _Built:
    count, dim = vectors.shape
    # Annoy writes through a mapping: where the disk is full the process would be killed.
    most = 2 * (4 * dim + 12) * (count * (1 + 3 * ann.TREES / dim) + 4 * ann.TREES)
    if shutil.disk_usage(path.parent).free < most:
        raise OSError(errno.ENOSPC, f"{most / 1e6:.0f} MB are needed for an index")
    ann.build(vectors, [path], count)
    calibration = ann.calibrate([path], [count], vectors, queries)
    return _Built(File(size=path.stat().st_size, sha256=sha256_of(path)), calibration)


def _drafts(version: str) -> str:
    return f"versions/{version}/drafts"
