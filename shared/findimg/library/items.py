"""The items of a version: its images, numbered in URI order, and where each one is stored in the segments.

A row of a segment that no item names belongs to a deleted image.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError


class ItemRows:
    """Says which row of which segment each item is, and which item each row is."""

    def __init__(self, sizes: Sequence[int], rows: NDArray[np.int64] | None = None):
        """Use the rows of all items.

        Args:
            sizes: number of rows in each segment.
            rows: int64[items], the row of each item, counted through all segments. None if every row is an item, in
                this order.
        """
        self.sizes = tuple(sizes)
        self._starts = np.concatenate([[0], np.cumsum(self.sizes)])
        total = int(self._starts[-1])
        if rows is not None and len(rows) == total and np.array_equal(rows, np.arange(total)):
            rows = None
        self.rows: NDArray[np.int64] = np.arange(total) if rows is None else rows
        # Then the one segment needs no translation of rows to items.
        self.is_plain = rows is None and len(self.sizes) == 1

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.rows)

    def items(self, segment: int) -> NDArray[np.int64]:
        """Return the item of each row of a segment, int64[rows]. Rows of deleted images have the number of items."""
        return self._items[self._starts[segment] : self._starts[segment + 1]]

    def deleted(self, segment: int) -> NDArray[np.int64]:
        """Return the rows of a segment's deleted images, ascending."""
        return self._deleted[segment]

    def split(self, items: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Yield for each segment its number, the places of its images among `items`, and their rows."""
        rows = self.rows[items]
        if len(self.sizes) == 1:
            yield 0, np.arange(len(rows)), rows
            return
        # Small numbers are sorted several times as fast as large ones.
        segments = (np.searchsorted(self._starts, rows, side="right") - 1).astype(np.min_scalar_type(len(self.sizes)))
        order = np.argsort(segments, kind="stable")
        ordered = segments[order]
        starts = [0, *(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(order)]
        for start, end in pairwise(starts):
            if start < end:
                segment, places = int(ordered[start]), order[start:end]
                yield segment, places, rows[places] - self._starts[segment]

    def locate(self, item: int) -> tuple[int, int]:
        """Return an item's segment and its row there."""
        row = int(self.rows[item])
        segment = int(np.searchsorted(self._starts, row, side="right")) - 1
        return segment, row - int(self._starts[segment])

    @cached_property
    def _items(self) -> NDArray[np.int64]:
        items = np.full(self._starts[-1], len(self), np.int64)
        items[self.rows] = np.arange(len(self))
        return items

    @cached_property
    def _deleted(self) -> list[NDArray[np.int64]]:
        return [np.flatnonzero(self.items(segment) == len(self)) for segment in range(len(self.sizes))]


def write_items(path: Path, rows: NDArray[np.int64], groups: NDArray[np.int32]) -> None:
    """Write the row and the group of each item. Equal values give equal bytes.

    Both are written as differences, which are small and mostly equal, so that the compressed file is small.

    Args:
        path: the file.
        rows: int64[items], see `ItemRows`.
        groups: int32[items], see `group_duplicates`.
    """
    differences = np.diff(rows, prepend=-1).astype(np.int32)
    np.savez_compressed(path, rows=differences, groups=groups - np.arange(len(groups), dtype=np.int32))


def read_items(path: Path, sizes: Sequence[int], images: int) -> tuple[ItemRows, NDArray[np.int32]]:
    """Read what `write_items` wrote.

    Args:
        path: the file.
        sizes: number of rows in each segment.
        images: number of items.

    Raises:
        LibraryError: the file is damaged, or does not fit the segments.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes())) as arrays:
            rows = np.cumsum(arrays["rows"], dtype=np.int64) - 1
            groups = np.asarray(arrays["groups"] + np.arange(len(arrays["groups"])), np.int32)
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    total = sum(sizes)
    if (
        images < 1
        or rows.shape != (images,)
        or groups.shape != (images,)
        or not 0 <= int(rows.min()) <= int(rows.max()) < total
        or int(np.bincount(rows).max()) > 1
        or not 0 <= int(groups.min()) <= int(groups.max()) < images
    ):
        raise LibraryError(f"{path} does not fit {images} images in {total} rows. Publish again with index.")
    return ItemRows(sizes, rows), groups
