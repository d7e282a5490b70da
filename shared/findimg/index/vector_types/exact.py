"""Exact search: compare a query with every vector.

For up to a few hundred thousand vectors this is faster than Annoy at a recall of 0.98, because memory is read in order.
On 100,000 photographs projected to 128 dimensions it took 4.0 ms, Annoy 8.3 ms; on 9,144 photographs 0.13 and 0.70 ms.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.mapped_files import new_array
from findimg.index.vector_types.base import (
    NEIGHBOURS,
    Calibration,
    VectorIndex,
    VectorRows,
    Vectors,
    check_query,
    register_index_type,
)
from findimg.library.manifest import IndexEntry
from findimg.vectors import SMALLEST, normalised, to_float32

_CHUNK = 2**20  # components converted or normalised at a time
_GROUP = 64  # similarities whose maximum stands for them while the best are searched
_LAST_DIGITS = 1e-6  # difference of two computations of the same cosine, at the most
_DTYPES = {".f32": np.float32, ".f16": np.float16}


class ExactIndex:
    """A memory-mapped file of vectors that every search compares with its query.

    A file `*.f32` has vectors of length 1. A file `*.f16` is one of the version's vector files, of any length.
    """

    is_exact = True

    def __init__(self, path: Path, count: int, dim: int):
        """Map the file into memory.

        Args:
            path: `*.f32` or `*.f16`.
            count: number of vectors.
            dim: their dimension.

        Raises:
            LibraryError: the file is missing or has another size.
        """
        self.dim = dim
        dtype = np.dtype(_DTYPES.get(path.suffix, np.float32))
        try:
            size = path.stat().st_size
            if size != count * dim * dtype.itemsize:
                raise ValueError(f"it has {size} bytes instead of {count * dim * dtype.itemsize}")
            # A plain array view, because every access to a memmap has overhead.
            self._vectors: NDArray[np.floating] = np.memmap(path, dtype, "r", shape=(count, dim)).view(np.ndarray)
        except (OSError, ValueError) as error:
            raise LibraryError(
                f"{path} cannot be opened as {count} vectors of {dim} dimensions: {error}. Publish again with index."
            ) from error

    def search(
        self, query: NDArray[np.float32], k: int, without: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `VectorIndex.search`. The recall is 1. Of equal vectors the first comes first."""
        check_query(query, self.dim)
        unit = normalised(query)
        cosines = self._all_similarities(unit)
        if without is not None and len(without):
            cosines[without] = -np.inf
            k = max(0, min(k, len(cosines) - len(without)))
        items = _largest(cosines, k)
        if not len(items):
            return items, cosines[items]
        # In a product with a matrix, the last digit of a row depends on its place. The best are computed again, each by
        # itself, so that equal vectors of different segments are equally near.
        items = np.flatnonzero(cosines >= cosines[items[-1]] - _LAST_DIGITS)
        cosines = self._cosines(self._vectors[items], unit)
        best = np.lexsort((items, -cosines))[:k]
        return items[best], cosines[best]

    def similarities(self, query: NDArray[np.float32], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `VectorIndex.similarities`."""
        check_query(query, self.dim)
        unit = normalised(query)
        cosines = np.empty(len(items), np.float32)
        for chunk in _chunks(len(items), self.dim):
            cosines[chunk] = self._cosines(self._vectors[_rows(items[chunk])], unit)
        return cosines

    def close(self) -> None:
        """See `VectorIndex.close`."""
        self._vectors = np.empty((0, self.dim), np.float32)

    def _all_similarities(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._vectors.dtype == np.float32:
            return np.asarray(self._vectors @ unit, np.float32)
        cosines = np.empty(len(self._vectors), np.float32)
        for chunk in _chunks(len(cosines), self.dim):
            cosines[chunk] = self._cosines(self._vectors[chunk], unit)
        return cosines

    def _cosines(self, vectors: NDArray[np.floating], unit: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine of each row to a vector of length 1. It does not depend on the other rows."""
        if vectors.dtype == np.float32:
            return np.asarray(np.vecdot(vectors, unit), np.float32)
        wide = to_float32(np.asarray(vectors, np.float16))
        return np.asarray(np.vecdot(wide, unit) / np.maximum(np.sqrt(np.vecdot(wide, wide)), SMALLEST), np.float32)


def _rows(items: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Return consecutive items as a slice, whose vectors need not be copied."""
    if len(items) and items[-1] - items[0] == len(items) - 1 and bool((np.diff(items) == 1).all()):
        return slice(int(items[0]), int(items[-1]) + 1)
    return items


class _Exact:
    """The index type of `ExactIndex`."""

    name = "exact"
    suffix = ".f32"
    min_components = 0

    def needed_space(self, count: int, dim: int) -> int:
        return 4 * count * dim

    def build(self, vectors: Vectors, path: Path) -> None:
        count, dim = vectors.shape
        written = new_array(path, np.float32, (count, dim))
        for chunk in _chunks(count, dim):
            written[chunk] = normalised(vectors[chunk])

    def calibrate(self, path: Path, vectors: Vectors, queries: NDArray[np.float32]) -> Calibration:
        return Calibration(0, 1.0, vectors.shape[0] * vectors.shape[1])

    def open(self, paths: Sequence[Path], entry: IndexEntry) -> VectorIndex:
        if len(paths) != 1 or len(entry.counts) != 1:
            raise LibraryError(
                f"An exact index has one partition. The manifest states {len(entry.counts)}. Publish again with index."
            )
        return ExactIndex(paths[0], entry.counts[0], entry.dim)


register_index_type(_Exact())


def exact_neighbours(
    vectors: VectorRows, queries: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest vectors of many queries, by comparing all vectors chunk by chunk.

    Args:
        vectors: float[n, dim].
        queries: float32[q, dim], none of them zero.
        k: number of neighbours, at most n.

    Returns:
        Rows, int64[q, k], and their cosine similarities, float32[q, k], best first.
    """
    unit = normalised(queries)
    items = np.zeros((len(queries), k), np.int64)
    cosines = np.full((len(queries), k), -2, np.float32)
    for chunk in _chunks(len(vectors), max(1, vectors.shape[1])):
        part = normalised(vectors[chunk])
        near = unit @ part.T
        # Sort only what is nearer than the best so far. Of equal vectors the first row comes first.
        if chunk.start == 0 and k < len(part):
            query, row = np.nonzero(near >= np.partition(near, -k, axis=1)[:, -k, None])
        else:
            query, row = np.nonzero(near > cosines[:, -1:])
        queried = np.concatenate([np.repeat(np.arange(len(queries)), k), query])
        found = np.concatenate([items.ravel(), row + chunk.start])
        cosine = np.concatenate([cosines.ravel(), near[query, row]])
        order = np.lexsort((found, -cosine, queried))
        firsts = np.searchsorted(queried[order], np.arange(len(queries)))
        best = order[firsts[:, None] + np.arange(k)]
        items, cosines = found[best], cosine[best]
    return items, cosines


def measure_recall(index: VectorIndex, vectors: VectorRows, queries: NDArray[np.float32]) -> float:
    """Return the recall@10 of an open index against exact search, 0 to 1.

    Args:
        index: an index of `vectors`.
        vectors: float[n, dim].
        queries: float32[q, dim], none of them zero.
    """
    return mean_recall(recalls(index, queries, tenth_similarities(vectors, queries)))


def recalls(index: VectorIndex, queries: NDArray[np.float32], tenth: NDArray[np.float32]) -> NDArray[np.floating]:
    """Return the recall@10 of each query, float[q].

    Args:
        index: an open index.
        queries: float32[q, dim], none of them zero.
        tenth: what `tenth_similarities` returns for the queries.
    """
    # Equal images have equal similarities: any of them is a correct result.
    cosines = [index.search(query, NEIGHBOURS)[1] for query in queries]
    return np.asarray([np.mean(found >= edge - 1e-5) for found, edge in zip(cosines, tenth, strict=True)])


def mean_recall(values: NDArray[np.floating]) -> float:
    """Return the mean recall of queries; 1 without queries."""
    return float(values.mean()) if len(values) else 1.0


def tenth_similarities(vectors: VectorRows, queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine similarity of each query's tenth (or last) exact neighbour, float32[q]."""
    return exact_neighbours(vectors, queries, min(NEIGHBOURS, len(vectors)))[1][:, -1]


def _chunks(count: int, dim: int) -> Iterator[slice]:
    step = max(1, _CHUNK // dim)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _largest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the positions of the `k` largest values, largest first; of equal values the first."""
    if k == 0:
        return np.empty(0, np.int64)
    places = np.arange(len(values))
    groups = len(values) // _GROUP
    if k < len(values) and k >= groups:
        places = np.flatnonzero(values >= np.partition(values, len(values) - k)[len(values) - k])
    elif k < groups:
        # The k largest group maxima are k values, so the k largest values are not below the smallest of these.
        maxima = values[: groups * _GROUP].reshape(groups, _GROUP).max(axis=1)
        places = np.flatnonzero(values >= np.partition(maxima, groups - k)[groups - k])
    order = np.argsort(-values[places], kind="stable")[:k]
    return np.asarray(places[order], np.int64)
