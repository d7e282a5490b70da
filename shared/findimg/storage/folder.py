"""A folder of the local file system as a storage."""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from findimg.errors import ObjectMissingError, StorageError
from findimg.storage.base import Entry, Storage, check_etag, check_length, register_scheme

_DRAFT = ".draft-"  # prefix of the names of incomplete files
_DRAFT_NAME = re.compile(r"\.draft-[0-9a-f]{16}")
# `stat` fails with these for a dangling link and for a file deleted since it was listed.
_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class FolderStorage(Storage):
    """A folder of the local file system."""

    def __init__(self, root: str):
        self.root = os.path.abspath(os.path.expanduser(root))

    def local_path(self, key: str) -> Path:
        return Path(self.root, key)

    def uri(self, key: str) -> str:
        return os.path.join(self.root, key)

    def list(self, prefix: str = "", after: str = "") -> Iterator[Entry]:
        # Links come last, so that a file reached both ways gets the address without a link.
        folders, links = deque([str(self.local_path(prefix))]), deque[str]()
        seen: set[tuple[int, int]] = set()
        while folders or links:
            folder = (folders or links).popleft()
            status = _status(folder)
            # Skip folders already listed: a link to a parent folder would never end.
            if status is None or (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with self._translated_errors(folder, "listed"), os.scandir(folder) as scan:
                found = sorted(scan, key=lambda each: each.name)
            for each in found:
                status = _status(each.path)
                if status is None or each.name.startswith(_DRAFT):
                    continue
                if stat.S_ISDIR(status.st_mode):
                    (links if each.is_symlink() else folders).append(each.path)
                elif stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
                    key = os.path.relpath(each.path, self.root)
                    if key > after:
                        yield Entry(key, each.path, file_etag(status), status.st_size, status.st_mtime)

    def read(self, key: str, limit: int | None = None, etag: str | None = None) -> bytes:
        with self._translated_errors(self.uri(key), "read"), self.local_path(key).open("rb") as file:
            data = file.read(-1 if limit is None else limit)
            check_etag(etag, file_etag(os.fstat(file.fileno())), self.uri(key))
            return data

    def read_range(self, key: str, start: int, length: int) -> bytes:
        with self._translated_errors(self.uri(key), "read"), self.local_path(key).open("rb") as file:
            file.seek(start)
            return check_length(file.read(length), length, self.uri(key))

    def fetch(self, key: str, path: Path) -> None:
        with self._translated_errors(self.uri(key), "copied"):
            shutil.copyfile(self.local_path(key), path)

    def write(self, key: str, data: bytes) -> None:
        with self._draft(key) as draft:
            draft.write_bytes(data)
            _rename_durably(draft, self.local_path(key))

    def upload(self, path: Path, key: str) -> None:
        with self._draft(key) as draft:
            shutil.copyfile(path, draft)
            _rename_durably(draft, self.local_path(key))

    def create(self, key: str, data: bytes) -> bool:
        with self._draft(key) as draft:
            draft.write_bytes(data)
            try:
                # A hard link fails if the name is taken, and never shows an incomplete file.
                self.local_path(key).hardlink_to(draft)
            except FileExistsError:
                return False
            return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        guard = self.local_path(f"{_DRAFT}guard")
        with self._translated_errors(self.uri(key), "written"):
            guard.parent.mkdir(parents=True, exist_ok=True)
            with guard.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                try:
                    if self.local_path(key).read_bytes() != old:
                        return False
                except FileNotFoundError:
                    return False
                self.write(key, new)
        return True

    def exists(self, key: str) -> bool:
        with self._translated_errors(self.uri(key), "read"):
            return self.local_path(key).is_file()

    def delete(self, key: str) -> None:
        with self._translated_errors(self.uri(key), "deleted"):
            self.local_path(key).unlink(missing_ok=True)

    def clear(self, prefix: str) -> None:
        with self._translated_errors(self.uri(prefix), "deleted"):
            if self.local_path(prefix).is_dir():
                shutil.rmtree(self.local_path(prefix))

    def sweep(self, age: float) -> int:
        swept = 0
        with self._translated_errors(self.root, "swept"):
            for folder, _, names in os.walk(self.root):
                for path in (Path(folder, name) for name in names if _DRAFT_NAME.fullmatch(name)):
                    if time.time() - path.lstat().st_mtime >= age:
                        path.unlink()
                        swept += 1
        return swept

    @contextmanager
    def _draft(self, key: str) -> Iterator[Path]:
        """Yield the path of a new temporary file beside the object, deleted at the end.

        It is in the object's folder, because a file can be renamed only within one file system.
        """
        target = self.local_path(key)
        with self._translated_errors(self.uri(key), "written"):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f"{_DRAFT}{secrets.token_hex(8)}")
            try:
                yield draft
            finally:
                draft.unlink(missing_ok=True)

    @contextmanager
    def _translated_errors(self, path: str, done: str) -> Iterator[None]:
        """Translate the file system's errors into findimg's, with the path in the message."""
        try:
            yield
        except FileNotFoundError as error:
            raise ObjectMissingError(f"{error.filename} does not exist. Check the path.") from error
        except OSError as error:
            problem = error.strerror or error
            raise StorageError(
                f"{path} cannot be {done}: {problem}. Check the path, the permissions and the free space."
            ) from error


def file_etag(status: os.stat_result) -> str:
    """Return the `Entry.etag` of a file."""
    return f"{status.st_size}-{status.st_mtime_ns}"


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _rename_durably(draft: Path, path: Path) -> None:
    """Rename a temporary file to `path`, and return when its bytes and its name are safely on the disk."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.EINVAL):  # some file systems cannot flush a folder
            raise
    finally:
        os.close(folder)


def _status(path: str) -> os.stat_result | None:
    """Return the status of the file that a path names, or None if there is no such file."""
    try:
        return os.stat(path)
    except OSError as error:
        if error.errno in _NOT_FOUND:
            return None
        raise StorageError(f"{path} cannot be read: {error.strerror}. Give this user permission to read it.") from error


def _open_object(path: str) -> tuple[FolderStorage, str]:
    folder, name = os.path.split(path)
    return FolderStorage(folder or "."), name


register_scheme("", FolderStorage, _open_object, "a folder", "a path")
