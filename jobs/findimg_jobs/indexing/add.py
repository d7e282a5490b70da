"""The short way of a few images: add or remove them at once, without listing all sources.

`findimg-jobs add`, `OpenedLibrary.add` and the bot come here. The long way, for all images of the sources, is
`indexing/run.py`. Both embed with `indexing/embed_stage.py` and publish with `build/build_stage.py`, so an image that
is added here is the same to the next run of `index`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from findimg.errors import LibraryError, NotPublishedError
from findimg.library.channels_off import addresses_off
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.plugins import PATIENCE, AddReport, Change, NotAdded
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg_jobs.build.build_stage import build_and_publish
from findimg_jobs.build.merge_policies import choose_small_merges
from findimg_jobs.build.part_builder import BuildRequest
from findimg_jobs.build.write_session import WriteSession, write_to_live
from findimg_jobs.encoders.choose_encoders import ChosenEncoder, check_encoder, choose_encoders, encoders_of_live
from findimg_jobs.indexing.embed_stage import EmbedJob, embed_images, failures_by_any_encoder
from findimg_jobs.indexing.shard_compaction_stage import compact_shards_if_crowded
from findimg_jobs.listing.listing import Listing
from findimg_jobs.listing.sources import list_sources
from findimg_jobs.segments.version_images import find_version_images_by_encoder, select_embedded_by_all
from findimg_jobs.store.blocklist import is_blocked
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.plan import Plan, new_run_id, read_plan, write_plan
from findimg_jobs.store.planned_shards import PlannedShards
from findimg_jobs.store.shards import ShardStats
from findimg_jobs.tables.addresses import is_below
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, SourceImage
from findimg_jobs.text_reading.text_stage import TextReading, prepare_text_reading, read_text
from findimg_jobs.text_store.text_shards import read_committed_texts


@dataclass(frozen=True, slots=True)
class _AddOutcome:
    """What `_publish_change` did."""

    manifest: Manifest
    new: tuple[str, ...]  # addresses of the images that the version before had not, or with other content
    held: int  # listed images that the version has
    failures: tuple[Failure, ...]


def add(settings: Settings, uris: Sequence[str], patience: float = PATIENCE) -> AddReport:
    """Add new and changed images to a library, publish the result and return the report.

    Only these images are listed and read. They must be in the library's sources, where the next run of `index` finds
    them as they are. Several calls wait for each other. A run of `index` keeps them waiting only while it publishes.

    Args:
        settings: the operator's settings.
        uris: images and folders inside the sources, as paths or addresses.
        patience: seconds to wait for another run.

    Raises:
        LibraryError: an image is in no source of the library, or is forgotten.
        SettingsError: an image does not exist.
        NotPublishedError: no image can be read.
        LockedError: another run is still writing after `patience`.
        FindimgError: nothing was published.
    """
    reading = prepare_text_reading(settings)
    library = Library(settings.library, settings.cache)
    library.live_version()  # a missing library is reported before the images are listed
    listing = list_sources(uris, library.uri)
    settings = settings.model_copy(update={"engine": "local"})  # a few images are embedded before Ray starts
    with write_to_live(settings, patience, is_brief=True) as (session, live):
        _check_addable(library.storage, live, listing)
        published = _publish_change(session, settings, reading, live, listing)
        if published.failures and not published.held:
            first = published.failures[0]
            raise NotPublishedError(f"No image can be added. {first.uri}: {first.reason}")
    failures = tuple((failure.uri, failure.reason) for failure in published.failures)
    return AddReport(published.manifest.version, published.manifest.images, published.new, failures)


def apply(settings: Settings, change: Change, patience: float = PATIENCE) -> tuple[NotAdded, ...]:
    """Add and remove images that somebody else listed; see `findimg.plugins.Apply`."""
    reading = prepare_text_reading(settings)
    settings = settings.model_copy(update={"engine": "local"})
    with write_to_live(settings, patience, is_brief=True) as (session, live):
        storage = session.library.storage
        off = addresses_off(storage)
        found = [SourceImage(entry.uri, entry.etag, entry.modified) for entry in change.added]
        found = [image for image in found if not is_below(image.uri, off)]
        outside = [image for image in found if not is_below(image.uri, live.sources)]
        found = [image for image in found if image not in outside and not is_blocked(storage, image.uri)]
        listing = Listing(ImageTable.of(image for image in found if not is_below(image.uri, change.removed)))
        published = _publish_change(session, settings, reading, live, listing, change.removed)
    reason = "It is in no source of the library. Run index with its source once."
    return (
        *(NotAdded(image.uri, reason, transient=False) for image in outside),
        *(NotAdded(failure.uri, failure.reason, failure.transient) for failure in published.failures),
    )


def _publish_change(
    session: WriteSession,
    settings: Settings,
    reading: TextReading | None,
    live: Manifest,
    listing: Listing,
    removed: Sequence[str] = (),
) -> _AddOutcome:
    """Embed the listed images, and publish a version with them and without the removed ones."""
    library = session.library
    storage = library.storage
    # A removal needs no encoder, so this machine may have other weights.
    encoders = _choose(settings, live) if len(listing.images) else encoders_of_live(settings, live, live.sources)
    committed = [read_committed(storage, each.fingerprint) for each in encoders]
    before = read_plan(storage, live.run)
    planned = before.images
    kept = planned.not_below(removed)
    plan = _write_plan(storage, replace(before, images=kept), listing)
    jobs = [
        # A broken image that somebody adds is tried again.
        EmbedJob(encoder, PlannedShards(each.to_embed(listing.images, True), encoder.fingerprint, settings.shard_size))
        for encoder, each in zip(encoders, committed, strict=True)
    ]
    done: list[list[ShardStats]] = [[] for _ in jobs]
    embed_images(session, settings, jobs, committed, done)
    for number, encoder in enumerate(encoders):
        # Beside a run of `index`, that run does it.
        if done[number] and session.lock.is_exclusive:
            committed[number] = compact_shards_if_crowded(session, settings, encoder, committed[number])
    if reading:
        read_text(session, reading, live.fingerprint, listing.images, committed[0])

    failures = (*listing.failures, *failures_by_any_encoder(committed, listing.images))
    held = select_embedded_by_all(listing.images, committed)
    if not len(held) and len(kept) == len(planned):
        return _AddOutcome(live, (), 0, failures)
    if removed and not len(select_embedded_by_all(plan.images, committed)):
        raise LibraryError(f"{library.uri} holds no other image, so nothing was removed. Delete the library instead.")
    images = find_version_images_by_encoder(plan.images, committed, read_committed_texts(storage))
    requests = [
        BuildRequest(plan.run, encoder.context, part, live.failed, choose_small_merges)
        for encoder, part in zip(encoders, images, strict=True)
    ]
    manifest = build_and_publish(session, requests, live, allow_shrink=bool(removed))
    new = tuple(image.uri for image in held.changed_since(planned))
    return _AddOutcome(manifest, new, len(held), failures)


def _choose(settings: Settings, live: Manifest) -> tuple[ChosenEncoder, ...]:
    """Return the encoders of the library, after checking that they are those that have embedded its images."""
    check_encoder(settings, live)
    encoders = choose_encoders(settings, live, live.sources)
    for part, encoder in zip(live.parts, encoders, strict=True):
        if encoder.fingerprint != part.fingerprint:
            raise LibraryError(
                f"{settings.library} was embedded with other weights of {part.backbone} than those on this machine, "
                "so nothing was added. Run index to embed all images again."
            )
    return encoders


def _check_addable(storage: Storage, live: Manifest, listing: Listing) -> None:
    for image in listing.images:
        if not is_below(image.uri, live.sources):
            raise LibraryError(
                f"{image.uri} is in no source of the library, so the next run would remove it. Run index with its "
                f"folder instead. The sources are {', '.join(live.sources)}."
            )
        if is_blocked(storage, image.uri):
            raise LibraryError(
                f"{image.uri} was forgotten, so nothing was added. To allow it again, run findimg-jobs forget --allow."
            )


def _write_plan(storage: Storage, before: Plan, listing: Listing) -> Plan:
    """Write and return the plan: the images of the version before that stay, and those that were listed."""
    folders = {**listing.folders, **before.folders}
    plan = Plan(new_run_id(), before.images.updated(listing.images), folders=folders)
    write_plan(storage, plan)
    return plan
