"""Find near-duplicates among many images without comparing all pairs.

Features are hashed: each bit says on which side of a random plane they are. Images with similar hashes form clumps, and
the images of one clump are compared with each other by matrix products. On 100,000 made-up images, whose clumps have up
to 2,755 members, this takes a twentieth of the processor time of comparing one candidate pair after the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from findimg.index.mapped_files import new_array
from findimg.index.vector_types.base import VectorRows
from findimg.vectors import normalised

# Images are linked if they lie on the same side of all 16 planes of a table and their whole hashes are similar.
# At a cosine of 0.95, 24 tables miss 1 pair of 150.
_TABLES = 24
_BITS = 16
# Of their 384 bits, 39 ± 6 differ at a cosine of 0.95, 96 ± 8 at 0.7.
_DIFFERENT_BITS = 70
_LINKS = 8  # following images in a table that an image is linked to. Images in between are linked to both.
_TOGETHER = 64  # small clumps are joined up to this number of images, so that fewer products are computed
_LARGEST = 8192  # images of a clump that are all compared with each other
_ORDERS = 6  # tables by whose order a larger clump is cut into parts
_FEW = 0.05  # share of new contents up to which only those with hashes similar to theirs are looked for
_NEW_TOGETHER = 128  # new contents that are compared with their candidates at a time
_BLOCK = 1024  # rows of one matrix product
_CHUNK = 8192  # rows hashed at a time
_AT_ONCE = 250_000  # pairs of hashes compared at a time


def hash_features(features: VectorRows, centre: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return hashes of features.

    Args:
        features: float[rows, n], projected or visual features.
        centre: float32[n], a point that all planes pass through.

    Returns:
        uint64[rows, 6]. As uint16[rows, 24], each number is the image's code in one table.
    """
    planes = np.random.default_rng(0).standard_normal((features.shape[1], _TABLES * _BITS), np.float32)
    codes = np.empty((len(features), _TABLES), np.uint16)
    powers = 2 ** np.arange(_BITS)
    for start in range(0, len(codes), _CHUNK):
        rows = np.asarray(features[start : start + _CHUNK], np.float32) - centre
        codes[start : start + len(rows)] = (rows @ planes > 0).reshape(len(rows), _TABLES, _BITS) @ powers
    return codes.view(np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class ContentHashes:
    """The hashes of n contents. Each is stored by content and by table, which takes 96 bytes for a content."""

    rows: NDArray[np.uint64]  # uint64[n, 6]
    tables: NDArray[np.uint16]  # uint16[24, n], the codes in each table

    @classmethod
    def of(cls, rows: NDArray[np.uint64]) -> Self:
        """Keep hashes in memory."""
        return cls(rows, np.ascontiguousarray(rows.view(np.uint16).T))

    @classmethod
    def in_files(cls, folder: Path, count: int) -> Self:
        """Return zeros in two new files of a folder, so that the hashes need not fit into memory; see `put`.

        Raises:
            OSError: the folder has no room.
        """
        rows = new_array(folder / "hashes.draft", np.uint64, (count, _TABLES * _BITS // 64))
        return cls(rows, new_array(folder / "tables.draft", np.uint16, (_TABLES, count)))

    def put(self, places: NDArray[np.int64], rows: NDArray[np.uint64]) -> None:
        """Store the hashes of some contents.

        Args:
            places: int64[m], the contents' places.
            rows: uint64[m, 6].
        """
        self.rows[places] = rows
        self.tables[:, places] = rows.view(np.uint16).T

    def __len__(self) -> int:
        """Return the number of contents."""
        return len(self.rows)

    def are_similar(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for each pair of places whether their whole hashes are similar, bool[pairs]."""
        similar = np.empty(len(one), np.bool_)
        for start in range(0, len(one), _AT_ONCE):
            pairs = slice(start, start + _AT_ONCE)
            different = np.bitwise_count(self.rows[one[pairs]] ^ self.rows[other[pairs]]).sum(axis=1)
            similar[pairs] = different <= _DIFFERENT_BITS
        return similar


def compare_hashed(
    visual: VectorRows,
    contents: NDArray[np.int64],
    is_new: NDArray[np.bool_],
    hashes: ContentHashes,
    cosine: float,
) -> NDArray[np.int64]:
    """Return the pairs of near-duplicates that have a new content, by comparing contents with similar hashes.

    Args:
        visual: float[images, dim], the visual features.
        contents: int64[n], ascending, one item of each content.
        is_new: bool[n].
        hashes: of the contents' features.
        cosine: the least cosine of near-duplicates.

    Returns:
        int64[p, 2], items, the smaller one first, in ascending order.
    """
    found = [np.empty(0, np.int64)]  # pairs of places, each as one number
    few = np.count_nonzero(is_new) <= _FEW * len(is_new)
    for places in _places_like_new(hashes, is_new) if few else _places_to_compare(hashes, is_new):
        # The new ones last: each block is compared with all that are before it, and so each pair once.
        places = places[np.argsort(is_new[places], kind="stable")]
        vectors = normalised(visual[contents[places]])
        known = len(places) - np.count_nonzero(is_new[places])
        for start in range(known, len(places), _BLOCK):
            end = min(start + _BLOCK, len(places))
            row, other = np.nonzero(vectors[start:end] @ vectors[:end].T >= cosine)
            kept = other < row + start
            one, two = places[row[kept] + start], places[other[kept]]
            found.append(np.minimum(one, two) * len(contents) + np.maximum(one, two))
    pairs = np.divmod(np.unique(np.concatenate(found)), max(1, len(contents)))
    return np.asarray(contents[np.stack(pairs, axis=1)], np.int64)


def _places_to_compare(hashes: ContentHashes, is_new: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Yield sets of places whose contents are compared with each other. Each has at most `_LARGEST` places."""
    clumps = _find_clumps(hashes)
    sizes, new = np.bincount(clumps), np.bincount(clumps, is_new)
    compared = np.flatnonzero((sizes[clumps] > 1) & (new[clumps] > 0))
    compared = compared[np.argsort(clumps[compared], kind="stable")]
    ends = np.append(np.flatnonzero(np.diff(clumps[compared])) + 1, len(compared))
    first = start = 0
    for end in ends.tolist() if len(compared) else []:
        if end - first > _TOGETHER and start > first:
            yield compared[first:start]
            first = start
        if end - first > _LARGEST:
            yield from _parts(compared[first:end], hashes)
            first = end
        start = end
    if start > first:
        yield compared[first:start]


def _places_like_new(hashes: ContentHashes, is_new: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Yield sets of places: some new contents, and the contents with similar hashes.

    If few are new, this is faster than finding the clumps of all contents.
    """
    new = np.flatnonzero(is_new)
    new = new[np.argsort(hashes.tables[0][new], kind="stable")]  # similar ones together, so that they share candidates
    for start in range(0, len(new), _NEW_TOGETHER):
        block = new[start : start + _NEW_TOGETHER]
        is_similar = np.zeros(len(hashes), np.bool_)
        is_similar[block] = True
        for table in hashes.tables:
            ordered = block[np.argsort(table[block], kind="stable")]
            codes = table[ordered]
            is_code = np.zeros(2**_BITS, np.bool_)
            is_code[codes] = True
            candidates = np.flatnonzero(is_code[table] & ~is_similar)
            first = np.searchsorted(codes, table[candidates], side="left")
            counts = np.searchsorted(codes, table[candidates], side="right") - first
            is_similar[candidates] = _is_any_similar(hashes, candidates, first, counts, ordered)
        similar = np.flatnonzero(is_similar & ~is_new)
        others = np.flatnonzero(is_similar & is_new)
        for place in range(0, max(1, len(similar)), _LARGEST):
            yield np.concatenate([similar[place : place + _LARGEST], others if not place else block])


def _is_any_similar(
    hashes: ContentHashes,
    candidates: NDArray[np.int64],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    ordered: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Return which candidates have a hash similar to that of any of `ordered[first : first + counts]`, bool[n]."""
    found = np.zeros(len(candidates), np.bool_)
    for step in range(int(counts.max(initial=0))):
        left = np.flatnonzero((counts > step) & ~found)
        found[left] = hashes.are_similar(candidates[left], ordered[first[left] + step])
    return found


def _parts(clump: NDArray[np.int64], hashes: ContentHashes) -> Iterator[NDArray[np.int64]]:
    """Yield parts of a clump that is too large to compare all its pairs. Similar images share some part."""
    for table in hashes.tables[:_ORDERS]:
        ordered = clump[np.argsort(table[clump], kind="stable")]
        yield from np.array_split(ordered, -(-len(ordered) // (_LARGEST // 2)))


def _find_clumps(hashes: ContentHashes) -> NDArray[np.int64]:
    """Return the clump of each hash, int64[n], named by its first place. Linked hashes are in one clump."""
    clumps = np.arange(len(hashes))
    for number, table in enumerate(hashes.tables):
        next_table = hashes.tables[(number + 1) % _TABLES]
        # Among equal codes, those that are also equal in the next table are neighbours.
        order = np.argsort(table.astype(np.uint32) << 16 | next_table)
        ordered = table[order]
        for step in range(1, _LINKS + 1):
            links = []
            is_last = True
            for start in range(0, len(ordered) - step, _AT_ONCE):
                end = min(start + _AT_ONCE, len(ordered) - step)
                equal = start + np.flatnonzero(ordered[start + step : end + step] == ordered[start:end])
                is_last = is_last and not len(equal)
                pairs = np.stack([order[equal], order[equal + step]])
                pairs = pairs[:, clumps[pairs[0]] != clumps[pairs[1]]]
                links.append(pairs[:, hashes.are_similar(*pairs)])
            if is_last:
                break
            _join(clumps, *np.concatenate(links, axis=1))
    return clumps


def _join(clumps: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
    """Give the clumps of linked places the name of the smaller one."""
    while len(one):
        first, second = clumps[one], clumps[other]
        np.minimum.at(clumps, np.maximum(first, second), np.minimum(first, second))
        while not np.array_equal(names := clumps[clumps], clumps):
            clumps[:] = names
        apart = clumps[one] != clumps[other]
        one, other = one[apart], other[apart]
