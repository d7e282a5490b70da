"""Build and publish a version while this process holds the library's lock."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from findimg.errors import NotPublishedError
from findimg.library.library import Library
from findimg.library.manifest import FileEntry, Manifest
from findimg.settings import Settings
from findimg_jobs.build.publish import publish
from findimg_jobs.build.version import BuildRequest, BuiltVersion, build_version
from findimg_jobs.encoders.parts import join_parts
from findimg_jobs.engines.base import Engine
from findimg_jobs.keys.temporary import build_folder
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


def build_and_publish(
    session: WriteSession, requests: Sequence[BuildRequest], live: Manifest | None, allow_shrink: bool
) -> Manifest:
    """Build a version, publish it and return its manifest.

    If the version would equal the live one, return the live manifest and build nothing.

    Args:
        session: the library to write to.
        requests: the version, once for each of its encoders. All have the same images.
        live: the live version's manifest, None before the first publish.
        allow_shrink: publish even if the version has less than half of the live version's images.

    Raises:
        NotPublishedError: the version cannot be built or published.
        StorageError: the library cannot be read or written.
    """
    library = session.library
    try:
        with build_folder() as folder:
            with session.clock.stage("merge"):
                built = _build_parts(session, requests, live, folder)
            if built is None and live:
                return live
            assert built
            with session.clock.stage("publish"):
                publish(library, built, session.lock, allow_shrink)
    except (OSError, sqlite3.Error) as error:
        raise NotPublishedError(
            f"No version can be built in {tempfile.gettempdir()}: {error}. "
            "Free some space there, or name another folder with TMPDIR. Everything embedded so far is kept."
        ) from error
    return built.manifest


def _build_parts(
    session: WriteSession, requests: Sequence[BuildRequest], live: Manifest | None, folder: Path
) -> BuiltVersion | None:
    """Build the features of each encoder. Return None if nothing has changed."""
    known = {part.fingerprint: part for part in live.parts} if live else {}
    parts: list[Manifest] = []
    uploads: dict[str, Path] = {}
    written: dict[str, FileEntry] = {}
    is_changed = live is None or len(live.parts) != len(requests)
    for number, request in enumerate(requests):
        before = known.get(request.context.config.fingerprint)
        own = folder / str(number)
        own.mkdir()
        if built := build_version(session.library, request, before, own, session.engine):
            is_changed = True
            uploads |= built.uploads
            written |= built.written
            parts.append(built.manifest)
        elif before:
            parts.append(before)
    if not is_changed:
        return None
    backbones = [part.backbone for part in parts]
    by_second = live is not None and live.words_by_second and [part.backbone for part in live.parts] == backbones
    return BuiltVersion(join_parts(parts, by_second), uploads, written)
