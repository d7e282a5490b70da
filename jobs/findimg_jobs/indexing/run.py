"""Run the indexing pipeline: list, plan, embed, build, publish, report."""

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os.path import abspath

from findimg.encoders.registry import text_files
from findimg.errors import FindimgError, LibraryError, NotPublishedError, SettingsError, StorageError
from findimg.library.channels_off import addresses_off
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg.storage.slack import SCHEME, SlackAccess, access_of_sources, use_access
from findimg.terminal import counted
from findimg_jobs.build.version import BuildRequest
from findimg_jobs.build.write_session import WriteSession, build_and_publish
from findimg_jobs.encoders.choice import ChosenEncoder, choose_encoders
from findimg_jobs.encoders.near_duplicates import LEAST_IMAGES, measure_near_duplicates, write_measured
from findimg_jobs.encoders.vocabulary import keep_vocabulary
from findimg_jobs.engines.base import Engine
from findimg_jobs.indexing.embed import EmbedTask, open_task_encoder
from findimg_jobs.indexing.skip_rules import SkipRules
from findimg_jobs.indexing.sources import OnMissing, list_sources, map_in_threads
from findimg_jobs.indexing.vanished import VANISHED, is_below, vanished_folders
from findimg_jobs.keys.image_table import ImageTable
from findimg_jobs.keys.listing import Listing
from findimg_jobs.keys.records import Failure, FolderIdentity, SourceImage
from findimg_jobs.reading.sidecars import read_captions_beside
from findimg_jobs.reading.stage import check_models, read_text
from findimg_jobs.reporting.memory import peak_memory
from findimg_jobs.reporting.progress import show_progress
from findimg_jobs.reporting.run_report import RunReport, TextReport, add_up_shards, write_report
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.store.blocklist import without_blocked
from findimg_jobs.store.committed import NO_CONTENTS, CommittedImages, read_committed
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.plan import Plan, new_run_id, read_images, read_plan, share_work, write_plan
from findimg_jobs.store.planned_shards import PlannedShards
from findimg_jobs.store.shard_compaction import compact, is_crowded
from findimg_jobs.store.shards import Stats
from findimg_jobs.store.texts import read_committed_texts
from findimg_jobs.store.verdicts import read_verdicts, write_verdicts
from findimg_jobs.store.version_images import VersionImages, find_embedded_by_all

_MEASURED = 10_000  # contents among which near-duplicates are measured
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


@dataclass(slots=True)
class _Progress:
    """What a run has done so far."""

    plan: Plan
    committed: list[CommittedImages]  # everything committed, for each encoder
    failures: list[Failure]
    unlisted: int  # images without a valid name, and unreadable folders
    skipped: Counter[str]  # reason → number of files and folders
    reused: int  # images that were embedded before the run
    removed: int  # images of the live version that the sources no longer hold
    may_shrink: bool  # whether the version may have less than half of the live version's images
    shards: list[list[Stats]] = field(default_factory=list)  # embedded in this run, for each encoder
    text: TextReport = field(default_factory=TextReport)


def index(
    settings: Settings,
    sources: Sequence[str],
    options: IndexOptions | None = None,
    on_end: Callable[[RunReport], None] | None = None,
) -> RunReport:
    """Bring a library up to date with its sources, publish the result and return the run's report.

    Args:
        settings: the operator's settings.
        sources: folders and s3:// prefixes.
        options: what this run does besides the settings.
        on_end: receives the report when the run ends, whether or not it published a version. A run that ends before
            it has a plan has no report.

    Raises:
        FindimgError: nothing was published. Its exit code tells whether a rerun continues.
    """
    options = options or IndexOptions()
    clock = StageClock()
    if settings.read_text != "off":
        check_models(settings)  # a missing extra must not be noticed after hours of embedding
    for team, access in access_of_sources(settings, sources).items():
        use_access(team, access)
    library = Library(settings.library, settings.cache)
    live_name, live = library.current(), library.live_manifest()
    encoders = choose_encoders(settings, live, [])
    if options.from_thumbnails and len(encoders) == 1:
        raise SettingsError(
            f"{settings.library} has one encoder, which must read the images. Leave out --from-thumbnails, or name "
            "another --backbone."
        )
    with Engine(settings) as engine:
        listing = _list(sources, library, engine, clock, options)
        encoders = tuple(each.with_sources(listing.roots) for each in encoders)
        with hold_lock(library.storage) as lock:
            session = WriteSession(library, lock, engine, clock)
            if library.current() != live_name:  # the sources were listed without the lock
                live, listing = _catch_up(library, live, listing)
            progress = _plan(session, listing, encoders, live, options)
            try:
                with clock.stage("plan"):
                    jobs = list(_jobs(encoders, progress, settings, options))
                embed_with_all(session, settings, jobs, progress.committed, progress.shards)
                _read_text(session, settings, encoders[0], progress)
                manifest = _build(session, settings, encoders, progress, live, options)
            except FindimgError as error:
                _report_failure(session, progress, live, error, on_end)
                if isinstance(error, StorageError):
                    raise NotPublishedError(f"{error} Everything embedded so far is kept. Run again.") from error
                raise
            report = _make_report(progress, clock, "unchanged" if manifest == live else "published", manifest)
            write_report(library.storage, report)
            if on_end:
                on_end(report)
            return report


def _list(
    sources: Sequence[str], library: Library, engine: Engine, clock: StageClock, options: IndexOptions
) -> Listing:
    _log.info("Listing the images of %s.", ", ".join(sources[:3]) + (" …" if len(sources) > 3 else ""))
    parallel_map = engine.map if engine.joins_cluster else map_in_threads
    on_missing: OnMissing = "fail" if options.from_list else "empty" if options.allow_shrink else "refuse"
    with clock.stage("list"):
        known = read_verdicts(library.storage)
        listing = list_sources(sources, library.uri, parallel_map, options.rules, on_missing, known)
    _log.info("Found %d images. Comparing them with the library.", len(listing.images))
    return listing


def _catch_up(library: Library, before: Manifest | None, listing: Listing) -> tuple[Manifest, Listing]:
    """Return the live version, and the listing with the changes that were published while this run was listing.

    They come from `add`, and from a bot that follows Slack.

    Raises:
        NotPublishedError: another run published with other sources or settings.
    """
    live = library.live_manifest()
    if before and live and _how_built(live) == _how_built(before):
        known, now = (read_images(library.storage, manifest.run) for manifest in (before, live))
        added = now.changed_since(known).below(listing.roots)
        images = listing.images.updated(added).without(known.without(now))
        return live, replace(listing, images=images)
    raise NotPublishedError(f"Another run published to {library.uri} while this run was listing. Run again.")


def _how_built(manifest: Manifest) -> tuple[list[str], list[str]]:
    """Return recipes and sources. Two versions that are equal in these differ only in their images."""
    return [part.recipe for part in manifest.parts], manifest.sources


def _plan(
    session: WriteSession,
    listing: Listing,
    encoders: Sequence[ChosenEncoder],
    live: Manifest | None,
    options: IndexOptions,
) -> _Progress:
    storage = session.library.storage
    with session.clock.stage("plan"):
        every = [read_committed(storage, each.fingerprint) for each in encoders]
        committed = every[0]
        before, folders = _live_images(session.library, live, committed)
        if not options.allow_shrink:
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
        return _Progress(
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


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """What one encoder embeds in a run."""

    encoder: ChosenEncoder
    shards: PlannedShards
    thumbnails_of: str = ""  # an encoder whose images are embedded from their thumbnails; empty to read all images


def _jobs(
    encoders: Sequence[ChosenEncoder], progress: _Progress, settings: Settings, options: IndexOptions
) -> Iterator[EmbedJob]:
    """Yield what each encoder embeds: only new and changed images."""
    for number, encoder in enumerate(encoders):
        images = progress.committed[number].to_embed(progress.plan.images, options.retry_failed)
        shards = PlannedShards(images, encoder.fingerprint, settings.shard_size)
        is_second = number and options.from_thumbnails
        yield EmbedJob(encoder, shards, encoders[0].fingerprint if is_second else "")


def embed_with_all(
    session: WriteSession,
    settings: Settings,
    jobs: Sequence[EmbedJob],
    committed: list[CommittedImages],
    done: Sequence[list[Stats]],
) -> None:
    """Embed with one or two encoders. An image that both lack is read once.

    Args:
        session: the library to write to.
        settings: the operator's settings.
        jobs: one for each encoder.
        committed: what is committed for each encoder before. What is committed afterwards takes its place.
        done: for each encoder, receives the statistics of each shard when it is committed.

    Raises:
        FindimgError: not all shards could be embedded. Committed shards stay.
    """
    if len(jobs) == 2 and not jobs[1].thumbnails_of:
        jobs = _embed_together(session, settings, jobs[0], jobs[1], committed, done)
    for number, job in enumerate(jobs):
        committed[number] = _embed_shards(session, settings, job, committed[number], done[number])


def _embed_together(
    session: WriteSession,
    settings: Settings,
    first: EmbedJob,
    second: EmbedJob,
    committed: list[CommittedImages],
    done: Sequence[list[Stats]],
) -> tuple[EmbedJob, EmbedJob]:
    """Embed the images that two encoders lack, and return what each of them must do alone."""
    storage, encoders = session.library.storage, (first.encoder, second.encoder)
    work = share_work(first.shards, second.shards)
    to_embed = len(work.both.images)
    if not to_embed:
        return first, second
    names = " and ".join(encoder.context.config.backbone for encoder in encoders)
    _log.info("Embedding %d new or changed images with %s. Loading the models.", to_embed, names)
    alone: list[SourceImage] = []
    with session.clock.stage("embed"):
        tasks = [
            _task(storage, settings, encoder, known.contents())
            for encoder, known in zip(encoders, committed, strict=True)
        ]
        task = replace(tasks[0], slack=_slack_access(settings, work.both.images), beside=tasks[1])
        for stats in show_progress(session.engine.run(work.both, task), to_embed):
            done[0].append(replace(stats, beside=None, alone=()))
            if stats.beside:
                done[1].append(stats.beside)
            alone += stats.alone
            session.lock.check()
    rest = [
        replace(job, shards=replace(shards, images=shards.images.updated(ImageTable.of(alone))) if alone else shards)
        for job, shards in ((first, work.first), (second, work.second))
    ]
    if any(len(job.shards) for job in rest):
        committed[:] = [read_committed(storage, encoder.fingerprint) for encoder in encoders]
    return rest[0], rest[1]


def _embed_shards(
    session: WriteSession, settings: Settings, job: EmbedJob, committed: CommittedImages, done: list[Stats]
) -> CommittedImages:
    """Embed shards with one encoder, and return what is committed for it afterwards.

    Args:
        session: the library to write to.
        settings: the operator's settings.
        job: the encoder and the shards.
        committed: what is committed for the encoder before.
        done: receives the statistics of each shard when it is committed.

    Raises:
        FindimgError: not all shards could be embedded. Committed shards stay.
    """
    storage, encoder, fingerprint = session.library.storage, job.encoder, job.encoder.fingerprint
    to_embed = len(job.shards.images)
    if to_embed:
        name = encoder.context.config.backbone
        _log.info("Embedding %d new or changed images with %s. Loading the model.", to_embed, name)
    with session.clock.stage("embed"):
        contents = committed.contents() if to_embed else NO_CONTENTS
        task = _task(storage, settings, encoder, contents, job.thumbnails_of)
        task = replace(task, slack=_slack_access(settings, job.shards.images))
        for shard in show_progress(session.engine.run(job.shards, task), to_embed):
            done.append(shard)
            session.lock.check()
    keep_vocabulary(storage, ModelStore(settings.cache / "models"), encoder.context, encoder.weights or None)
    if not done:
        return committed
    committed = read_committed(storage, fingerprint)
    if is_crowded(committed, settings.shard_size):
        with session.clock.stage("compact"):
            compact(storage, fingerprint, settings.shard_size)
        committed = read_committed(storage, fingerprint)
    return committed


def _task(
    storage: Storage, settings: Settings, encoder: ChosenEncoder, contents: Container[str], thumbnails_of: str = ""
) -> EmbedTask:
    weights = encoder.weights
    return EmbedTask(
        backbone=encoder.context.config.backbone,
        # A worker may have another working folder.
        weights=weights if "://" in weights else weights and abspath(weights),
        models=(settings.cache / "models").absolute(),
        library=storage.root,
        fingerprint=encoder.fingerprint,
        contents=contents,
        carried_by=encoder.live.version if encoder.carried and encoder.live else "",
        thumbnails_of=thumbnails_of,
    )


def _slack_access(settings: Settings, images: ImageTable) -> dict[str, SlackAccess]:
    """Return the access to each Slack workspace that some images are in."""
    return access_of_sources(settings, (image.uri for image in images.below((f"{SCHEME}://",))))


def _read_text(session: WriteSession, settings: Settings, encoder: ChosenEncoder, progress: _Progress) -> None:
    if settings.read_text != "off":
        images, committed = progress.plan.images, progress.committed[0]
        progress.text = read_text(session, settings, encoder.fingerprint, images, committed)


def _build(
    session: WriteSession,
    settings: Settings,
    encoders: Sequence[ChosenEncoder],
    progress: _Progress,
    live: Manifest | None,
    options: IndexOptions,
) -> Manifest:
    """Build and publish the version that the plan describes, and return its manifest."""
    progress.failures += failures_of_any(progress.committed, progress.plan.images)
    if options.strict and progress.failures:
        raise NotPublishedError(
            f"{counted(len(progress.failures), 'image')} could not be read and --strict is on, so nothing is published."
        )
    storage = session.library.storage
    found = find_embedded_by_all(progress.plan.images, progress.committed, read_committed_texts(storage))
    encoders = [
        _with_near_duplicates(storage, settings, encoder, images)
        for encoder, images in zip(encoders, found, strict=True)
    ]
    requests = [
        BuildRequest(progress.plan.run, encoder.context, images, len(progress.failures))
        for encoder, images in zip(encoders, found, strict=True)
    ]
    return build_and_publish(session, requests, live, options.allow_shrink or progress.may_shrink)


def _with_near_duplicates(
    storage: Storage, settings: Settings, encoder: ChosenEncoder, images: VersionImages
) -> ChosenEncoder:
    """Return an image–text encoder with the cosine of near-duplicates, measured once the library has enough images."""
    config = encoder.context.config
    if not text_files(config.backbone) or config.near_duplicates is not None:
        return encoder
    different = frozenset(images.lowest_hashes(_MEASURED))
    if len(different) < LEAST_IMAGES:
        return encoder
    opened = open_task_encoder(_task(storage, settings, encoder, NO_CONTENTS))
    cosine = measure_near_duplicates(storage, opened, different)
    write_measured(storage, config.fingerprint, cosine)
    return encoder.with_near_duplicates(cosine)


def failures_of_any(committed: Sequence[CommittedImages], images: ImageTable) -> list[Failure]:
    """Return the failures of those images that an encoder has not embedded, one for each image.

    Args:
        committed: everything committed, for each encoder.
        images: the images.
    """
    return list(
        {failure.uri: failure for each in reversed(committed) for failure in each.failures_among(images)}.values()
    )


def _report_failure(
    session: WriteSession,
    progress: _Progress,
    live: Manifest | None,
    error: FindimgError,
    on_end: Callable[[RunReport], None] | None,
) -> None:
    report = _make_report(progress, session.clock, str(error), live)
    try:
        write_report(session.library.storage, report)
    except StorageError as unwritten:
        # If a disk is full, the report cannot be written either. The error of the run is the one to raise.
        _log.warning("The run report could not be written: %s", unwritten)
    if on_end:
        on_end(report)


def _make_report(progress: _Progress, clock: StageClock, outcome: str, manifest: Manifest | None) -> RunReport:
    totals = add_up_shards([shard for shards in progress.shards for shard in shards])
    # With two encoders each image counts once.
    by_encoder = [add_up_shards(shards) for shards in progress.shards]
    embedded = max(each.embedded for each in by_encoder)
    seconds = clock.stages.get("embed", 0.0)
    return RunReport(
        run=progress.plan.run,
        outcome=outcome,
        version=manifest.version if manifest else None,
        seen=len(progress.plan.images) + progress.unlisted,
        embedded=embedded,
        reused=progress.reused + sum(shard.images - shard.embedded for shard in progress.shards[0]),
        removed=progress.removed,
        failed=len(progress.failures),
        images=manifest.images if manifest else 0,
        images_per_second=round(embedded / seconds, 1) if embedded else 0.0,
        seconds=clock.total(),
        stages=clock.stages,
        work=totals.seconds,
        bytes_read=totals.bytes_read,
        retries=totals.retries,
        peak_memory=max(totals.memory, peak_memory()),
        failures=progress.failures,
        incomplete=totals.incomplete,
        skipped=dict(progress.skipped.most_common()),
        text=progress.text,
    )
