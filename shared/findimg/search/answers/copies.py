"""Copies and near-duplicates: they are listed with a hit, and are not hits themselves."""

import numpy as np
from numpy.typing import NDArray

from findimg.index.duplicates.groups import Duplicates
from findimg.library.catalog import CatalogRow
from findimg.library.version_catalog import VersionCatalog

_LISTED = 1000  # maximum number of images of a group that are read


class Copies:
    """Knows the copies and near-duplicates of each image of a version."""

    def __init__(self, groups: Duplicates, catalog: VersionCatalog):
        """Use the groups of a version."""
        self._groups = groups
        self._catalog = catalog

    def first_places(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the places of ranked items that are the best of their group, ascending."""
        return self._groups.fold(items)

    def count(self, within: NDArray[np.int64] | None) -> int:
        """Return how many hits some items give, or all items."""
        return self._groups.count(within)

    def has_others(self, item: int) -> bool:
        """Return whether an image has copies or near-duplicates."""
        return len(self._groups.members(item)) > 0

    def others(self, row: CatalogRow, item: int, within: NDArray[np.int64] | None) -> tuple[list[str], list[str]]:
        """Return the URIs of an image's copies and of its near-duplicates.

        Args:
            row: the image's row in the catalog.
            item: its item.
            within: int64[n], ascending, the only images that count, or None for all.
        """
        members = self._groups.members(item)
        if not len(members):
            return [], []
        if within is not None:
            members = members[np.isin(members, within, assume_unique=True)]
        rows = self._catalog.rows(members[:_LISTED].tolist())
        copies = [other.uri for other in rows if other.sha256 == row.sha256]
        return copies, [other.uri for other in rows if other.sha256 != row.sha256]
