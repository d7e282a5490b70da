"""Annoy indexes: built deterministically, calibrated when built, asked across partitions."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray

from findimg.errors import LibraryError, QueryError
from findimg.library.manifest import IndexEntry

TREES = 50
RECALL_GOAL = 0.98
_AIM = 0.99  # recall on the queries of a calibration: then others reach the goal too
NEIGHBOURS = 10  # the k of the recall@k that an index is calibrated for
_SEED = 20
_PIECE = 16_384  # vectors compared at a time in an exact search

Floats = NDArray[np.floating]
Vectors = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Calibration:
    """How hard an index must be searched, and what that was measured to give."""

    search_k: int  # nodes inspected per partition
    recall: float  # share of the exact 10 nearest found, mean over the queries


def index_files(name: str, index: IndexEntry) -> list[str]:
    """Return the file names of an index's partitions, in order."""
    return [f"{name}-{number:03}.ann" for number in range(len(index.counts))]


def build(vectors: Vectors, paths: Sequence[Path], partition_size: int) -> None:
    """Builds one Annoy index per `partition_size` rows of `vectors`; the same input gives the same bytes.

    Args:
        vectors: float[n, dim], n at least 1; row i becomes item i, counted from the partition's first row.
        paths: where the partitions go; ceil(n / partition_size) of them.
    """
    for number, path in enumerate(paths):
        index = AnnoyIndex(vectors.shape[1], "angular")
        index.set_seed(_SEED)
        index.on_disk_build(str(path))
        partition = vectors[number * partition_size : (number + 1) * partition_size]
        for start in range(0, len(partition), _PIECE):
            # Annoy takes plain lists several times faster than rows of a mapped file.
            for item, vector in enumerate(np.asarray(partition[start : start + _PIECE]).tolist(), start):
                index.add_item(item, vector)
        # More threads would build other trees on each machine: the bytes would differ for the same images.
        index.build(TREES, n_jobs=1)
        index.unload()


class AnnoyPartitions:
    """The partitions of one index, opened for searching; a search asks all and merges by cosine."""

    def __init__(self, paths: Sequence[Path], dim: int, counts: Sequence[int], search_k: int):
        """Maps the files into memory.

        Args:
            paths: the partitions in order.
            counts: items in each.
            search_k: Annoy's effort for `NEIGHBOURS` hits, from the calibration.

        Raises:
            LibraryError: a file is missing, or holds another number of items or dimensions.
        """
        self.dim = dim
        self.search_k = search_k
        self._partitions = []
        first = 0
        for path, count in zip(paths, counts, strict=True):
            index = AnnoyIndex(dim, "angular")
            try:
                index.load(str(path))
            except OSError as error:
                raise LibraryError(
                    f"{path} cannot be opened as an Annoy index of {dim} dimensions: {error}. Publish again with index."
                ) from error
            if index.get_n_items() != count:
                raise LibraryError(
                    f"{path} holds {index.get_n_items()} items, the manifest says {count}. Publish again with index."
                )
            self._partitions.append((first, index))
            first += count

    def nearest(self, query: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Finds the items whose vectors point the same way as `query`.

        Args:
            query: float32[dim]; any length but zero.
            k: how many, at least 1.

        Returns:
            int64[m] items and float32[m] cosines, best first; m is k, or the number of items if that is less.

        Raises:
            QueryError: `query` has another dimension, is zero, or is not finite.

        Source: Annoy's angular distance is sqrt(2 (1 - cos)), README of spotify/annoy.
        """
        if query.shape != (self.dim,) or not np.any(query) or not np.all(np.isfinite(query)):
            raise QueryError(
                f"A query must be {self.dim} finite numbers, not all zero; ask with another image or word. "
                f"Received: {np.size(query)} numbers."
            )
        items, distances = [], []
        for first, index in self._partitions:
            found, far = self._ask(index, query, k)
            items.append(np.asarray(found, np.int64) + first)
            distances.append(np.asarray(far, np.float32))
        all_items, all_distances = np.concatenate(items), np.concatenate(distances)
        best = np.argsort(all_distances, kind="stable")[:k]
        return all_items[best], np.asarray(1 - all_distances[best] ** 2 / 2, np.float32)

    def _ask(self, index: AnnoyIndex, query: NDArray[np.float32], k: int) -> tuple[list[int], list[float]]:
        """One partition's items and distances, as many as were asked for or as it has."""
        wanted = min(k, index.get_n_items())
        # The calibrated effort is for ten hits; more hits need proportionally more.
        effort = self.search_k * max(1, -(-k // NEIGHBOURS))
        while True:
            items, distances = index.get_nns_by_vector(query, k, effort, include_distances=True)
            if len(items) >= wanted or effort > _everything(index.get_n_items()):
                return items, distances
            # An item counts once for each tree that leads to it, so the effort may bring fewer items than it counts.
            effort = 2 * effort + wanted

    def close(self) -> None:
        """Unmaps the files; the index must not be asked again."""
        for _, index in self._partitions:
            index.unload()
        self._partitions.clear()


def calibrate(
    paths: Sequence[Path], counts: Sequence[int], vectors: Vectors, queries: NDArray[np.float32]
) -> Calibration:
    """Finds the smallest effort at which an index just built is sure to reach `RECALL_GOAL`, to within an eighth.

    Args:
        paths: the index's partitions in order.
        counts: items in each.
        vectors: float[n, dim], what the index was built from.
        queries: float32[q, dim], like those it will be asked; none of them zero.
    """
    kth = _tenth(vectors, queries)
    with closing(AnnoyPartitions(paths, vectors.shape[1], counts, search_k=1)) as ann:

        def ask_again(search_k: int, known: Floats, which: NDArray[np.bool_]) -> Floats:
            """Each query's recall at another effort, where `which` says that it may differ from the known one."""
            ann.search_k = search_k
            recalls = known.copy()
            recalls[which] = _recalls(ann, queries[which], kth[which])
            return recalls

        # More effort looks at more items and at all the others again. So what has been found in full need not be asked
        # with more, nor what is found as well with the least as with the most anywhere between.
        # Below a node per tree the sample would decide, not the index.
        low, high = TREES, NEIGHBOURS * TREES
        least: Floats = np.zeros(len(queries))
        most = ask_again(high, least, least < 1)
        while _mean(most) < _AIM and high < _everything(len(vectors)):
            low, high, least = high, high * 2, most
            most = ask_again(high, least, least < 1)
        while high - low > max(high // 8, NEIGHBOURS):
            middle = (low + high) // 2
            # With less than enough for as many items as are wanted, `nearest` itself tries harder.
            between = ask_again(middle, least, (least < most) | (middle < NEIGHBOURS * TREES))
            if _mean(between) >= _AIM:
                high, most = middle, between
            else:
                low, least = middle, between
    return Calibration(high, round(_mean(most), 4))


def recall(ann: AnnoyPartitions, vectors: Vectors, queries: NDArray[np.float32]) -> float:
    """Measures recall@10 of an open index against exact search, 0 to 1.

    Args:
        vectors: float[n, dim], what the index was built from.
        queries: float32[q, dim], none of them zero.
    """
    return _mean(_recalls(ann, queries, _tenth(vectors, queries)))


def exact(vectors: Vectors, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Finds each query's nearest vectors by comparing it with all of them, a piece of `vectors` at a time.

    Args:
        vectors: float[n, dim].
        queries: float32[q, dim], none of them zero.
        k: at most n.

    Returns:
        int64[q, k] rows and float32[q, k] cosines, best first.
    """
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    items = np.zeros((len(queries), k), np.int64)
    cosines = np.full((len(queries), k), -2, np.float32)
    for start in range(0, len(vectors), _PIECE):
        piece = np.asarray(vectors[start : start + _PIECE], np.float32)
        piece = piece / np.maximum(np.linalg.norm(piece, axis=1, keepdims=True), 1e-12)
        near = unit @ piece.T
        # Only the few that are nearer than the best so far are sorted; of equal ones the first row comes first.
        if start == 0 and k < len(piece):
            query, row = np.nonzero(near >= np.partition(near, -k, axis=1)[:, -k, None])
        else:
            query, row = np.nonzero(near > cosines[:, -1:])
        queried = np.concatenate([np.repeat(np.arange(len(queries)), k), query])
        found = np.concatenate([items.ravel(), row + start])
        cosine = np.concatenate([cosines.ravel(), near[query, row]])
        order = np.lexsort((found, -cosine, queried))
        firsts = np.searchsorted(queried[order], np.arange(len(queries)))
        best = order[firsts[:, None] + np.arange(k)]
        items, cosines = found[best], cosine[best]
    return items, cosines


def _recalls(ann: AnnoyPartitions, queries: NDArray[np.float32], kth: NDArray[np.float32]) -> Floats:
    """Of each query's exact nearest the share that is found, float[q]."""
    # Equal images have equal cosines: whichever of them comes back counts as found.
    cosines = [ann.nearest(query, NEIGHBOURS)[1] for query in queries]
    return np.asarray([np.mean(found >= edge - 1e-5) for found, edge in zip(cosines, kth, strict=True)])


def _mean(recalls: Floats) -> float:
    """The recall of all queries; without any there is nothing to miss."""
    return float(recalls.mean()) if len(recalls) else 1.0


def _tenth(vectors: Vectors, queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of each query's exact tenth (or last) neighbour, float32[q]."""
    return exact(vectors, queries, min(NEIGHBOURS, len(vectors)))[1][:, -1]


def _everything(items: int) -> int:
    """An effort at which no node of an index of so many items stays unvisited."""
    return 2 * TREES * items
