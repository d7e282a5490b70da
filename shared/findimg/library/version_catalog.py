"""The catalog of a version: the catalogs of its segments, used as one."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from findimg.library.catalog import UNDATED, Catalog, CatalogRow
from findimg.library.catalog_filters import Filters
from findimg.library.items import ItemRows
from findimg.library.layout import CATALOG_FILE
from findimg.library.library import Version


class VersionCatalog:
    """The catalogs of a version's segments, opened for reading. Several threads may use it at the same time."""

    def __init__(self, version: Version, rows: ItemRows):
        """Open the files.

        Raises:
            LibraryError: a file is no catalog.
        """
        self.images = len(rows)
        self._rows = rows
        self._parts: list[Catalog] = []
        try:
            for segment in version.manifest.segments:
                self._parts.append(Catalog(version.folder(segment) / CATALOG_FILE))
        except Exception:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def row(self, item: int) -> CatalogRow:
        """Return the image behind an item of the version."""
        segment, row = self._rows.locate(item)
        return self._parts[segment].row(row)

    def rows(self, items: Sequence[int]) -> list[CatalogRow]:
        """Return the images behind items of the version, at most some thousands, in the items' order."""
        if not len(items):
            return []
        found: dict[int, CatalogRow] = {}
        for segment, places, rows in self._rows.split(np.asarray(items, np.int64)):
            found.update(zip(places.tolist(), self._parts[segment].rows(rows.tolist()), strict=True))
        return [found[place] for place in range(len(items))]

    def item(self, uri: str) -> int | None:
        """Return the item of the image at `uri`, None if it is not indexed.

        Composed and decomposed characters name the same image.
        """
        for segment, part in enumerate(self._parts):
            row = part.item(uri)
            if row is not None and (item := int(self._rows.items(segment)[row])) < self.images:
                return item
        return None

    def matching(self, filters: Filters) -> NDArray[np.int64]:
        """Return all items for which the filters hold, in ascending order, int64[m]."""
        return self._items_of([part.matching(filters) for part in self._parts])

    def by_date(self, items: NDArray[np.int64], oldest_first: bool = False) -> NDArray[np.int64]:
        """Return items in the order of their capture time, the newest first. Undated ones come last.

        Items of the same time keep their order.
        """
        times = self._times[items]
        return items[np.lexsort((times if oldest_first else -times, times == UNDATED))]

    def folders(self) -> list[str]:
        """Return every folder that holds an image, in alphabetical order."""
        parts = enumerate(self._parts)
        return sorted(set().union(*(part.folders(self._rows.deleted(segment)) for segment, part in parts)))

    def without(self, hashes: Iterable[str]) -> set[str]:
        """Return those of some images, by SHA-256, that are not indexed."""
        missing = set(hashes)
        for segment, part in enumerate(self._parts):
            items = self._rows.items(segment)
            missing.difference_update(sha256 for row, sha256 in part.hashes() if items[row] < self.images)
        return missing

    def dated_by_file(self, filters: Filters) -> int:
        """Return how many of the images that match the filters are dated by their file's time."""
        return len(self._items_of([part.dated_by_file(filters) for part in self._parts]))

    def undated(self) -> int:
        """Return the number of images without a date, which no date filter finds."""
        return self._undated

    def starting_with(self, prefix: str) -> list[tuple[int, str]]:
        """Return the items whose URI starts with `prefix`, and their URIs, in the order of the items."""
        found = [
            (int(self._rows.items(segment)[row]), uri)
            for segment, part in enumerate(self._parts)
            for row, uri in part.starting_with(prefix)
        ]
        return sorted(each for each in found if each[0] < self.images)

    def close(self) -> None:
        """Close the files."""
        for part in self._parts:
            part.close()

    def _items_of(self, rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Return the items of rows of each segment, in ascending order, without those of deleted images."""
        if self._rows.is_plain:
            return rows[0]
        items = np.sort(np.concatenate([self._rows.items(segment)[each] for segment, each in enumerate(rows)]))
        return items[: np.searchsorted(items, self.images)]

    @cached_property
    def _undated(self) -> int:
        return len(self._items_of([part.undated() for part in self._parts]))

    @cached_property
    def _times(self) -> NDArray[np.int64]:
        times = np.full(self.images + 1, UNDATED, np.int64)  # the last place is for deleted images
        for segment, part in enumerate(self._parts):
            times[self._rows.items(segment)] = part.times()
        return times[:-1]
