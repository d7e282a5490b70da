"""Open a version for a test that looks into its files, or rewrite it as an earlier findimg wrote it."""

import json

import numpy as np

from findimg.index.version_files import open_items
from findimg.library.catalog import CatalogRow
from findimg.library.layout import DUPLICATES_FILE, ITEMS_FILE
from findimg.library.library import Library, Version
from findimg.library.manifest import FileEntry
from findimg.library.version_catalog import VersionCatalog


def open_catalog(version: Version) -> VersionCatalog:
    """Return the catalog of a version."""
    return VersionCatalog(version, open_items(version)[0])


def all_rows(version: Version) -> list[CatalogRow]:
    """Return the catalog's rows in the order of the items."""
    with open_catalog(version) as catalog:
        return [catalog.row(item) for item in range(catalog.images)]


def write_format_1(library: Library, version: Version, with_groups: bool = True) -> None:
    """Rewrite a version of one segment in a folder as findimg wrote it before there were segments.

    Args:
        library: the library, in a folder.
        version: one of its versions.
        with_groups: whether the version knows its duplicates. The oldest ones did not.
    """
    manifest = version.manifest
    (segment,) = manifest.segments
    folder = version.root / "versions" / manifest.version
    rows, groups = open_items(version)
    assert rows.is_plain
    paths = {name: version.folder(segment) / name for name in segment.files}
    paths |= {name: version.path(name) for name in manifest.files if name != ITEMS_FILE and "centre" not in name}
    paths.pop("pairs.npz")
    for name, path in paths.items():
        (folder / name).write_bytes(path.read_bytes())
    names = list(paths)
    if with_groups:
        np.save(folder / DUPLICATES_FILE, groups)
        names.append(DUPLICATES_FILE)
    content = json.loads(manifest.model_dump_json(by_alias=True))
    for name in ("segments", "recipe", "measured", "captured", "second", "words_by_second"):
        del content[name]
    content |= {
        "schema": 1,
        "visual": segment.visual.model_dump(),
        "joint": segment.joint and segment.joint.model_dump(),
        "files": {name: FileEntry.of(folder / name).model_dump() for name in names},
    }
    library.storage.write(f"versions/{manifest.version}/manifest.json", json.dumps(content).encode())
    library.storage.clear("segments")
    library.storage.clear("shared")
