"""List the copies and near-duplicates of a library, with the space they take in their sources."""

import tempfile
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from findimg.index.duplicates import Duplicates, group_duplicates, near_duplicate_cosine, open_duplicates
from findimg.index.float16 import Float16Matrix
from findimg.library.catalog import Catalog, CatalogRow
from findimg.library.layout import CATALOG_FILE, DUPLICATES_FILE, VISUAL_FILE, version_key
from findimg.library.library import Library, Version
from findimg.library.manifest import Manifest

_ROWS = 1000  # catalog rows read at a time

Kind = Literal["first", "copy", "near-duplicate"]


@dataclass(frozen=True, slots=True)
class DuplicateImage:
    """One image of a group."""

    uri: str
    kind: Kind  # towards the other images: the first, a copy of an earlier one, or a near-duplicate of the first
    bytes: int
    width: int  # pixels
    height: int


@dataclass(frozen=True, slots=True)
class DuplicatesReport:
    """The groups of a version, those that take the most space beyond one image first."""

    version: str
    images: int  # in the version
    groups: tuple[tuple[DuplicateImage, ...], ...]

    def count(self, kind: Kind) -> int:
        """Return the number of images of one kind."""
        return sum(image.kind == kind for group in self.groups for image in group)

    def bytes(self, kind: Kind) -> int:
        """Return the space that the images of one kind take."""
        return sum(image.bytes for group in self.groups for image in group if image.kind == kind)


def find_duplicates(library: Library) -> DuplicatesReport:
    """Return the groups of the live version.

    Raises:
        LibraryError: nothing is published, or the version is damaged.
    """
    version = library.open()
    catalog = Catalog(version.folder / CATALOG_FILE)
    try:
        groups = tuple(_described(catalog, group.tolist()) for group in open_groups(version, catalog))
    finally:
        catalog.close()
    ordered = sorted(groups, key=lambda group: (-sum(image.bytes for image in group[1:]), group[0].uri))
    return DuplicatesReport(version.manifest.version, version.manifest.images, tuple(ordered))


def find_others(library: Library, manifest: Manifest, uris: AbstractSet[str]) -> tuple[set[str], set[str]]:
    """Return the other images of a version that are copies, and those that are near-duplicates, of some images.

    Only the catalog and the groups are fetched.

    Raises:
        LibraryError: the version is damaged.
        StorageError: the library cannot be read.
    """
    if DUPLICATES_FILE not in manifest.files:
        return _others(library.open(manifest.version), uris)
    with tempfile.TemporaryDirectory(prefix="findimg-") as name:
        for file in (CATALOG_FILE, DUPLICATES_FILE):
            library.storage.fetch(version_key(manifest.version, file), Path(name, file))
        return _others(Version(manifest, Path(name)), uris)


def _others(version: Version, uris: AbstractSet[str]) -> tuple[set[str], set[str]]:
    copies: set[str] = set()
    near_duplicates: set[str] = set()
    catalog = Catalog(version.folder / CATALOG_FILE)
    try:
        groups = open_groups(version, catalog)
        for item in [item for item in map(catalog.item, uris) if item is not None]:
            sha256 = catalog.row(item).sha256
            for row in _rows(catalog, groups.members(item).tolist()):
                (copies if row.sha256 == sha256 else near_duplicates).add(row.uri)
    finally:
        catalog.close()
    return copies - uris, near_duplicates - copies - uris


def open_groups(version: Version, catalog: Catalog) -> Duplicates:
    """Return a version's groups; those of an older version are computed.

    Raises:
        LibraryError: the version is damaged.
    """
    manifest = version.manifest
    if DUPLICATES_FILE in manifest.files:
        return open_duplicates(version.folder / DUPLICATES_FILE, manifest.images)
    hashes = [row.sha256 for row in _rows(catalog, list(range(manifest.images)))]
    visual = Float16Matrix(version.folder / VISUAL_FILE, manifest.images, manifest.dim)[:]
    return Duplicates(group_duplicates(hashes, visual, visual, near_duplicate_cosine(manifest.backbone)))


def _described(catalog: Catalog, items: list[int]) -> tuple[DuplicateImage, ...]:
    images: list[DuplicateImage] = []
    seen: set[str] = set()
    for row in _rows(catalog, items):
        kind: Kind = "copy" if row.sha256 in seen else "near-duplicate" if images else "first"
        seen.add(row.sha256)
        images.append(DuplicateImage(row.uri, kind, row.bytes, row.width, row.height))
    return tuple(images)


def _rows(catalog: Catalog, items: list[int]) -> Iterator[CatalogRow]:
    for start in range(0, len(items), _ROWS):
        yield from catalog.rows(items[start : start + _ROWS])
