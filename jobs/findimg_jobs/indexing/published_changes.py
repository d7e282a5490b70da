"""Take over into a run what other processes publish while it runs: `add`, and a bot that follows Slack.

The run lists its sources and embeds without the lease to publish. `indexing/run.py` calls `adopt_published_changes`
before the run publishes.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from findimg.errors import NotPublishedError
from findimg.library.channels_off import addresses_off
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.encoders.choose_encoders import ChosenEncoder
from findimg_jobs.reporting.run_progress import LiveVersion, RunProgress
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.plan import read_planned_images, write_plan
from findimg_jobs.tables.image_table import ImageTable

_log = logging.getLogger(__name__)


def read_live(library: Library) -> LiveVersion:
    """Return the live version."""
    return LiveVersion(library.find_live_version(), library.live_manifest())


def with_published_changes(
    library: Library, before: LiveVersion, images: ImageTable, roots: Sequence[str]
) -> tuple[LiveVersion, ImageTable]:
    """Return the live version, and the images of a run with the changes that were published since an earlier version.

    They come from `add`, and from a bot that follows Slack.

    Args:
        library: the library.
        before: the earlier version.
        images: the images that the run would publish without the changes.
        roots: addresses of the run's sources. Images that were added elsewhere are left out.

    Raises:
        NotPublishedError: another run published with other sources or settings.
    """
    if library.find_live_version() == before.name:
        return before, images
    live = read_live(library)
    if before.manifest and live.manifest and _how_built(live.manifest) == _how_built(before.manifest):
        known, now = (read_planned_images(library.storage, each.run) for each in (before.manifest, live.manifest))
        added = now.changed_since(known).below(roots)
        return live, images.updated(added).without_uris_of(known.without_uris_of(now))
    raise NotPublishedError(f"Another run published to {library.uri} meanwhile. Run again.")


def adopt_published_changes(
    session: WriteSession, encoders: Sequence[ChosenEncoder], progress: RunProgress, roots: Sequence[str]
) -> bool:
    """Write the plan of a run again with what the live version gained and lost. Return whether it changed.

    Args:
        session: the library to write to.
        encoders: of the next version.
        progress: the plan, and what the run has done so far.
        roots: addresses of the run's sources.

    Raises:
        NotPublishedError: another run published with other sources or settings.
        StorageError: the library cannot be read or written.
    """
    library, storage = session.library, session.library.storage
    live, images = with_published_changes(library, progress.live, progress.plan.images, roots)
    if live == progress.live:
        return False
    with session.clock.stage("plan"):
        added = images.changed_since(progress.plan.images)
        progress.live = live
        progress.committed[:] = [read_committed(storage, each.fingerprint) for each in encoders]
        progress.reused += progress.committed[0].count_embedded(added)
        progress.plan = replace(progress.plan, images=images.not_below(addresses_off(storage)))
        write_plan(storage, progress.plan)
    _log.info("%d images were added meanwhile.", len(added))
    return True


def _how_built(manifest: Manifest) -> tuple[list[str], list[str]]:
    """Return recipes and sources. Two versions that are equal in these differ only in their images."""
    return [part.recipe for part in manifest.parts], manifest.sources
