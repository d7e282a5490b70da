"""Hold the lock of a library while this process writes to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg_jobs.engines.engine import Engine
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.store.lock import Lock, hold_lock


@dataclass(frozen=True, slots=True)
class WriteSession:
    """A library that this process is writing to."""

    library: Library
    lock: Lock
    engine: Engine
    clock: StageClock


@contextmanager
def write_to_live(
    settings: Settings, patience: float = 0.0, is_brief: bool = False
) -> Iterator[tuple[WriteSession, Manifest]]:
    """Hold the lock of a published library, and yield a session that writes to it, and its live version.

    Args:
        settings: name the library and the engine.
        patience: seconds to wait for another run; see `hold_lock`.
        is_brief: whether the lock is needed for some seconds only.

    Raises:
        LibraryError: nothing is published.
        LockedError: another run is writing.
    """
    library = Library(settings.library, settings.cache)
    library.live_version()  # taking the lock of a library that does not exist would create it
    with Engine(settings) as engine, hold_lock(library.storage, patience, is_brief) as lock:
        yield WriteSession(library, lock, engine, StageClock()), library.manifest(library.live_version())
