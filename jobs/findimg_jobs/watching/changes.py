"""Watch sources, and report when something changed and no further change follows.

Folders are watched by file-system events. Events do not arrive from other machines or from S3, so every source is
also checked at a regular interval.
"""

import errno
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from findimg.storage.base import is_path
from findimg_jobs.listing.skip_rules import default_rule
from findimg_jobs.listing.source_arguments import source_root

_log = logging.getLogger(__name__)
# Reading an image causes these events, so that a run would start the next one.
_READ_ONLY = ("opened", "closed_no_write")
_LONGEST_WAIT = 30  # settling times after which a run starts although changes still arrive


@dataclass(frozen=True, slots=True)
class WatchTimes:
    """When a run starts, in seconds."""

    settle: float = 10.0  # without a change before a run starts
    every: float = 300.0  # between checks without an event


class ChangeWatcher(FileSystemEventHandler):
    """Collects the events of the watched folders."""

    def __init__(self, library: str, times: WatchTimes):
        """Prepare a watcher.

        Args:
            library: the library's address. Its own files are no change.
            times: when a run starts.
        """
        self._library = os.path.realpath(library) if is_path(library) else None
        self._times = times
        self._condition = threading.Condition()
        self._first: float | None = None  # time of the first change since the last run
        self._last = 0.0

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note a change, unless it is one of the library or of a skipped file."""
        # A folder is modified whenever a file in it is, so the event of the file says more.
        if event.event_type in _READ_ONLY or (event.is_directory and event.event_type == "modified"):
            return
        paths = [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]
        if any(self._matters(path) for path in paths):
            self.note()

    def note(self) -> None:
        """Note a change."""
        with self._condition:
            self._last = time.monotonic()
            self._first = self._first or self._last
            self._condition.notify_all()

    def wait(self) -> None:
        """Return when a run should start: after a change that has settled, or after the regular interval."""
        deadline = time.monotonic() + self._times.every
        with self._condition:
            while self._first is None and (left := deadline - time.monotonic()) > 0:
                self._condition.wait(left)
            while self._first is not None:
                latest = self._first + _LONGEST_WAIT * self._times.settle
                left = min(self._last + self._times.settle, latest) - time.monotonic()
                if left <= 0:
                    break
                self._condition.wait(left)
            self._first = None

    def _matters(self, path: str) -> bool:
        real = os.path.realpath(path)
        if self._library and f"{real}/".startswith(f"{self._library}/"):
            return False
        return default_rule(os.path.basename(path)) is None


@contextmanager
def watch_folders(sources: Sequence[str], watcher: ChangeWatcher) -> Iterator[None]:
    """Send the events of all sources that are folders to `watcher`.

    Raises:
        SettingsError: a source has an unknown scheme.
    """
    roots = [root for root in map(source_root, sources) if is_path(root)]
    observer = _start(Observer(), roots, watcher)
    try:
        yield
    finally:
        observer.stop()
        observer.join()


def _start(observer: BaseObserver, roots: Sequence[str], watcher: ChangeWatcher) -> BaseObserver:
    try:
        for root in roots:
            folder = root if os.path.isdir(root) else os.path.dirname(root)
            if os.path.isdir(folder):
                observer.schedule(watcher, folder, recursive=True)
        observer.start()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EMFILE) or isinstance(observer, PollingObserver):
            raise
        # Linux limits the number of watched folders of a user.
        _log.warning("Too many folders for file-system events (%s). Comparing the folders instead.", error.strerror)
        return _start(PollingObserver(timeout=10), roots, watcher)
    return observer
