"""The stage "plan" of a run: decide which images the next version has, and write the plan.

`indexing/run.py` calls it after the sources are listed. Which images of the plan are new and must be embedded is
decided afterwards, by `CommittedImages.to_embed`.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from findimg.errors import LibraryError, NotPublishedError
from findimg.library.channels_off import addresses_off
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.encoders.choose_encoders import ChosenEncoder
from findimg_jobs.listing.extensionless_checks import write_extensionless_checks
from findimg_jobs.listing.listing import Listing
from findimg_jobs.listing.unmounted_folders import UNMOUNTED, find_unmounted_folders
from findimg_jobs.reporting.run_progress import LiveVersion, RunProgress
from findimg_jobs.store.blocklist import without_blocked
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.plan import Plan, new_run_id, read_plan, write_plan
from findimg_jobs.tables.addresses import is_below
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, FolderIdentity
from findimg_jobs.text_reading.sidecars import read_captions_beside

_log = logging.getLogger(__name__)


def plan_images(
    session: WriteSession,
    listing: Listing,
    encoders: Sequence[ChosenEncoder],
    live: LiveVersion,
    allow_shrink: bool,
) -> RunProgress:
    """Write the plan of a run and return what the run has done so far.

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
            listing = _with_unmounted_as_unreadable(listing, before, folders)
        images, skipped = _images_of_version(listing, before, committed)
        off = addresses_off(storage)
        images = read_captions_beside(without_blocked(storage, images.not_below(off)), before)
        plan = Plan(new_run_id(), images, listing.folders)
        write_plan(storage, plan)
        if listing.extensionless_checks:
            write_extensionless_checks(storage, plan.run, listing.extensionless_checks)
        wanted = len(before) - before.count_below(off)
        return RunProgress(
            live=live,
            plan=plan,
            committed=every,
            failures=list(listing.failures),
            listing_failures=len(listing.failures),
            skipped=skipped,
            reused=committed.count_embedded(plan.images),
            removed=before.count_without_uris_of(plan.images),
            # Members want the images of their channel removed, so these are no loss.
            may_shrink=wanted < len(before) and len(plan.images) * 2 >= wanted,
            shards=[[] for _ in encoders],
        )


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


def _with_unmounted_as_unreadable(
    listing: Listing, before: ImageTable, folders: Mapping[str, FolderIdentity]
) -> Listing:
    """Return the listing with folders whose disk is not mounted marked as unreadable. They keep their identity."""
    unmounted = find_unmounted_folders(before, folders, listing)
    kept = (*listing.unreadable, *unmounted)
    return replace(
        listing,
        failures=[*listing.failures, *(Failure(path, "", UNMOUNTED, transient=True) for path in unmounted)],
        unreadable=kept,
        # The next run must still know which folder the path led to.
        folders={**listing.folders, **{path: folder for path, folder in folders.items() if is_below(path, kept)}},
    )


def _images_of_version(
    listing: Listing, before: ImageTable, committed: CommittedImages
) -> tuple[ImageTable, Counter[str]]:
    """Return the images for the next version, and the number of skipped files by reason.

    Images that cannot be read now are kept if they were embedded before: those in unreadable folders, and those that
    their storage archived.
    """
    images, skipped = listing.images, listing.skipped.copy()
    if len(listing.archived):
        archived = committed.select_embedded(listing.archived)
        if len(archived) < len(listing.archived):
            skipped["archived in S3"] += len(listing.archived) - len(archived)
        images = archived.updated(images)
    if listing.unreadable:
        images = before.below(listing.unreadable).updated(images)
    return images, skipped
