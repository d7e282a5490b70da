"""Decide which images the next version of a library has, and write the plan of the run."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from findimg.errors import LibraryError, NotPublishedError
from findimg.library.channels_off import addresses_off
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.encoders.choice import ChosenEncoder
from findimg_jobs.indexing.vanished import VANISHED, is_below, vanished_folders
from findimg_jobs.keys.image_table import ImageTable
from findimg_jobs.keys.listing import Listing
from findimg_jobs.keys.records import Failure, FolderIdentity
from findimg_jobs.keys.verdicts import write_verdicts
from findimg_jobs.reading.sidecars import read_captions_beside
from findimg_jobs.reporting.run_progress import LiveVersion, RunProgress
from findimg_jobs.store.blocklist import without_blocked
from findimg_jobs.store.committed import CommittedImages, read_committed
from findimg_jobs.store.plan import Plan, new_run_id, read_images, read_plan, write_plan

_log = logging.getLogger(__name__)


def plan_images(
    session: WriteSession,
    listing: Listing,
    encoders: Sequence[ChosenEncoder],
    live: LiveVersion,
    allow_shrink: bool,
) -> RunProgress:
    """Write the plan of a run and return what the run has done so far. A stage of `index`.

    Args:
        session: the library to write to.
        listing: what the sources hold.
        encoders: of the next version.
        live: the live version.
        allow_shrink: take images that are not listed as deleted, even if a source lost all of them.

    Raises:
        NotPublishedError: a source has lost all its images.
        StorageError: the library cannot be read or written.
    """
    storage = session.library.storage
    with session.clock.stage("plan"):
        every = [read_committed(storage, each.fingerprint) for each in encoders]
        committed = every[0]
        before, folders = _live_images(session.library, live.manifest, committed)
        if not allow_shrink:
            _check_not_emptied(listing, before)
            listing = _keep_vanished(listing, before, folders)
        images, skipped = _images_of_version(listing, before, committed)
        off = addresses_off(storage)
        images = read_captions_beside(without_blocked(storage, images.not_below(off)), before)
        plan = Plan(new_run_id(), images, listing.folders)
        write_plan(storage, plan)
        if listing.verdicts:
            write_verdicts(storage, plan.run, listing.verdicts)
        wanted = len(before) - before.count_below(off)
        return RunProgress(
            live=live,
            plan=plan,
            committed=every,
            failures=list(listing.failures),
            unlisted=len(listing.failures),
            skipped=skipped,
            reused=committed.count_embedded(plan.images),
            removed=before.count_without(plan.images),
            # Members want the images of their channel removed, so these are no loss.
            may_shrink=wanted < len(before) and len(plan.images) * 2 >= wanted,
            shards=[[] for _ in encoders],
        )


def read_live(library: Library) -> LiveVersion:
    """Return the live version."""
    return LiveVersion(library.current(), library.live_manifest())


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
    if library.current() == before.name:
        return before, images
    live = read_live(library)
    if before.manifest and live.manifest and _how_built(live.manifest) == _how_built(before.manifest):
        known, now = (read_images(library.storage, each.run) for each in (before.manifest, live.manifest))
        added = now.changed_since(known).below(roots)
        return live, images.updated(added).without(known.without(now))
    raise NotPublishedError(f"Another run published to {library.uri} meanwhile. Run again.")


def follow_live(
    session: WriteSession, encoders: Sequence[ChosenEncoder], progress: RunProgress, roots: Sequence[str]
) -> bool:
    """Change the plan of a run as the live version changed since the plan was written. Return whether it did.

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


def _live_images(
    library: Library, live: Manifest | None, committed: CommittedImages
) -> tuple[ImageTable, Mapping[str, FolderIdentity]]:
    """Return the images of the live version, and the folders that they were in."""
    if live is None:
        return ImageTable.of(()), {}
    try:
        plan = read_plan(library.storage, live.run, committed)
    except LibraryError as error:
        _log.warning("The images of the live version are not known: %s", error)
        return ImageTable.of(()), {}
    return plan.images, plan.folders


def _check_not_emptied(listing: Listing, before: ImageTable) -> None:
    """Check that no source lost all its images, because then its disk is probably not mounted."""
    for root in listing.empty_sources:
        lost = before.count_below((root,))
        if lost:
            raise NotPublishedError(
                f"The source {root} has no image any more, but the library holds {lost} of its images. If its disk is "
                "not mounted, mount it and run again. If the images are really gone, run again with --allow-shrink."
            )


def _keep_vanished(listing: Listing, before: ImageTable, folders: Mapping[str, FolderIdentity]) -> Listing:
    """Return the listing with folders whose disk is not mounted marked as unreadable. They keep their identity."""
    vanished = vanished_folders(before, folders, listing)
    kept = (*listing.unreadable, *vanished)
    return replace(
        listing,
        failures=[*listing.failures, *(Failure(path, "", VANISHED, transient=True) for path in vanished)],
        unreadable=kept,
        # The next run must still know which folder the path led to.
        folders={**listing.folders, **{path: folder for path, folder in folders.items() if is_below(path, kept)}},
    )


def _images_of_version(
    listing: Listing, before: ImageTable, committed: CommittedImages
) -> tuple[ImageTable, Counter[str]]:
    """Return the images for the next version, and the number of skipped files by reason.

    Images that cannot be read now are kept if they were embedded before: those in unreadable folders, and those that
    S3 archived.
    """
    images, skipped = listing.images, listing.skipped.copy()
    if len(listing.archived):
        archived = committed.embedded(listing.archived)
        if len(archived) < len(listing.archived):
            skipped["archived in S3"] += len(listing.archived) - len(archived)
        images = archived.updated(images)
    if listing.unreadable:
        images = before.below(listing.unreadable).updated(images)
    return images, skipped
