"""Compare the perceptual hashes of many images.

They correct what visual features say of near-duplicates. Features of a copy in half the size differ much, and those of
two slides of one template hardly: for efficientnet-lite0 all their cosines are at least 0.92. Differing bits, of 256,
for 120 to 1,400 photographs of 300 pixels and for 80 made-up slides and pages of text:

| | photographs | slides and pages |
|---|---|---|
| one image and its copy in half the size, JPEG quality 60 | at most 16 | at most 17 |
| two different images | at least 27 | at least 27 |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from findimg.images.perceptual_hash import HASH_BYTES, LENGTH
from findimg.index.mapped_files import new_array

_COPY_BITS = 20  # maximum number of differing bits of copies
# Percentage of the most frequent colour from which on an image is flat, such as a slide or a product on white.
_FLAT = 30
_LINKS = 8  # following images with equal bits in two rows that an image is compared with
_COMPARE_ALL_UP_TO = 4096  # images up to which all pairs are compared
_BLOCK = 256  # images that are compared with all at a time


def hash_rows(hashes: Sequence[bytes | None]) -> NDArray[np.uint8]:
    """Return perceptual hashes as rows, uint8[n, LENGTH]. The row of an unknown hash is zero."""
    rows = [each if each is not None and len(each) == LENGTH else bytes(LENGTH) for each in hashes]
    return np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), LENGTH)


@dataclass(frozen=True, slots=True, eq=False)
class PerceptualHashes:
    """The perceptual hashes of n images."""

    bits: NDArray[np.uint64]  # uint64[n, 4]
    background: NDArray[np.uint8]  # uint8[n], percentage of the most frequent colour, 0 for an unknown hash

    @classmethod
    def of(cls, rows: NDArray[np.uint8]) -> Self:
        """Keep hashes in memory, as `hash_rows` returns them, uint8[n, LENGTH]."""
        hashes = cls(np.zeros((len(rows), HASH_BYTES // 8), np.uint64), np.zeros(len(rows), np.uint8))
        hashes.put(np.arange(len(rows)), rows)
        return hashes

    @classmethod
    def in_files(cls, folder: Path, count: int) -> Self:
        """Return unknown hashes in two new files of a folder, so that they need not fit into memory; see `put`.

        Raises:
            OSError: the folder has no room.
        """
        bits = new_array(folder / "bits.draft", np.uint64, (count, HASH_BYTES // 8))
        return cls(bits, new_array(folder / "background.draft", np.uint8, (count,)))

    def put(self, places: NDArray[np.int64], rows: NDArray[np.uint8]) -> None:
        """Store the hashes of some images.

        Args:
            places: int64[m], the images' places.
            rows: uint8[m, LENGTH], as `hash_rows` returns them.
        """
        self.bits[places] = np.ascontiguousarray(rows[:, :HASH_BYTES]).view(np.uint64)
        self.background[places] = rows[:, HASH_BYTES]

    def differing_bits(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of differing bits of pairs of images, int64[pairs]."""
        return np.asarray(np.bitwise_count(self.bits[one] ^ self.bits[other]).sum(axis=1), np.int64)

    def are_only_alike(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pairs of images with similar features are different flat images, bool[pairs].

        Two photographs of a burst may differ in any number of bits, but two slides that do are different slides.
        """
        flat = np.minimum(self.background[one], self.background[other]) >= _FLAT
        return flat & (self.differing_bits(one, other) > _COPY_BITS)

    def copies(self, is_new: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return the pairs of images with nearly equal bits of which one is new, int64[p, 2], the smaller one first.

        Args:
            is_new: bool[n].
        """
        find = self._compare_all if len(is_new) <= _COMPARE_ALL_UP_TO else self._compare_rows
        pairs = np.unique(np.concatenate([np.empty((0, 2), np.int64), *find(is_new)]), axis=0)
        # Images without edges, such as blank pages, have no bits to compare.
        return np.asarray(pairs[self.bits[pairs].any(axis=2).all(axis=1)])

    def _compare_all(self, is_new: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        found = []
        new = np.flatnonzero(is_new)
        for start in range(0, len(new), _BLOCK):
            block = new[start : start + _BLOCK]
            different = np.bitwise_count(self.bits[block, None] ^ self.bits[None]).sum(axis=2, dtype=np.int64)
            row, other = np.nonzero(different <= _COPY_BITS)
            pairs = np.stack([block[row], other], axis=1)
            found.append(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1))
        return found

    def _compare_rows(self, is_new: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
        """Compare images with equal bits in two rows of places, one below the other. 99 % of the copies have them."""
        found = []
        rows = self.bits.view(np.uint16)
        for number in range(rows.shape[1]):
            codes = np.ascontiguousarray(rows[:, number])
            is_code = np.zeros(2**16, np.bool_)
            is_code[codes[is_new]] = True
            is_code[0] = False  # a row without edges is in many images
            places = np.flatnonzero(is_code[codes])
            keys = codes[places].astype(np.uint32) << 16 | rows[places, (number + 1) % rows.shape[1]]
            order = np.argsort(keys, kind="stable")
            keys, places = keys[order], places[order]
            for step in range(1, _LINKS + 1):
                kept = np.flatnonzero(keys[:-step] == keys[step:])
                one, other = places[kept], places[kept + step]
                is_copy = (is_new[one] | is_new[other]) & (self.differing_bits(one, other) <= _COPY_BITS)
                found.append(np.sort(np.stack([one[is_copy], other[is_copy]], axis=1), axis=1))
        return found
