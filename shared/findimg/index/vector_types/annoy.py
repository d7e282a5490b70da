"""Annoy: approximate search with trees, for large numbers of vectors. Several partitions are searched as one index."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from annoy import AnnoyIndex
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.vector_types.base import (
    NEIGHBOURS,
    Calibration,
    VectorIndex,
    Vectors,
    check_query,
    register_index_type,
)
from findimg.index.vector_types.exact import mean_recall, recalls, tenth_similarities
from findimg.library.manifest import IndexEntry
from findimg.vectors import normalised

_TREES = 50
# Recall on the calibration queries. It is above RECALL_GOAL, so that other queries reach the goal too.
_TARGET_RECALL = 0.99
_SEED = 20
_CHUNK = 16_384  # vectors added at a time
# Extra cost of a visited node, in vector components of an exact scan, because its memory is not read in order. Measured
# on 10,000 to 1,000,000 vectors of 128 dimensions: 0.09 to 1.1 µs a node, most often 0.3.
_NODE_COST = 800


class AnnoyPartitions:
    """The partitions of one index. A search asks all of them and merges their results by similarity."""

    is_exact = False

    def __init__(self, paths: Sequence[Path], dim: int, counts: Sequence[int], search_k: int):
        """Map the files into memory.

        Args:
            paths: the partitions in order.
            dim: dimension of the vectors.
            counts: number of items in each partition.
            search_k: Annoy's search effort for `NEIGHBOURS` hits, from the calibration.

        Raises:
            LibraryError: a file is missing, or has another number of items or dimensions.
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
                    f"{path} holds {index.get_n_items()} items, the manifest states {count}. Publish again with index."
                )
            self._partitions.append((first, index))
            first += count

    def search(
        self, query: NDArray[np.float32], k: int, without: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See `VectorIndex.search`."""
        check_query(query, self.dim)
        if without is None or not len(without):
            return self._nearest(query, k)
        count = sum(index.get_n_items() for _, index in self._partitions)
        left = count - len(without)
        # The search also returns items to leave out, so it asks for proportionally more, and for some on top.
        wanted = min(count, k * count // max(1, left) + k // 2 + NEIGHBOURS)
        while True:
            items, cosines = self._nearest(query, wanted)
            kept = np.flatnonzero(~np.isin(items, without))[:k]
            if len(kept) >= min(k, left) or wanted >= count:
                return items[kept], cosines[kept]
            wanted = min(count, 2 * wanted)

    def _nearest(self, query: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the nearest items of all partitions and their cosine similarities.

        Source: Annoy's angular distance is sqrt(2 (1 - cos)), README of spotify/annoy.
        """
        items, distances = [], []
        for first, index in self._partitions:
            found, far = self._search_partition(index, query, k)
            items.append(np.asarray(found, np.int64) + first)
            distances.append(np.asarray(far, np.float32))
        all_items, all_distances = np.concatenate(items), np.concatenate(distances)
        best = np.argsort(all_distances, kind="stable")[:k]
        return all_items[best], np.asarray(1 - all_distances[best] ** 2 / 2, np.float32)

    def similarities(self, query: NDArray[np.float32], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `VectorIndex.similarities`."""
        check_query(query, self.dim)
        unit = normalised(query)
        firsts = np.array([first for first, _ in self._partitions])
        cosines = np.empty(len(items), np.float32)
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            partitions = np.searchsorted(firsts, chunk, side="right") - 1
            pairs = zip(partitions.tolist(), (chunk - firsts[partitions]).tolist(), strict=True)
            vectors = np.array([self._partitions[p][1].get_item_vector(i) for p, i in pairs], np.float32)
            cosines[start : start + _CHUNK] = normalised(vectors) @ unit
        return cosines

    def close(self) -> None:
        """See `VectorIndex.close`."""
        for _, index in self._partitions:
            index.unload()
        self._partitions.clear()

    def _search_partition(self, index: AnnoyIndex, query: NDArray[np.float32], k: int) -> tuple[list[int], list[float]]:
        """Return a partition's nearest items and their distances: `k` of them, or all if it has fewer."""
        wanted = min(k, index.get_n_items())
        # The calibrated effort is for ten hits. More hits need proportionally more.
        effort = self.search_k * max(1, -(-k // NEIGHBOURS))
        while True:
            items, distances = index.get_nns_by_vector(query, k, effort, include_distances=True)
            if len(items) >= wanted or effort > _full_effort(index.get_n_items()):
                return items, distances
            # Annoy counts an item once per tree that leads to it, so it may return fewer items than the effort.
            effort = 2 * effort + wanted


class _Annoy:
    """The index type of `AnnoyPartitions`."""

    name = "annoy"
    suffix = ".ann"
    min_components = 50_000_001  # an exact scan of fewer is fast enough, so no other index is built to compare with

    def needed_space(self, count: int, dim: int) -> int:
        # The file grows by doubling while it is built.
        return int(2 * (4 * dim + 12) * (count * (1 + 3 * _TREES / dim) + 4 * _TREES))

    def build(self, vectors: Vectors, path: Path) -> None:
        index = AnnoyIndex(vectors.shape[1], "angular")
        index.set_seed(_SEED)
        index.on_disk_build(str(path))
        for start in range(0, len(vectors), _CHUNK):
            # Annoy takes plain lists several times faster than rows of a mapped file.
            for item, vector in enumerate(np.asarray(vectors[start : start + _CHUNK]).tolist(), start):
                index.add_item(item, vector)
        # More threads would build other trees on each machine: the bytes would differ for the same images.
        index.build(_TREES, n_jobs=1)
        index.unload()

    def calibrate(self, path: Path, vectors: Vectors, queries: NDArray[np.float32]) -> Calibration:
        """Find the least search effort that reaches the target recall, to within an eighth."""
        tenth = tenth_similarities(vectors, queries)
        with closing(AnnoyPartitions([path], vectors.shape[1], [len(vectors)], search_k=1)) as index:

            def measure(search_k: int, known: NDArray[np.floating], which: NDArray[np.bool_]) -> NDArray[np.floating]:
                """Return each query's recall at an effort. Only the queries in `which` are measured again."""
                index.search_k = search_k
                values = known.copy()
                values[which] = recalls(index, queries[which], tenth[which])
                return values

            # More effort visits the same items and more, so recall never falls. Queries are skipped whose recall is 1
            # already, or equal with the least and the most effort. With less than one node per tree, the result would
            # depend on the sample.
            low, high = _TREES, NEIGHBOURS * _TREES
            least: NDArray[np.floating] = np.zeros(len(queries))
            most = measure(high, least, least < 1)
            while mean_recall(most) < _TARGET_RECALL and high < _full_effort(len(vectors)):
                low, high, least = high, high * 2, most
                most = measure(high, least, least < 1)
            while high - low > max(high // 8, NEIGHBOURS):
                middle = (low + high) // 2
                # With an effort too small for the number of items, `search` itself increases it.
                between = measure(middle, least, (least < most) | (middle < NEIGHBOURS * _TREES))
                if mean_recall(between) >= _TARGET_RECALL:
                    high, most = middle, between
                else:
                    low, least = middle, between
        return Calibration(high, round(mean_recall(most), 4), high * (_NODE_COST + vectors.shape[1]))

    def open(self, paths: Sequence[Path], entry: IndexEntry) -> VectorIndex:
        return AnnoyPartitions(paths, entry.dim, entry.counts, entry.search_k)


register_index_type(_Annoy())


def _full_effort(items: int) -> int:
    """Return an effort with which no node of an index of this size stays unvisited."""
    return 2 * _TREES * items
