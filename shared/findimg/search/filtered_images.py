"""The images that match the filters of a query. The condition in SQL is in `library/catalog_filters.py`."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from findimg.library.catalog_filters import Filters
from findimg.library.version_catalog import VersionCatalog
from findimg.search.answers.folders import nearest_folders
from findimg.terminal import counted

_KEPT = 16  # filters whose matches are kept, 8 bytes for each matching image


class FilteredImages:
    """Finds the images of a version that match filters. Several threads may use it at the same time."""

    def __init__(self, catalog: VersionCatalog):
        """Use the catalog of a version."""
        self._catalog = catalog
        self._matching = lru_cache(_KEPT)(catalog.matching)
        self.note = lru_cache(_KEPT)(self._note)

    def matching(self, filters: Filters, excluded: int | None = None) -> NDArray[np.int64] | None:
        """Return the items that match some filters, int64[n], ascending. None without filters.

        Args:
            filters: of a query.
            excluded: an item to leave out.
        """
        if not filters:
            return None
        items = self._matching(filters)
        return items if excluded is None else items[items != excluded]

    def _note(self, filters: Filters) -> str:
        """Return how many images match some filters and what dates them, empty without filters."""
        if not filters:
            return ""
        found = len(self._matching(filters))
        note = f"{found:,} of {self._catalog.images:,} images match the filters."
        if not found:
            for folder in filters.folders:
                if not len(self._matching(Filters(folders=(folder,)))):
                    return nearest_folders(folder, self._catalog.folders())
        if not filters.dated:
            return note
        by_file = self._catalog.dated_by_file(replace(filters, before=None, after=None))
        undated = self._catalog.undated()
        if by_file:
            images = "1 image has" if by_file == 1 else f"{by_file:,} images have"
            note += f" {images} no camera date, so the time of the file counts."
        return f"{note} Without any date: {counted(undated, 'image')}." if undated else note
