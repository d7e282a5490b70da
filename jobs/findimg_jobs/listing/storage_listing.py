"""List the images of a storage other than a folder, such as an s3:// prefix.

A storage that can list one folder is listed in branches, which are parts that begin with the same folder. Several
branches are listed at the same time, in threads or on Ray. Another storage is listed at once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

import pyarrow as pa

from findimg.errors import SettingsError, StorageError
from findimg.library.recognition import is_library, library_of
from findimg.storage.base import Entry, Storage, open_object, open_storage
from findimg_jobs.listing.file_types import has_no_extension, reason_to_skip
from findimg_jobs.listing.listing import PartialListing
from findimg_jobs.listing.skip_rules import IGNORE_FILE, IGNORE_FILE_BYTES, FolderRules, SkipRules
from findimg_jobs.tables.disk_tables import BATCH, Spool
from findimg_jobs.tables.source_records import SourceImage
from findimg_jobs.text_reading.sidecars import is_sidecar

In = TypeVar("In")
Out = TypeVar("Out")

_ENTRIES = pa.schema(
    [
        *(("key", pa.string()), ("uri", pa.string()), ("etag", pa.string())),
        *(("size", pa.int64()), ("modified", pa.float64()), ("archived", pa.bool_())),
    ]
)  # the fields of an Entry
_BRANCHES = 64  # branches of a storage, if it has that many folders


class ParallelMap(Protocol):
    """A function that calls another one with every item, in parallel, and yields the results in order."""

    def __call__(self, function: Callable[[In], Out], items: Iterable[In], /) -> Iterable[Out]: ...


@dataclass(frozen=True, slots=True)
class _Branch:
    """A part of a source that is listed at once."""

    source: str
    start: str  # the beginning of its keys
    rules: FolderRules


class _Entries:
    """Listed objects, which need not fit into memory."""

    def __init__(self, listed: Iterable[Entry]):
        """Read a listing."""
        self._tables = Spool(_ENTRIES)
        iterator = iter(listed)
        while batch := list(islice(iterator, BATCH)):
            columns = [[getattr(entry, name) for entry in batch] for name in _ENTRIES.names]
            self._tables.add(pa.table(columns, _ENTRIES))

    def __iter__(self) -> Iterator[Entry]:
        for table in self._tables:
            yield from map(Entry, *(table[name].to_pylist() for name in _ENTRIES.names))


def list_storage(source: str, rules: SkipRules, parallel_map: ParallelMap, found: PartialListing) -> None:
    """List the images of a storage, or the single object with that address.

    Files of a library that another branch contains are among the images. The caller must leave them out.

    Args:
        source: the address.
        rules: the operator's patterns.
        parallel_map: lists the branches.
        found: receives what is found.

    Raises:
        SettingsError: there is no object at this address.
        StorageError: the storage cannot be listed.
    """
    storage = open_storage(source)
    top = PartialListing()
    starts, entries, folder_rules = _split(storage, FolderRules(rules), top)
    _add_entries(top, entries, folder_rules, storage)
    is_empty = top.is_empty()
    found.add(top)
    for part in parallel_map(_list_branch, [_Branch(source, start, folder_rules) for start in starts]):
        is_empty = is_empty and part.is_empty()
        found.add(part)
    if is_empty:
        found.add(_single_object(storage.root))


def _split(
    storage: Storage, rules: FolderRules, found: PartialListing
) -> tuple[Sequence[str], list[Entry], FolderRules]:
    """Return the beginnings of the branches, the objects that are in none of them, and the rules."""
    folders, entries = deque([""]), list[Entry]()
    for _ in range(_BRANCHES):
        if not 0 < len(folders) < _BRANCHES:
            break
        level = storage.list_level(folders[0])
        if level is None:
            break
        folder = folders.popleft()
        below, objects = level
        if _is_library(storage, folder, [*below, *(entry.key for entry in objects)]):
            found.libraries.add(storage.uri(folder.rstrip("/")))
            continue
        entries += objects
        rules = _read_ignore_files(storage, rules, objects)
        for each in below:
            # A skipped folder costs no further request.
            reason = rules.reason(each)
            if reason and not rules.searches_skipped_folders:
                found.skipped[f"{reason} (folder)"] += 1
            else:
                folders.append(each)
    return folders, entries, rules


def _is_library(storage: Storage, folder: str, keys: Iterable[str]) -> bool:
    """Return whether a folder is a findimg library, published or not.

    Args:
        storage: the source.
        folder: the folder with a trailing slash, or empty for the root.
        keys: the folders and objects directly in it.
    """
    names = {key.removeprefix(folder).removesuffix("/") for key in keys}

    def read(name: str) -> bytes:
        try:
            return storage.read(f"{folder}{name}", 200)
        except StorageError:
            return b""  # for example archived; the files of a library are recognised when they are listed

    def list_names(name: str) -> list[str]:
        _, objects = storage.list_level(f"{folder}{name}/") or ((), ())
        return [entry.key.rpartition("/")[2] for entry in objects]

    return is_library(names, read, list_names)


def _list_branch(branch: _Branch) -> PartialListing:
    storage = open_storage(branch.source)
    found = PartialListing()
    entries = _Entries(storage.list_from(branch.start))
    _add_entries(found, entries, _read_ignore_files(storage, branch.rules, entries), storage)
    return found


def _read_ignore_files(storage: Storage, rules: FolderRules, entries: "Sequence[Entry] | _Entries") -> FolderRules:
    keys = [entry.key for entry in entries if entry.key.rpartition("/")[2] == IGNORE_FILE]
    for key in sorted(keys, key=len):
        rules = rules.with_ignore_file(key.removesuffix(IGNORE_FILE), storage.read(key, IGNORE_FILE_BYTES))
    return rules


def _add_entries(
    found: PartialListing, entries: "Sequence[Entry] | _Entries", rules: FolderRules, storage: Storage
) -> None:
    """Add the images among `entries`, and count the other objects. Libraries are left out."""
    libraries = {library for entry in entries if (library := library_of(entry.key)) is not None}
    found.libraries |= {storage.uri(library) for library in libraries}
    inside = tuple(f"{library}/" if library else "" for library in libraries)
    skipped_folders: dict[str, str | None] = {"": None}
    counted: set[str] = set()
    for entry in entries:
        if inside and entry.key.startswith(inside):
            continue
        folder, slash, name = entry.key.rpartition("/")
        skipped = _skipped_folder(folder + slash, rules, skipped_folders)
        if skipped and not rules.includes(entry.key):
            if skipped not in counted:
                counted.add(skipped)
                found.skipped[f"{rules.reason(skipped)} (folder)"] += 1
            continue
        if reason := rules.reason(entry.key):
            found.skipped[reason] += 1
        elif reason := reason_to_skip(name):
            if is_sidecar(name) and not entry.archived:
                found.add_sidecar(entry.uri, entry.etag)
            if has_no_extension(name) and not entry.archived and storage.reads_starts:
                found.extensionless.append(_image(entry))
            else:
                found.skipped[reason] += 1
        else:
            if entry.archived:
                found.archived.append(_image(entry))
            else:
                found.add_image(_image(entry))


def _image(entry: Entry) -> SourceImage:
    return SourceImage(entry.uri, entry.etag, entry.modified)


def _skipped_folder(folder: str, rules: FolderRules, known: dict[str, str | None]) -> str | None:
    """Return the outermost skipped folder that contains `folder` or is `folder`, None if there is none."""
    if folder not in known:
        parent = folder[:-1].rpartition("/")
        above = _skipped_folder(parent[0] + parent[1], rules, known)
        known[folder] = above or (folder if rules.reason(folder) else None)
    return known[folder]


def _single_object(address: str) -> PartialListing:
    found = PartialListing()
    try:
        storage, key = open_object(address)
    except SettingsError:
        return found  # the address of a whole storage
    if key and (entry := storage.entry(key)):
        if entry.archived:
            found.archived.append(_image(entry))
        else:
            found.add_image(_image(entry))
    return found
