"""Build and publish a version while this process holds the library's lock."""

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from findimg.errors import NotPublishedError
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg_jobs.build.publish import publish
from findimg_jobs.build.version import BuildRequest, build_version
from findimg_jobs.engines.base import Engine
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.store.lock import Lock


@dataclass(frozen=True, slots=True)
class WriteSession:
    """A library that this process is writing to."""

    library: Library
    lock: Lock
    engine: Engine
    clock: StageClock


def build_and_publish(
    session: WriteSession, request: BuildRequest, live: Manifest | None, allow_shrink: bool
) -> Manifest:
    """Build a version, publish it and return its manifest.

    If the version would equal the live one, return the live manifest and build nothing.

    Args:
        session: the library to write to.
        request: the version.
        live: the live version's manifest, None before the first publish.
        allow_shrink: publish even if the version has less than half of the live version's images.

    Raises:
        NotPublishedError: the version cannot be built or published.
        StorageError: the library cannot be read or written.
    """
    library = session.library
    try:
        with tempfile.TemporaryDirectory(prefix="findimg-") as name:
            with session.clock.stage("merge"):
                built = build_version(library, request, live, Path(name), session.engine)
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
