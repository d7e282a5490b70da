"""The interface of a storage, and the functions that open one by its address.

A storage holds objects by key. A key is relative to the storage's root, with `/` between its parts.

To add a storage, write one module in this folder. It holds a subclass of `Storage` and calls `register_scheme`. The
abstract methods are enough for sources and libraries. The other methods have a default that a storage may improve.
Code asks a storage what it can do, and never which class it has.

- All modules of this folder are imported before the first address is opened. So import an optional package inside the
  function that needs it, and raise a SettingsError there that names the extra.
- Call `count_retries` for each request that is sent again, also if a client library does it. Reports show the number.
- Credentials come from the environment of the client library, or from a field of `findimg.settings.Settings`. A storage
  that takes them from the settings passes `access` to `register_scheme`.
"""

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from findimg.discovery import import_modules
from findimg.errors import ObjectMissingError, SettingsError, StorageError

if TYPE_CHECKING:
    from findimg.settings import Settings


@dataclass(frozen=True, slots=True)
class Entry:
    """One object in a listing."""

    key: str
    uri: str
    etag: str  # changes with the content. S3: the ETag; folder: "<size>-<mtime in ns>"
    size: int  # bytes
    modified: float  # seconds since the epoch, by the storage's clock
    archived: bool = False  # the object must be restored before it can be read


class Storage(ABC):
    """A place that holds objects by key.

    Every method but `uri` and `local_path` raises StorageError when the storage cannot be reached, read or written.

    Attributes:
        root: the storage's address.
        reads_starts: whether `read_start` costs little, so that objects without an extension are examined.
        makes_links: whether `link` makes links.
    """

    root: str
    reads_starts: ClassVar[bool] = True
    makes_links: ClassVar[bool] = False

    @abstractmethod
    def uri(self, key: str) -> str:
        """Return the object's full address: `s3://bucket/key` or an absolute path."""

    @abstractmethod
    def list(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        """Yield every object below the folder `prefix`, in no particular order.

        A folder that does not exist yields nothing.

        Args:
            prefix: the folder.
            after: leave out objects whose key is not greater, by code points.
        """

    @abstractmethod
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

    @abstractmethod
    def write(self, key: str, data: bytes) -> None:
        """Write or replace an object atomically: a reader gets the old bytes or the new bytes, never a mixture."""

    @abstractmethod
    def create(self, key: str, data: bytes) -> bool:
        """Write an object only if it does not exist, and return whether it was written."""

    @abstractmethod
    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Replace an object's bytes only if they equal `old`, and return whether they were replaced.

        When several callers swap at the same moment, exactly one succeeds. An S3 server without conditional writes
        cannot guarantee this.
        """

    @abstractmethod
    def delete(self, key: str) -> None:
        """Delete an object. Do nothing if it does not exist."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes of the object from the byte `start` on. The object must have them.

        Raises:
            ObjectMissingError: the object does not exist.
            StorageError: the object is shorter.
        """
        return check_length(self.read(key)[start : start + length], length, self.uri(key))

    def read_start(self, key: str, size: int) -> bytes:
        """Return the first `size` bytes of an object, or all bytes of a shorter one.

        Raises:
            ObjectMissingError: the object does not exist.
        """
        return self.read(key, size)

    def read_converted(self, key: str) -> bytes | None:
        """Return a JPEG that the storage made of an image which findimg cannot decode, None if it has none."""
        return None

    def fetch(self, key: str, path: Path) -> None:
        """Copy the object to the local file `path`, whose folder exists.

        Raises:
            ObjectMissingError: the object does not exist.
        """
        data = self.read(key)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise StorageError(f"{self.uri(key)} cannot be copied to {path}: {error.strerror}.") from error

    def upload(self, path: Path, key: str) -> None:
        """Write or replace an object atomically from a local file of any size."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"{path} cannot be copied to {self.uri(key)}: {error.strerror}.") from error
        self.write(key, data)

    def exists(self, key: str) -> bool:
        """Return whether the object exists."""
        try:
            self.read(key, 1)
        except ObjectMissingError:
            return False
        return True

    def clear(self, prefix: str) -> None:
        """Delete the folder `prefix` and every object below it. `prefix` must not be empty."""
        for entry in tuple(self.list(prefix)):
            self.delete(entry.key)

    def sweep(self, age: float) -> int:
        """Delete the temporary files of interrupted writes that are older than `age` seconds.

        Returns:
            The number of deleted files.
        """
        return 0

    def list_from(self, start: str) -> Iterator[Entry]:
        """Yield every object whose key begins with `start`, which is not necessarily a folder."""
        return (entry for entry in self.list() if entry.key.startswith(start))

    def list_level(self, start: str = "") -> tuple[Sequence[str], Sequence[Entry]] | None:
        """Return the sub-folders and the objects of one folder, None if the storage can only list everything.

        With this method, parts of a source are listed in parallel, and skipped folders are not listed.

        Args:
            start: the folder with a trailing slash, or empty for the root. A folder's name may be empty, as in the key
                `//a.jpg`.

        Returns:
            The sub-folders, each with a trailing slash, and the objects directly in the folder.
        """
        return None

    def entry(self, key: str) -> Entry | None:
        """Return the object as a listing has it, None if it does not exist."""
        return next((entry for entry in self.list_from(key) if entry.key == key), None)

    def local_path(self, key: str) -> Path | None:
        """Return the path of the object's file, which need not exist. None if objects are no files on this machine.

        The files of a library with paths are opened in place. The files of other libraries are fetched into the cache.
        """
        return None

    def link(self, key: str, seconds: int) -> str:
        """Return an https:// address that gives read access to an object without credentials.

        Args:
            key: the object.
            seconds: how long the address is valid.

        Raises:
            StorageError: the storage makes no links, or no credentials are configured.
        """
        raise StorageError(f"There are no links to the objects of {self.root}. Set FINDIMG_IMAGE_BASE_URL.")


class ReadOnlyStorage(Storage):
    """Base class of storages that hold sources and no libraries."""

    def write(self, key: str, data: bytes) -> None:
        raise self._read_only()

    def upload(self, path: Path, key: str) -> None:
        raise self._read_only()

    def create(self, key: str, data: bytes) -> bool:
        raise self._read_only()

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        raise self._read_only()

    def delete(self, key: str) -> None:
        raise self._read_only()

    def clear(self, prefix: str) -> None:
        raise self._read_only()

    def sweep(self, age: float) -> int:
        raise self._read_only()

    def _read_only(self) -> StorageError:
        return StorageError(
            f"{self.root} can be indexed but not written. Name {' or '.join(_library_places())} as library."
        )


class Access(Protocol):
    """Credentials for a storage that are in the settings. They can be sent to another process."""

    def use(self) -> None:
        """Use these credentials from now on, in this process."""


@dataclass(frozen=True, slots=True)
class _Scheme:
    open_root: Callable[[str], Storage]
    open_object: Callable[[str], tuple[Storage, str]]
    place: str
    example: str
    access: "Callable[[Settings, str], Access] | None"


_schemes: dict[str, _Scheme] = {}
_retries_lock = threading.Lock()
_retries = [0]


def register_scheme(
    scheme: str,
    open_root: Callable[[str], Storage],
    open_object: Callable[[str], tuple[Storage, str]],
    place: str = "",
    example: str = "",
    access: "Callable[[Settings, str], Access] | None" = None,
) -> None:
    """Register a kind of storage.

    Args:
        scheme: the part of an address before `://`. Empty for a path of the local file system.
        open_root: takes the part of an address behind `://` and returns the storage with that root. Raises ValueError
            when the part is not valid.
        open_object: takes the same part of an object's address and returns a storage with the object's key. Raises
            ValueError when the part is not valid.
        place: what messages call a place for a library, such as `an s3:// prefix`. Empty if it only holds sources.
        example: an address for messages. Empty names none.
        access: returns the credentials for the same part of an address. None if each process finds its own.
    """
    _schemes[scheme] = _Scheme(open_root, open_object, place, example, access)


def is_path(address: str) -> bool:
    """Return whether an address is a path of the local file system, and not one with a scheme."""
    return "://" not in address


def without_scheme(address: str) -> str:
    """Return an address without `s3://` or another scheme. A path stays as it is."""
    return address if is_path(address) else address.partition("://")[2]


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


def open_object(uri: str) -> tuple[Storage, str]:
    """Return a storage that holds the object at a full address, and the object's key in it.

    Raises:
        SettingsError: `uri` has an unknown scheme, or is not an object's address.
    """
    scheme, rest = _scheme(uri)
    try:
        return scheme.open_object(rest)
    except ValueError as error:
        raise _not_a_storage(uri) from error


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
    storage, key = open_object(uri)
    return storage.read(key, limit, etag)


def prefixes_with_access() -> tuple[str, ...]:
    """Return the beginnings of the addresses for which `access_to` returns credentials."""
    import_modules("findimg.storage")
    return tuple(f"{name}://" for name, scheme in _schemes.items() if scheme.access)


def access_to(uris: Iterable[str], settings: "Settings") -> tuple[Access, ...]:
    """Return the credentials that the settings give for some addresses, each once."""
    found: list[Access] = []
    prefixes = prefixes_with_access()
    for uri in uris:
        if uri.startswith(prefixes):
            scheme, rest = _scheme(uri)
            if scheme.access and (access := scheme.access(settings, rest)) not in found:
                found.append(access)
    return tuple(found)


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


def _known() -> list[_Scheme]:
    """Return the registered schemes, paths first."""
    import_modules("findimg.storage")
    return [_schemes[name] for name in sorted(_schemes)]


def describe_sources() -> str:
    """Return the kinds of sources for a message: `a folder, an image, s3://bucket/prefix or slack://TEAM`."""
    addresses = [scheme.example for scheme in _known() if scheme.example and not is_path(scheme.example)]
    *others, last = ["a folder", "an image", *addresses]
    return f"{', '.join(others)} or {last}"


def _library_places() -> list[str]:
    return [scheme.place for scheme in _known() if scheme.place]


def _not_a_storage(uri: str) -> SettingsError:
    addresses = " or ".join(scheme.example for scheme in _known() if scheme.place)
    sources = " or ".join(scheme.example for scheme in _known() if scheme.example and not scheme.place)
    also = f" A source may be {sources}." if sources else ""
    return SettingsError(f"{uri!r} is neither {' nor '.join(_library_places())}. Write {addresses}.{also}")
