"""Temporary folders that the next run on this machine deletes if their process was killed.

`disk_tables.py` has its files in one. A version is built in another.

A process holds a lock on a file in each of its folders. The system drops the lock when the process ends, however it
ends.
"""

import fcntl
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TextIO

_PREFIXES = {"keys": "findimg-keys-", "build": "findimg-build-"}
_LOCK = "lock"  # the file whose lock the owner holds
_CONTENT = "content"  # the folder with what the owner writes
_log = logging.getLogger(__name__)


class LockedFolder:
    """A temporary folder of this process."""

    def __init__(self, kind: Literal["keys", "build"]):
        """Create the folder, and delete those whose process is gone.

        Args:
            kind: what the folder is for, which its name shows.

        Raises:
            OSError: the temporary folder has no room.
        """
        _delete_abandoned()
        while True:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIXES[kind]))
            try:
                self._lock = _create_lock(folder / _LOCK)
                break
            except FileNotFoundError:
                continue  # another process found the folder before it was locked, and deleted it
        self.path = folder / _CONTENT
        self.path.mkdir()

    def delete(self) -> None:
        """Delete the folder with everything in it."""
        _delete(self.path.parent)
        self._lock.close()


@contextmanager
def build_folder() -> Iterator[Path]:
    """Yield an empty folder to build files of a version in, and delete it afterwards.

    Raises:
        OSError: the temporary folder has no room.
    """
    folder = LockedFolder("build")
    try:
        yield folder.path
    finally:
        folder.delete()


def _delete_abandoned() -> None:
    """Delete the folders of killed processes of this user."""
    names = tuple(_PREFIXES.values())
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        found = [Path(entry.path) for entry in entries if entry.name.startswith(names) and _is_own_folder(entry)]
        for folder in found:
            if lock := _lock(folder / _LOCK):
                with lock:
                    _log.info("Deleting %s, which a run left that was killed.", folder)
                    _delete(folder)
            else:
                with suppress(OSError):
                    folder.rmdir()  # killed before it made the lock; a folder with files is not deleted


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False  # it was deleted meanwhile
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _create_lock(path: Path) -> TextIO:
    """Return a new file with its lock.

    Raises:
        FileNotFoundError: another process deleted the folder.
        OSError: the file cannot be written.
    """
    file = open(path, "x")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise FileNotFoundError(path) from None
    except OSError:
        _log.debug("The file system of %s has no locks, so nobody deletes the folder.", path)
    path.stat()
    return file


def _lock(path: Path) -> TextIO | None:
    """Return a file with its lock, None if there is no such file or another process holds the lock."""
    try:
        file = open(os.open(path, os.O_RDWR | os.O_NOFOLLOW), "w")  # noqa: SIM115
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _delete(folder: Path) -> None:
    """Delete a folder. The lock goes last, so that a deletion that is killed can be completed."""
    shutil.rmtree(folder / _CONTENT, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
