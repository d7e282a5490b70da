"""The interface of a storage, and the functions that open one by its address.

A storage holds objects by key. A key is relative to the storage's root, with `/` between its parts.

To add a storage, write one module in this folder. It implements `Storage` and calls `register_scheme`.
"""

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from findimg.discovery import import_modules
from findimg.errors import SettingsError, StorageError


@dataclass(frozen=True, slots=True)
class Entry:
    """One object in a listing."""

    key: str
    uri: str
    etag: str  # changes with the content. S3: the ETag; folder: "<size>-<mtime in ns>"
    size: int  # bytes
    modified: float  # seconds since the epoch, by the storage's clock
    archived: bool = False  # the object must be restored before it can be read


class Storage(Protocol):
    """A place that holds objects by key.

    Every method but `uri` raises StorageError when the storage cannot be reached, read or written.
    """

    root: str

    def uri(self, key: str) -> str:
        """Return the object's full address: `s3://bucket/key` or an absolute path."""

    def list(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        """Yield every object below the folder `prefix`, in no particular order.

        A folder that does not exist yields nothing.

        Args:
            prefix: the folder.
            after: leave out objects whose key is not greater, by code points.
        """

    def read(self, key: str, limit: int | None = None, etag: str | None = None) -> bytes:
        """Return the object's bytes.

        Args:
            key: the object.
            limit: return at most this many bytes from the start.
            etag: the expected `Entry.etag`.

        Raises:
            ObjectMissingError: the object does not exist.
            StorageError: the object has another etag than `etag`.
        """

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes of the object from the byte `start` on. The object must have them.

        Raises:
            ObjectMissingError: the object does not exist.
            StorageError: the object is shorter.
        """

    def fetch(self, key: str, path: Path) -> None:
        """Copy the object to the local file `path`, whose folder exists.

        Raises:
            ObjectMissingError: the object does not exist.
        """

    def write(self, key: str, data: bytes) -> None:
        """Write or replace an object atomically: a reader gets the old bytes or the new bytes, never a mixture."""

    def upload(self, path: Path, key: str) -> None:
        """Write or replace an object atomically from a local file of any size."""

    def create(self, key: str, data: bytes) -> bool:
        """Write an object only if it does not exist, and return whether it was written."""

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Replace an object's bytes only if they equal `old`, and return whether they were replaced.

        When several callers swap at the same moment, exactly one succeeds. An S3 server without conditional writes
        cannot guarantee this.
        """

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""

    def delete(self, key: str) -> None:
        """Delete an object. Do nothing if it does not exist."""

    def clear(self, prefix: str) -> None:
        """Delete the folder `prefix` and every object below it. `prefix` must not be empty."""

    def sweep(self, age: float) -> int:
        """Delete the temporary files of interrupted writes that are older than `age` seconds.

        Returns:
            The number of deleted files.
        """


@dataclass(frozen=True, slots=True)
class _Scheme:
    open_root: Callable[[str], Storage]
    open_object: Callable[[str], tuple[Storage, str]]


_schemes: dict[str, _Scheme] = {}
_retries_lock = threading.Lock()
_retries = [0]


def register_scheme(
    scheme: str, open_root: Callable[[str], Storage], open_object: Callable[[str], tuple[Storage, str]]
) -> None:
    """Register a kind of storage.

    Args:
        scheme: the part of an address before `://`. Empty for a path of the local file system.
        open_root: takes the part of an address behind `://` and returns the storage with that root. Raises ValueError
            when the part is not valid.
        open_object: takes the same part of an object's address and returns a storage with the object's key.
    """
    _schemes[scheme] = _Scheme(open_root, open_object)


def open_storage(uri: str | os.PathLike[str]) -> Storage:
    """Return the storage at `uri`: `s3://bucket/prefix` or a folder, which need not exist yet.

    Raises:
        SettingsError: `uri` is empty, has an unknown scheme, or names no bucket.
    """
    text = os.fspath(uri)
    scheme, rest = _scheme(text)
    try:
        return scheme.open_root(rest)
    except ValueError as error:
        raise _not_a_storage(text) from error


def read_uri(uri: str, limit: int | None = None, etag: str | None = None) -> bytes:
    """Return the bytes of the object at a full address.

    Args:
        uri: `s3://bucket/key` or a path, written like `Entry.uri`. Percent signs have no special meaning.
        limit: return at most this many bytes from the start.
        etag: the expected `Entry.etag`.

    Raises:
        ObjectMissingError: the object does not exist.
        SettingsError: `uri` has an unknown scheme.
        StorageError: the storage cannot be reached, or the object has another etag than `etag`.
    """
    scheme, rest = _scheme(uri)
    storage, key = scheme.open_object(rest)
    return storage.read(key, limit, etag)


def check_etag(expected: str | None, found: str, uri: str) -> None:
    """Compare an object's etag with the one that a listing gave. `expected` of None accepts every etag.

    Raises:
        StorageError: the etags differ.
    """
    if expected not in (None, found):
        raise StorageError(f"{uri} has changed since it was listed. Run again.")


def check_length(data: bytes, length: int, uri: str) -> bytes:
    """Return a part of an object after checking its length.

    Raises:
        StorageError: it is shorter.
    """
    if len(data) < length:
        raise StorageError(f"{uri} ends too early. Publish the library again with index.")
    return data


def retries() -> int:
    """Return how many requests of this process were retried, over all storages."""
    with _retries_lock:
        return _retries[0]


def count_retries(number: int) -> None:
    """Add to the number that `retries` returns."""
    with _retries_lock:
        _retries[0] += number


def _scheme(uri: str) -> tuple[_Scheme, str]:
    """Return the scheme of an address and the part behind `://`."""
    import_modules("findimg.storage")
    scheme, separator, rest = uri.partition("://")
    if not separator:
        # "s3:/bucket" lacks a slash. Without this check it would become a folder of that name.
        if not uri or any(uri.startswith(f"{each}:") for each in _schemes if each):
            raise _not_a_storage(uri)
        return _schemes[""], uri
    if not scheme or scheme not in _schemes:
        raise _not_a_storage(uri)
    return _schemes[scheme], rest


def _not_a_storage(uri: str) -> SettingsError:
    return SettingsError(
        f"{uri!r} is neither a folder nor an s3:// prefix. Write a path or s3://bucket/prefix. A source may be slack://TEAM."
    )
