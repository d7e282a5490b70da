"""List the copies and near-duplicates of a library, with the space they take in their sources."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from findimg.encoders.registry import near_duplicate_cosine
from findimg.index.duplicates.groups import Duplicates, group_duplicates
from findimg.index.version_files import open_items, open_visual
from findimg.library.catalog import CatalogRow
from findimg.library.items import ItemRows
from findimg.library.layout import CATALOG_FILE, DUPLICATES_FILE, ITEMS_FILE
from findimg.library.library import Library, Version
from findimg.library.manifest import Manifest
from findimg.library.version_catalog import VersionCatalog

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
    rows, _ = open_items(version)
    with VersionCatalog(version, rows) as catalog:
        described = tuple(_describe(catalog, group.tolist()) for group in _groups(version, rows, catalog))
    ordered = sorted(described, key=lambda group: (-sum(image.bytes for image in group[1:]), group[0].uri))
    return DuplicatesReport(version.manifest.version, version.manifest.images, tuple(ordered))


def find_duplicates_of(library: Library, manifest: Manifest, uris: AbstractSet[str]) -> tuple[set[str], set[str]]:
    """Return the other images of a version that are copies, and those that are near-duplicates, of some images.

    Only the catalogs and the groups are fetched.

    Raises:
        LibraryError: the version is damaged.
        StorageError: the library cannot be read.
    """
    needed = (CATALOG_FILE, ITEMS_FILE, DUPLICATES_FILE)
    files = {key: entry for key, entry in manifest.search_files().items() if PurePosixPath(key).name in needed}
    is_grouped = not files.keys().isdisjoint(map(manifest.file_key, manifest.files))
    version = Version(manifest, library.fetch_files(files)) if is_grouped else library.open(manifest.version)
    rows, _ = open_items(version)
    copies: set[str] = set()
    near_duplicates: set[str] = set()
    with VersionCatalog(version, rows) as catalog:
        members = _groups(version, rows, catalog)
        for item in [item for item in map(catalog.item, uris) if item is not None]:
            sha256 = catalog.row(item).sha256
            for row in _rows(catalog, members.members(item).tolist()):
                (copies if row.sha256 == sha256 else near_duplicates).add(row.uri)
    return copies - uris, near_duplicates - copies - uris


def _groups(version: Version, rows: ItemRows, catalog: VersionCatalog) -> Duplicates:
    """Return a version's groups. Those of an older version, which has none, are computed."""
    manifest = version.manifest
    if manifest.files.keys() & {ITEMS_FILE, DUPLICATES_FILE}:
        return Duplicates(open_items(version)[1])
    hashes = [row.sha256 for row in _rows(catalog, list(range(manifest.images)))]
    visual = open_visual(version, rows)
    return Duplicates(group_duplicates(hashes, visual, visual, near_duplicate_cosine(manifest.backbone)))


def _describe(catalog: VersionCatalog, items: list[int]) -> tuple[DuplicateImage, ...]:
    images: list[DuplicateImage] = []
    seen: set[str] = set()
    for row in _rows(catalog, items):
        kind: Kind = "copy" if row.sha256 in seen else "near-duplicate" if images else "first"
        seen.add(row.sha256)
        images.append(DuplicateImage(row.uri, kind, row.facts.bytes, row.facts.width, row.facts.height))
    return tuple(images)


def _rows(catalog: VersionCatalog, items: list[int]) -> Iterator[CatalogRow]:
    for start in range(0, len(items), _ROWS):
        yield from catalog.rows(items[start : start + _ROWS])
