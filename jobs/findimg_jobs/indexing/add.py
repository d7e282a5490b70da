"""Add single images to a library at once, without listing its sources."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from findimg.errors import LibraryError, NotPublishedError
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.ocr.engine import model_files
from findimg.plugins import PATIENCE, AddReport
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg_jobs.build.assemble import find_embedded_by_all
from findimg_jobs.build.merging import choose_small_merges
from findimg_jobs.build.session import WriteSession, build_and_publish
from findimg_jobs.build.version import BuildRequest
from findimg_jobs.encoders.choice import ChosenEncoder, check_encoder, choose_encoders
from findimg_jobs.engines.base import Engine
from findimg_jobs.indexing.plan import Plan, make_plan, new_run_id, read_folders, read_images, write_plan
from findimg_jobs.indexing.records import Listing, SourceImage
from findimg_jobs.indexing.run import EmbedJob, embed_shards, failures_of_any
from findimg_jobs.indexing.sources import list_sources
from findimg_jobs.indexing.vanished import is_below
from findimg_jobs.reading.stage import read_text
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.store.blocklist import is_blocked
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.shards import CommittedImages, Shard, make_shards, read_committed
from findimg_jobs.store.texts import read_committed_texts


def add(settings: Settings, uris: Sequence[str], patience: float = PATIENCE) -> AddReport:
    """Add new and changed images to a library, publish the result and return the report.

    Only these images are listed and read. They must be in the library's sources, where the next run of `index` finds
    them as they are. Several calls, and a run of `index`, wait for each other.

    Args:
        settings: the operator's settings.
        uris: images, or folders and s3:// prefixes inside the sources.
        patience: seconds to wait for another run.

    Raises:
        LibraryError: an image is in no source of the library, or is forgotten.
        SettingsError: an image does not exist.
        NotPublishedError: no image can be read.
        LockedError: another run is still writing after `patience`.
        FindimgError: nothing was published.
    """
    if settings.read_text != "off":
        model_files()  # a missing extra must not be noticed after embedding
    settings = settings.model_copy(update={"engine": "local"})  # a few images are embedded before Ray starts
    library = Library(settings.library, settings.cache)
    library.live_version()  # taking the lock of a library that does not exist would create it
    listing = list_sources(uris, library.uri)
    with Engine(settings) as engine, hold_lock(library.storage, patience) as lock:
        live = library.manifest(library.live_version())
        session = WriteSession(library, lock, engine, StageClock())
        _check_addable(library.storage, live, listing)
        encoders = _choose(settings, live)
        committed = [read_committed(library.storage, each.fingerprint) for each in encoders]
        planned = set(read_images(library.storage, live.run))
        plan = _plan(library.storage, settings, live, planned, listing, committed[0])
        for number, encoder in enumerate(encoders):
            shards = plan.shards if number == 0 else _shards(encoder, committed[number], listing, settings)
            committed[number] = embed_shards(session, settings, EmbedJob(encoder, shards), committed[number], [])
        if settings.read_text != "off":
            read_text(session, settings.read_text, live.fingerprint, listing.images, committed[0])
        found = [*listing.failures, *failures_of_any(committed, listing.images)]
        failures = tuple((failure.uri, failure.reason) for failure in found)
        added = [image for image in listing.images if all(each.is_embedded(image) for each in committed)]
        if failures and not added:
            raise NotPublishedError(f"No image can be added. {': '.join(failures[0])}")
        new = [image.uri for image in added if image not in planned]
        images = find_embedded_by_all(plan.images, committed, read_committed_texts(library.storage))
        requests = [
            BuildRequest(plan.run, encoder.context, part, live.failed, choose_small_merges)
            for encoder, part in zip(encoders, images, strict=True)
        ]
        manifest = build_and_publish(session, requests, live, allow_shrink=False)
    return AddReport(manifest.version, manifest.images, tuple(new), failures)


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


def _shards(
    encoder: ChosenEncoder, committed: CommittedImages, listing: Listing, settings: Settings
) -> Sequence[Shard]:
    """Return the listed images that a second encoder has not embedded."""
    images = [image for image in listing.images if not committed.is_embedded(image)]
    return make_shards(images, encoder.fingerprint, settings.shard_size)


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


def _plan(
    storage: Storage,
    settings: Settings,
    live: Manifest,
    planned: Iterable[SourceImage],
    listing: Listing,
    committed: CommittedImages,
) -> Plan:
    """Write and return the plan: the images of the live version, and those that were listed."""
    images = {image.uri: image for image in planned} | {image.uri: image for image in listing.images}
    new = make_plan(new_run_id(), listing, committed, live.fingerprint, settings.shard_size, retry_failed=True)
    folders = {**listing.folders, **read_folders(storage, live.run)}
    plan = replace(new, images=tuple(images[uri] for uri in sorted(images)), folders=folders)
    write_plan(storage, plan)
    return plan
