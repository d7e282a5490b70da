"""The stages "merge" and "publish" of a run: build a version's part for each encoder, join the parts, and publish.

In reports, "merge" is the time of the whole build. Which segments are joined is chosen in `merge_policies.py`.
"""

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

from findimg.errors import NotPublishedError
from findimg.library.manifest import FileEntry, Manifest
from findimg_jobs.build.join_parts import join_parts
from findimg_jobs.build.part_builder import BuildRequest, BuiltVersion, build_part
from findimg_jobs.build.publish import publish
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.tables.temporary_folders import build_folder


def build_and_publish(
    session: WriteSession, requests: Sequence[BuildRequest], live: Manifest | None, allow_shrink: bool
) -> Manifest:
    """Build a version, publish it and return its manifest.

    If the version would equal the live one, build nothing and return the live manifest.

    Args:
        session: the library to write to.
        requests: what to build for each encoder. All have the same images.
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
        if built := build_part(session.library, request, before, own, session.engine):
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
