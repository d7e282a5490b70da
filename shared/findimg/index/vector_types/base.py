"""Interfaces of vector indexes, and the registry of index types.

To add an index type, write one module in this folder. It holds an `IndexType` and calls `register_index_type`. The type
says itself for how many vectors it is tried (`min_components`). `findimg_jobs.segments.vector_indexes` builds and
calibrates the types, and keeps the cheapest one that reaches RECALL_GOAL. All modules of this folder are imported to
find the types, so import an optional package inside the function that needs it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from findimg.discovery import import_modules
from findimg.errors import LibraryError, QueryError
from findimg.library.manifest import IndexEntry

NEIGHBOURS = 10  # the k of the recall@k that indexes are calibrated for
RECALL_GOAL = 0.98

Vectors = NDArray[np.floating]  # float[n, dim], usually memory-mapped


class VectorRows(Protocol):
    """Vectors that are read row by row: an array, or rows that are computed when they are read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


class VectorIndex(Protocol):
    """Nearest-neighbour search over the vectors of one index."""

    dim: int
    is_exact: bool  # whether every vector is compared, so that no search misses a near one

    def search(
        self, query: NDArray[np.float32], k: int, without: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the `k` nearest items, best first.

        Args:
            query: float32[dim], any non-zero length.
            k: number of items, at least 1.
            without: int64[d], items to leave out.

        Returns:
            Items, int64[m], and their cosine similarities, float32[m], -1 to 1. m is k or the number of items that are
            not left out.

        Raises:
            QueryError: `query` has the wrong dimension, is zero or is not finite.
        """

    def similarities(self, query: NDArray[np.float32], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosine similarities of some items, float32[len(items)], -1 to 1; 0 for a vector of zeros.

        Memory does not grow with the number of items, except for the result.

        Args:
            query: float32[dim], any non-zero length.
            items: int64[m], items of the index.

        Raises:
            QueryError: `query` has the wrong dimension, is zero or is not finite.
        """

    def close(self) -> None:
        """Unmap the files. The index must not be used afterwards."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Search effort of an index, and the measured result.

    `cost` compares types of indexes. It is computed from counts and not timed, so that equal images give equal
    versions on every machine.
    """

    search_k: int  # search effort; 0 if the type has none
    recall: float  # recall@10, mean over the queries
    cost: float  # of one search, as the number of vector components that an exact scan reads in the same time


class IndexType(Protocol):
    """One way to index vectors: builds, calibrates and opens its files.

    Attributes:
        name: in the manifest.
        suffix: of its files.
        min_components: the number of vector components, rows times dimensions, from which on the type is tried. Types
            with a larger number are tried first. The exact type has 0, so it is tried last and always kept.
    """

    name: str
    suffix: str
    min_components: int

    def needed_space(self, count: int, dim: int) -> int:
        """Return the bytes of disk space needed to build one file of `count` vectors."""

    def build(self, vectors: Vectors, path: Path) -> None:
        """Build one file. Row i of `vectors`, float[n, dim], becomes item i. Equal input gives equal bytes."""

    def calibrate(self, path: Path, vectors: Vectors, queries: NDArray[np.float32]) -> Calibration:
        """Choose the search effort of a file just built, so that recall@10 reaches `RECALL_GOAL`.

        Args:
            path: the file.
            vectors: float[n, dim], the vectors of the file.
            queries: float32[q, dim], similar to later queries, none of them zero.
        """

    def open(self, paths: Sequence[Path], entry: IndexEntry) -> VectorIndex:
        """Open an index.

        Args:
            paths: the files of its partitions, in order.
            entry: the index in the manifest.

        Raises:
            LibraryError: a file is missing or does not match the entry.
        """


_types: dict[str, IndexType] = {}


def register_index_type(index_type: IndexType) -> None:
    """Add an index type to the registry.

    Segments that exist keep their indexes. The recipe of a segment does not include the registered types, because a new
    one would make every library rebuild all segments. The type is used for segments that are built from then on.
    """
    _types[index_type.name] = index_type


def index_type(name: str) -> IndexType:
    """Return a registered index type.

    Raises:
        LibraryError: the type is unknown.
    """
    import_modules("findimg.index.vector_types")
    if name not in _types:
        raise LibraryError(f"The version has an index of the unknown type {name!r}. Update findimg.")
    return _types[name]


def types_for(components: int) -> list[IndexType]:
    """Return the types to try for an index with so many vector components, in order. The last one is always exact.

    The first type is kept whose searches cost less than an exact scan and reach `RECALL_GOAL`. Of types with equal
    `min_components`, the first one in alphabetical order is tried first.
    """
    import_modules("findimg.index.vector_types")
    found = [each for each in _types.values() if each.min_components <= components]
    return sorted(found, key=lambda each: (-each.min_components, each.name))


def index_files(name: str, entry: IndexEntry) -> list[str]:
    """Return the file names of an index's partitions, in order.

    Args:
        name: name of the index, such as `visual`.
        entry: the index in the manifest.

    Raises:
        LibraryError: the index has an unknown type.
    """
    if entry.file:
        return [entry.file]
    suffix = index_type(entry.type).suffix
    return [f"{name}-{number:03}{suffix}" for number in range(len(entry.counts))]


def open_index(folder: Path, name: str, entry: IndexEntry) -> VectorIndex:
    """Open an index of a segment.

    Args:
        folder: the segment's folder.
        name: name of the index, such as `visual`.
        entry: the index in the manifest.

    Raises:
        LibraryError: a file is missing or damaged, or the index has an unknown type.
    """
    return index_type(entry.type).open([folder / file for file in index_files(name, entry)], entry)


def check_query(query: NDArray[np.floating], dim: int) -> None:
    """Check a query vector.

    Raises:
        QueryError: it has the wrong dimension, is zero or is not finite.
    """
    if query.shape != (dim,) or not np.any(query) or not np.all(np.isfinite(query)):
        raise QueryError(
            f"A query must be {dim} finite numbers, not all zero. Use another image or word. "
            f"Received: {np.size(query)} numbers."
        )
