"""Run `findimg-jobs index`: list, plan, select, embed, read text, compact, build, publish, report.

`index` and `_embed_and_publish` call the stages in this order. The docstring of the package says where each stage is,
and where a new one goes.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from findimg.encoders.registry import text_files
from findimg.errors import FindimgError, NotPublishedError, SettingsError, StorageError
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg.storage.base import Storage, access_to
from findimg.terminal import counted
from findimg_jobs.build.build_stage import build_and_publish
from findimg_jobs.build.part_builder import BuildRequest
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.build_config.near_duplicate_cosine import (
    LEAST_IMAGES,
    measure_near_duplicate_cosine,
    write_near_duplicate_cosine,
)
from findimg_jobs.encoders.choose_encoders import ChosenEncoder, choose_encoders
from findimg_jobs.engines.engine import Engine
from findimg_jobs.indexing.embed_stage import EmbedJob, embed_images, failures_by_any_encoder, make_task
from findimg_jobs.indexing.embed_worker import open_task_encoder
from findimg_jobs.indexing.plan_stage import plan_images
from findimg_jobs.indexing.published_changes import adopt_published_changes, read_live, with_published_changes
from findimg_jobs.indexing.shard_compaction_stage import compact_shards_if_crowded
from findimg_jobs.listing.extensionless_checks import read_extensionless_checks
from findimg_jobs.listing.listing import Listing
from findimg_jobs.listing.skip_rules import SkipRules
from findimg_jobs.listing.sources import OnMissing, list_sources, map_in_threads
from findimg_jobs.reporting.run_progress import RunProgress, make_report
from findimg_jobs.reporting.run_report import RunReport, write_report
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.segments.version_images import VersionImages, find_version_images_by_encoder
from findimg_jobs.store.committed_images import NO_CONTENTS
from findimg_jobs.store.lock import hold_run
from findimg_jobs.store.planned_shards import PlannedShards
from findimg_jobs.text_reading.text_stage import TextReading, prepare_text_reading, read_text
from findimg_jobs.text_store.text_compaction import compact_text_shards
from findimg_jobs.text_store.text_shards import read_committed_texts

_PUBLISHING_PATIENCE = 600.0  # seconds to wait for processes that add images
_MEASURED_CONTENTS = 10_000  # contents among which the cosine of near-duplicates is measured
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """What one run does besides the settings."""

    strict: bool = False  # publish nothing if any image cannot be read
    allow_shrink: bool = False  # publish even if more than half of the images are gone
    retry_failed: bool = False  # read broken images again although they did not change
    rules: SkipRules = field(default_factory=SkipRules)  # which files and folders to skip
    from_list: bool = False  # the sources come from a list, in which single paths may be missing
    from_thumbnails: bool = False  # a second encoder embeds thumbnails of images that the first one has embedded


def index(
    settings: Settings,
    sources: Sequence[str],
    options: IndexOptions | None = None,
    on_end: Callable[[RunReport], None] | None = None,
) -> RunReport:
    """Bring a library up to date with its sources, publish the result and return the run's report.

    Args:
        settings: the operator's settings.
        sources: folders, image files, and addresses of other storages such as s3:// prefixes.
        options: what this run does besides the settings.
        on_end: receives the report when the run ends, whether or not it published a version. A run that ends before
            it has a plan has no report.

    Raises:
        FindimgError: nothing was published. Its exit code tells whether a rerun continues.
    """
    options = options or IndexOptions()
    clock = StageClock()
    reading = prepare_text_reading(settings)
    for access in access_to(sources, settings):
        access.use()
    library = Library(settings.library, settings.cache)
    live = read_live(library)
    encoders = choose_encoders(settings, live.manifest, [])
    if options.from_thumbnails and len(encoders) == 1:
        raise SettingsError(
            f"{settings.library} has one encoder, which must read the images. Leave out --from-thumbnails, or name "
            "another --backbone."
        )
    with Engine(settings) as engine:
        listing = _list_sources(sources, library, engine, clock, options)
        encoders = tuple(each.with_sources(listing.roots) for each in encoders)
        with hold_run(library.storage) as lock:
            session = WriteSession(library, lock, engine, clock)
            # The sources were listed without the lock.
            live, images = with_published_changes(library, live, listing.images, listing.roots)
            progress = plan_images(session, replace(listing, images=images), encoders, live, options.allow_shrink)
            run = _PlannedRun(session, settings, options, encoders, reading, listing.roots, progress)
            try:
                manifest = _embed_and_publish(run)
            except FindimgError as error:
                _report_failure(session, progress, error, on_end)
                if isinstance(error, StorageError):
                    raise NotPublishedError(f"{error} Everything embedded so far is kept. Run again.") from error
                raise
            is_same = manifest == progress.live.manifest
            report = make_report(progress, clock, "unchanged" if is_same else "published", manifest)
            write_report(library.storage, report)
            if on_end:
                on_end(report)
            return report


def _list_sources(
    sources: Sequence[str], library: Library, engine: Engine, clock: StageClock, options: IndexOptions
) -> Listing:
    _log.info("Listing the images of %s.", ", ".join(sources[:3]) + (" …" if len(sources) > 3 else ""))
    parallel_map = engine.map if engine.joins_cluster else map_in_threads
    on_missing: OnMissing = "record" if options.from_list else "ignore" if options.allow_shrink else "raise"
    with clock.stage("list"):
        known = read_extensionless_checks(library.storage)
        listing = list_sources(sources, library.uri, parallel_map, options.rules, on_missing, known)
    _log.info("Found %d images. Comparing them with the library.", len(listing.images))
    return listing


@dataclass(frozen=True, slots=True, eq=False)
class _PlannedRun:
    """One run of `index` after it has planned."""

    session: WriteSession
    settings: Settings
    options: IndexOptions
    encoders: Sequence[ChosenEncoder]
    reading: TextReading | None
    roots: Sequence[str]  # addresses of the sources
    progress: RunProgress

    def adopt_published_changes(self) -> bool:
        """Change the plan as the live version changed. Return whether it did."""
        return adopt_published_changes(self.session, self.encoders, self.progress, self.roots)


def _embed_and_publish(run: _PlannedRun) -> Manifest:
    """Embed the new images, publish a version and return its manifest.

    Other processes may add images until this run holds the lease to publish. If they did, the plan has more images,
    which this run may have to embed with its own encoders. So it adopts them twice: first without the lease, to embed
    most of them while others can still add, and then with the lease.
    """
    _embed_and_read_text(run)
    if run.adopt_published_changes():
        _embed_and_read_text(run)
    with run.session.lock.publishing(_PUBLISHING_PATIENCE):
        if run.adopt_published_changes():
            _embed_and_read_text(run)
        _compact_shards(run)
        return _publish_plan(run)


def _embed_and_read_text(run: _PlannedRun) -> None:
    """Embed the images of the plan that are new, and read their text.

    A run calls this up to three times. Each call finds only what the calls before have not done.
    """
    session, progress = run.session, run.progress
    with session.clock.stage("plan"):
        jobs = list(_select_new_images(run))
    embed_images(session, run.settings, jobs, progress.committed, progress.shards)
    if run.reading:
        images, committed = progress.plan.images, progress.committed[0]
        report = read_text(session, run.reading, run.encoders[0].fingerprint, images, committed)
        progress.text = progress.text.followed_by(report)


def _select_new_images(run: _PlannedRun) -> Iterator[EmbedJob]:
    """Yield what each encoder embeds: the images of the plan whose URI and etag the embedding store lacks.

    An image that was changed has another etag, so it is new, too.
    """
    for number, encoder in enumerate(run.encoders):
        images = run.progress.committed[number].to_embed(run.progress.plan.images, run.options.retry_failed)
        shards = PlannedShards(images, encoder.fingerprint, run.settings.shard_size)
        is_second = number and run.options.from_thumbnails
        yield EmbedJob(encoder, shards, run.encoders[0].fingerprint if is_second else "")


def _compact_shards(run: _PlannedRun) -> None:
    """Copy small shards of both stores together if this run added some. Segments stay as they are."""
    progress = run.progress
    for number, encoder in enumerate(run.encoders):
        if progress.shards[number]:
            committed = progress.committed[number]
            progress.committed[number] = compact_shards_if_crowded(run.session, run.settings, encoder, committed)
    if progress.text.images:
        compact_text_shards(run.session.library.storage)


def _publish_plan(run: _PlannedRun) -> Manifest:
    """Build and publish the version that the plan describes, and return its manifest."""
    progress, storage = run.progress, run.session.library.storage
    progress.failures += failures_by_any_encoder(progress.committed, progress.plan.images)
    if run.options.strict and progress.failures:
        raise NotPublishedError(
            f"{counted(len(progress.failures), 'image')} could not be read and --strict is on, so nothing is published."
        )
    found = find_version_images_by_encoder(progress.plan.images, progress.committed, read_committed_texts(storage))
    requests = []
    for encoder, images in zip(run.encoders, found, strict=True):
        measured = _with_near_duplicate_cosine(storage, run.settings, encoder, images)
        requests.append(BuildRequest(progress.plan.run, measured.context, images, len(progress.failures)))
    may_shrink = run.options.allow_shrink or progress.may_shrink
    return build_and_publish(run.session, requests, progress.live.manifest, may_shrink)


def _with_near_duplicate_cosine(
    storage: Storage, settings: Settings, encoder: ChosenEncoder, images: VersionImages
) -> ChosenEncoder:
    """Return an image–text encoder with the cosine of near-duplicates, measured once the library has enough images."""
    config = encoder.context.config
    if not text_files(config.backbone) or config.near_duplicate_cosine is not None:
        return encoder
    different = frozenset(images.lowest_hashes(_MEASURED_CONTENTS))
    if len(different) < LEAST_IMAGES:
        return encoder
    opened = open_task_encoder(make_task(storage, settings, encoder, NO_CONTENTS))
    cosine = measure_near_duplicate_cosine(storage, opened, different)
    write_near_duplicate_cosine(storage, config.fingerprint, cosine)
    return encoder.with_near_duplicate_cosine(cosine)


def _report_failure(
    session: WriteSession,
    progress: RunProgress,
    error: FindimgError,
    on_end: Callable[[RunReport], None] | None,
) -> None:
    report = make_report(progress, session.clock, str(error), progress.live.manifest)
    try:
        write_report(session.library.storage, report)
    except StorageError as unwritten:
        # If a disk is full, the report cannot be written either. The error of the run is the one to raise.
        _log.warning("The run report could not be written: %s", unwritten)
    if on_end:
        on_end(report)
