"""Groups of images that are copies or near-duplicates of each other, found once when a version is built.

Copies have equal bytes. Near-duplicates look the same: encoded again, resized, mirrored, or one of a burst. Cosines of
efficientnet-lite0's visual features on 1,400 photographs, 250 of them changed:

| change | 1 % quantile | 5 % quantile | median |
|---|---|---|---|
| JPEG quality 85 | 0.987 | 0.991 | 0.996 |
| twice the size | 0.944 | 0.965 | 0.988 |
| mirrored | 0.934 | 0.941 | 0.967 |
| 2 % cropped from each edge | 0.921 | 0.932 | 0.968 |
| camera moved by 4 % | 0.901 | 0.918 | 0.961 |
| JPEG quality 50 | 0.901 | 0.923 | 0.965 |
| 15 % brighter | 0.892 | 0.948 | 0.990 |
| 5 % cropped from each edge | 0.860 | 0.881 | 0.938 |
| half the size, 150 × 100 pixels | 0.659 | 0.727 | 0.901 |

Of the 979,300 pairs of different files, 15 have a cosine of 0.92 and more. 14 of them show one photograph twice,
mirrored or encoded again, one shows two pianos. From 0.85 to 0.92 most pairs show two things of one kind.

Perceptual hashes add copies in half the size, and rule out different slides and products on white: see
`findimg.index.duplicates.similar_hashes`.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.duplicates.similar_features import ContentHashes, compare_hashed, hash_features
from findimg.index.vector_types.base import VectorRows
from findimg.vectors import normalised

COMPARE_ALL_UP_TO = 4096  # contents up to which all pairs are compared


def group_duplicates(
    hashes: Sequence[str], visual: VectorRows, indexed: VectorRows, cosine: float
) -> NDArray[np.int32]:
    """Return the group of each image, named by the first item of the group.

    A group is a first image and all later ones that are its copies or near-duplicates. Two images of one group need not
    be near-duplicates of each other, but both are of the first.

    Args:
        hashes: SHA-256 of each image's bytes.
        visual: float[images, dim], the visual features.
        indexed: float[images, n], projected features, or `visual` itself.
        cosine: the least cosine of near-duplicates, of `visual`.

    Returns:
        int32[images], for an image without duplicates its own item.
    """
    firsts = first_copies(hashes)
    contents = np.flatnonzero(firsts == np.arange(len(firsts)))
    is_new = np.ones(len(contents), np.bool_)
    if len(contents) <= COMPARE_ALL_UP_TO:
        pairs = compare_all(visual, contents, is_new, cosine)
    else:
        sample = contents[:: -(-len(contents) // 20_000)]
        centre = np.asarray(indexed[sample], np.float32).mean(axis=0)
        codes = hash_features(indexed, centre)[contents]
        pairs = compare_hashed(visual, contents, is_new, ContentHashes.of(codes), cosine)
    return name_groups(firsts, pairs)


def first_copies(hashes: Sequence[str]) -> NDArray[np.int32]:
    """Return for each image the first item with the same SHA-256, int32[images]."""
    firsts: dict[str, int] = {}
    return np.fromiter((firsts.setdefault(sha256, item) for item, sha256 in enumerate(hashes)), np.int32, len(hashes))


def name_groups(firsts: NDArray[np.int32], pairs: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return the group of each image, named by the first item of the group, int32[images].

    Args:
        firsts: what `first_copies` returned.
        pairs: int64[p, 2], near-duplicates, each a first copy, the smaller item first.
    """
    leaders: dict[int, int] = {}  # content → the first content that it is a near-duplicate of
    near: dict[int, list[int]] = defaultdict(list)
    for first, second in pairs.tolist():
        near[second].append(first)
    for second in sorted(near):
        leader = min((first for first in near[second] if first not in leaders), default=None)
        if leader is not None:
            leaders[second] = leader
    if not leaders:
        return firsts
    renamed = np.arange(len(firsts), dtype=np.int32)
    renamed[list(leaders)] = list(leaders.values())
    return renamed[firsts]


def compare_all(
    visual: VectorRows, contents: NDArray[np.int64], is_new: NDArray[np.bool_], cosine: float
) -> NDArray[np.int64]:
    """Return the pairs of near-duplicates with a new content, by comparing the new contents with all.

    Args:
        visual: float[images, dim], the visual features.
        contents: int64[n], ascending, one item of each content.
        is_new: bool[n].
        cosine: the least cosine of near-duplicates.

    Returns:
        int64[p, 2], items, the smaller one first.
    """
    vectors = normalised(visual[contents])
    new = np.flatnonzero(is_new)
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(new), 1024):
        chunk = new[start : start + 1024]
        row, other = np.nonzero(vectors[chunk] @ vectors.T >= cosine)
        one = chunk[row]
        # A pair of two new contents is found twice.
        kept = (one < other) | ((one > other) & ~is_new[other])
        found.append(np.stack([np.minimum(one, other)[kept], np.maximum(one, other)[kept]], axis=1))
    return np.asarray(contents[np.concatenate(found)], np.int64)


class Duplicates:
    """The groups of a version, opened for reading."""

    def __init__(self, groups: NDArray[np.int32]):
        """Use groups as `group_duplicates` returns them."""
        self._groups = groups
        sizes = np.bincount(groups, minlength=len(groups))
        self._is_large = sizes[groups] > 1
        members = np.flatnonzero(self._is_large)
        self._members = members[np.argsort(groups[members], kind="stable")]  # of large groups, group by group
        self._names = groups[self._members]

    def __len__(self) -> int:
        """Return the number of groups with more than one image."""
        return len(np.unique(self._names))

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        """Yield the items of each group with more than one image, ascending."""
        starts = np.flatnonzero(np.diff(self._names)) + 1
        yield from (items for items in np.split(self._members, starts) if len(items))

    def count(self, items: NDArray[np.int64] | None) -> int:
        """Return the number of groups among some different items, or among all; an image alone is a group."""
        if items is None:
            return len(self._groups) - len(self._members) + len(self)
        names = self._groups[items]
        large = np.flatnonzero(self._is_large[items])
        return len(items) - len(large) + (len(np.unique(names[large])) if len(large) else 0)

    def fold(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of `items` that are the first of their group among them, ascending."""
        large = np.flatnonzero(self._is_large[items])
        if not len(large):
            return np.arange(len(items))
        _, first = np.unique(self._groups[items[large]], return_index=True)
        kept = ~self._is_large[items]
        kept[large[first]] = True
        return np.flatnonzero(kept)

    def members(self, item: int) -> NDArray[np.int64]:
        """Return the other items of an item's group, ascending."""
        if not self._is_large[item]:
            return np.empty(0, np.int64)
        name = self._groups[item]
        start, end = np.searchsorted(self._names, [name, name + 1])
        found = self._members[start:end]
        return np.asarray(found[found != item], np.int64)


def open_groups(path: Path, images: int) -> NDArray[np.int32]:
    """Return the group of each image from the file of a version of schema 1, int32[images].

    Raises:
        LibraryError: the file is damaged, or belongs to another number of images.
    """
    try:
        groups = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    if groups.shape != (images,) or groups.dtype != np.int32 or (len(groups) and groups.min() < 0):
        raise LibraryError(f"{path} does not hold the groups of {images} images. Publish again with index.")
    return np.asarray(groups, np.int32)
