"""Temporary folders that the next run on this machine deletes if their process was killed.

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
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIXES[kind]))
            if lock := _lock(self.path / _LOCK, os.O_CREAT | os.O_EXCL):
                self._lock = lock
                return
            # Another process deleted the folder before it was locked.

    def delete(self) -> None:
        """Delete the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


@contextmanager
def build_folder() -> Iterator[Path]:
    """Yield an empty folder to build files of a version in, and delete it afterwards.

    Raises:
        OSError: the temporary folder has no room.
    """
    folder = LockedFolder("build")
    try:
        # The lock file is not part of what the caller writes.
        inside = folder.path / "content"
        inside.mkdir()
        yield inside
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
                    shutil.rmtree(folder, ignore_errors=True)
            else:
                with suppress(OSError):
                    folder.rmdir()  # killed before it made the lock; a folder with files is not deleted


def _is_own_folder(entry: os.DirEntry[str]) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False  # it was deleted meanwhile
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()


def _lock(path: Path, flags: int = 0) -> TextIO | None:
    """Return a file with its lock, None if there is no such file or another process holds the lock."""
    try:
        file = open(os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600), "w")  # noqa: SIM115
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
            return file
    except OSError:
        pass
    file.close()
    return None
