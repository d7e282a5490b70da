"""Sources: the folders and s3:// prefixes whose images a run indexes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import SettingsError
from shared.images import EXTENSIONS
from shared.storage import FolderStorage, open_storage


@dataclass(frozen=True, slots=True, order=True)
class SourceImage:
    """An image as a listing names it, not looked at yet."""

    uri: str
    version: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An image that cannot be indexed, and why."""

    uri: str
    version: str
    reason: str
    transient: bool  # worth another try although the image did not change


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that the sources hold, in URI order, each image once."""

    images: list[SourceImage]
    failures: list[Failure]  # images that cannot even be named


def list_sources(sources: Sequence[str], library: str) -> Listing:
    """Lists the images of all sources; what lies inside the library itself is no source.

    Args:
        sources: folders and s3:// prefixes; they may overlap.
        library: the library's own address, as `Library.uri`.

    Raises:
        SettingsError: a source is no folder, or there is no image in any of them.
        StorageError: a source cannot be listed.
    """
    images: dict[str, SourceImage] = {}
    failures = []
    for source in sources:
        storage = open_storage(source)
        if isinstance(storage, FolderStorage) and not os.path.isdir(storage.root):
            raise SettingsError(f"The source {source!r} is no folder; give a folder or an s3://bucket/prefix.")
        for entry in storage.list():
            if os.path.splitext(entry.key)[1].lower() not in EXTENSIONS or entry.uri.startswith(library + "/"):
                continue
            if not _writable(entry.uri):
                name = entry.uri.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                failures.append(Failure(name, entry.version, "Its name is not UTF-8; rename it.", transient=False))
                continue
            images[entry.uri] = SourceImage(entry.uri, entry.version)
    if not images and not failures:
        raise SettingsError(
            f"There is no image in {', '.join(sources)}; findimg reads {', '.join(sorted(EXTENSIONS))}."
        )
    return Listing(sorted(images.values()), failures)


def _writable(uri: str) -> bool:
    """Whether the name can be written to Parquet, SQLite and JSON: file systems allow bytes that are no text."""
    try:
        uri.encode()
    except UnicodeEncodeError:
        return False
    return True
