"""Sources: the folders and s3:// prefixes whose images a run indexes."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, TypeVar

from findimg.errors import SettingsError
from findimg.images import EXTENSIONS
from findimg.storage.base import Entry, open_storage
from findimg.storage.folder import FolderStorage
from findimg.storage.s3 import S3Storage

In = TypeVar("In")
Out = TypeVar("Out")

_BRANCHES = 64  # folders of a bucket that are listed side by side are so many at the least, where there are so many


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


@dataclass(frozen=True, slots=True)
class _Branch:
    """A part of a source that is listed alone."""

    source: str
    folder: str  # below it; empty for all of it


class ParallelMap(Protocol):
    """Calls a function with every item, side by side, and gives the results in order."""

    def __call__(self, function: Callable[[In], Out], items: Iterable[In], /) -> Iterable[Out]: ...


def map_in_threads(function: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """Calls a function with every item, in threads of this process."""
    with ThreadPoolExecutor(16) as pool:
        yield from pool.map(function, items)


def list_sources(sources: Sequence[str], library: str, each: ParallelMap = map_in_threads) -> Listing:
    """Lists the images of all sources; what lies inside the library itself is no source.

    Args:
        sources: folders and s3:// prefixes; they may overlap.
        library: the library's own address, as `Library.uri`; empty where there is none.
        each: how the folders of a bucket are listed side by side.

    Raises:
        SettingsError: a source is no folder, or there is no image in any of them.
        StorageError: a source cannot be listed.
    """
    images: dict[str, SourceImage] = {}
    failures = []
    branches: list[_Branch] = []
    found: list[SourceImage] = []
    for source in sources:
        parts, lying = _branch(source)
        branches += parts
        found += lying
    for image in chain(found, chain.from_iterable(each(_list, branches))):
        if library and image.uri.startswith(library + "/"):
            continue
        if not _writable(image.uri):
            name = image.uri.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            failures.append(Failure(name, image.version, "Its name is not UTF-8; rename it.", transient=False))
            continue
        images[image.uri] = image
    if not images and not failures:
        raise SettingsError(
            f"There is no image in {', '.join(sources)}; findimg reads {', '.join(sorted(EXTENSIONS))}."
        )
    return Listing(sorted(images.values()), failures)


def _branch(source: str) -> tuple[list[_Branch], list[SourceImage]]:
    """Cuts a source into branches, and lists what lies in none of them."""
    storage = open_storage(source)
    if isinstance(storage, FolderStorage):
        if not os.path.isdir(storage.root):
            raise SettingsError(f"The source {source!r} is no folder; give a folder or an s3://bucket/prefix.")
        # One look tells of links that lead to the same folder.
        return [_Branch(source, "")], []
    assert isinstance(storage, S3Storage)
    folders, images = deque([""]), []
    for _ in range(_BRANCHES):
        if not 0 < len(folders) < _BRANCHES:
            break
        below, entries = storage.list_level(folders.popleft())
        folders += below
        images += _images(entries)
    return [_Branch(source, folder) for folder in folders], images


def _list(branch: _Branch) -> list[SourceImage]:
    return _images(open_storage(branch.source).list(branch.folder))


def _images(entries: Iterable[Entry]) -> list[SourceImage]:
    return [
        SourceImage(entry.uri, entry.version)
        for entry in entries
        if os.path.splitext(entry.key)[1].lower() in EXTENSIONS
    ]


def _writable(uri: str) -> bool:
    """Whether the name can be written to Parquet, SQLite and JSON: file systems allow bytes that are no text."""
    try:
        uri.encode()
    except UnicodeEncodeError:
        return False
    return True
