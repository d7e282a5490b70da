"""A run of indexing: list, plan, embed, merge, publish, report."""

import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from findimg.encoders.artefacts import ModelStore
from findimg.encoders.registry import fingerprint
from findimg.errors import FindimgError, LibraryError, NotPublishedError, SettingsError, StorageError
from findimg.heads.conse import Head
from findimg.heads.devise import Devise, open_head
from findimg.index.projection import DEFAULT, FULL
from findimg.library.library import Library, Manifest
from findimg.settings import Settings
from findimg.storage.base import Storage, open_storage
from findimg.text.vectors import EMBEDDED, WordVectors, open_words
from findimg_jobs.build.assemble import VersionImages, find_embedded
from findimg_jobs.build.merge import BuildConfig, hash_inputs, merge
from findimg_jobs.build.publish import publish
from findimg_jobs.engines.base import Engine
from findimg_jobs.indexing.embed import EmbedTask
from findimg_jobs.indexing.plan import Plan, make_plan, read_images, write_plan
from findimg_jobs.indexing.sources import SourceImage, list_sources, map_in_threads
from findimg_jobs.reporting.memory import peak_memory
from findimg_jobs.reporting.progress import download_bar, show_progress
from findimg_jobs.reporting.run_report import RunReport, add_up_shards, write_report
from findimg_jobs.store.blocklist import without_blocked
from findimg_jobs.store.compaction import compact, is_crowded
from findimg_jobs.store.lock import Lock, hold_lock
from findimg_jobs.store.shards import CommittedImages, Stats, combine_shards, read_committed, read_shards


@dataclass(frozen=True, slots=True)
class BuildContext:
    """A build configuration with its head and word vectors opened."""

    config: BuildConfig
    head: Head
    words: WordVectors


def make_build_context(
    settings: Settings, live: Manifest | None, sources: Sequence[str], embedded_by: str | None = None
) -> BuildContext:
    """Decides what a version is made with: what is asked for, else as the live version, else the defaults.

    Args:
        embedded_by: the fingerprint of what is embedded already; None takes that of the backbone's weights, which must
            then be on this machine.

    Raises:
        LibraryError: the library was made with another backbone.
        SettingsError, ModelError, HeadError: a backbone, word vectors or a head is unknown, missing or unfit.
    """
    backbone = settings.backbone or (live.backbone if live else "efficientnet-lite0")
    if live and backbone != live.backbone:
        raise LibraryError(
            f"{settings.library} was made with the backbone {live.backbone}, not {backbone}; "
            f"leave --backbone out, or name another --library."
        )
    store = ModelStore(settings.cache / "models", progress=download_bar)
    words_name = settings.words or (live.words if live else EMBEDDED)
    words = open_words(words_name, store.words(words_name))
    made_by = embedded_by or fingerprint(backbone, store, settings.weights or None)
    storage = Library(settings.library, settings.cache).storage
    head = open_head(settings.head or (live.head if live else "conse"), words, made_by, storage)
    config = BuildConfig(
        backbone,
        made_by,
        words.name,
        head.name,
        head.sha256 if isinstance(head, Devise) else "",
        _visual_dim(settings.visual_dim or (live.visual_dim if live else DEFAULT)),
        tuple(open_storage(source).root for source in sources),
        settings.partition_size,
    )
    return BuildContext(config, head, words)


def _visual_dim(text: str) -> str:
    if text != FULL and not (text.isdecimal() and int(text) > 0):
        raise SettingsError(f"--visual-dim takes a number of dimensions, or {FULL}. Received: {text!r}.")
    return text


def index(
    settings: Settings,
    sources: Sequence[str],
    strict: bool = False,
    allow_shrink: bool = False,
    retry_failed: bool = False,
    ended: Callable[[RunReport], None] | None = None,
) -> RunReport:
    """Brings a library up to date with its sources and publishes the result.

    Args:
        strict: publish nothing when any image could not be read.
        allow_shrink: publish even when more than half of the images are gone.
        retry_failed: try broken images again although they did not change.
        ended: is told the report of a run that got as far as to have one, whether it published or not.

    Returns:
        The run's report, which is also in the library.

    Raises:
        FindimgError: nothing was published; its exit code tells whether a rerun continues.
    """
    clock = _Clock()
    library = Library(settings.library, settings.cache)
    live = live_manifest(library)
    context = make_build_context(settings, live, sources)
    with ExitStack() as stack:
        engine = stack.enter_context(Engine(settings))
        with clock.stage("list"):
            listing = list_sources(sources, library.uri, engine.map if engine.is_cluster else map_in_threads)
        lock = stack.enter_context(hold_lock(library.storage))
        if library.current() != (live.version if live else None):
            raise NotPublishedError(f"Another run published to {library.uri} while this one was listing; run again.")
        run = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(2)}"
        fingerprint = context.config.fingerprint
        with clock.stage("plan"):
            known = read_committed(library.storage, fingerprint)
            listing = replace(listing, images=without_blocked(library.storage, listing.images))
            plan = make_plan(run, listing, known, fingerprint, settings.shard_size, retry_failed)
            write_plan(library.storage, plan)
        done: list[Stats] = []
        failures = list(listing.failures)
        removed = _removed(library, live, plan, known)
        held = sum(map(known.embedded, plan.images))

        def report(outcome: str, manifest: Manifest | None) -> RunReport:
            embedded, bytes_read, retries, memory, work = add_up_shards(done)
            seconds = clock.stages.get("embed", 0.0)
            return RunReport(
                run=run,
                outcome=outcome,
                version=manifest.version if manifest else None,
                seen=len(plan.images) + len(listing.failures),
                embedded=embedded,
                reused=held + sum(shard.images - shard.embedded for shard in done),
                removed=removed,
                failed=len(failures),
                images=manifest.images if manifest else 0,
                images_per_second=round(embedded / seconds, 1) if embedded else 0.0,
                seconds=clock.total(),
                stages=clock.stages,
                work=work,
                bytes_read=bytes_read,
                retries=retries,
                peak_memory=max(memory, peak_memory()),
                failures=failures,
            )

        try:
            with clock.stage("embed"):
                work = EmbedTask(
                    context.config.backbone,
                    settings.weights,
                    settings.cache / "models",
                    library.uri,
                    fingerprint,
                    frozenset(known.contents),
                )
                to_embed = sum(len(shard.images) for shard in plan.shards)
                for shard in show_progress(engine.embed(plan.shards, work), to_embed):
                    done.append(shard)
                    lock.check()
            if done:
                known = _read_again(library.storage, fingerprint, settings.shard_size, clock)
            failures += known.failures_among(plan.images)
            if strict and failures:
                raise NotPublishedError(
                    f"{len(failures)} images could not be read and --strict is on, so nothing is published."
                )
            found = find_embedded(plan.images, known)
            manifest = _build(library, run, context, live, found, len(failures), lock, allow_shrink, clock, engine)
        except FindimgError as error:
            # Where a disk is full the report cannot be written either; why the run ended says more.
            failed = report(str(error), live)
            with suppress(StorageError):
                write_report(library.storage, failed)
            if ended:
                ended(failed)
            if isinstance(error, StorageError):
                raise NotPublishedError(f"{error} What is embedded is kept: run again.") from error
            raise
        finished = report("unchanged" if manifest == live else "published", manifest)
        write_report(library.storage, finished)
        if ended:
            ended(finished)
        return finished


def rebuild(settings: Settings, allow_shrink: bool = False) -> Manifest:
    """Builds and publishes the live version's images again from the embedding store alone, perhaps with another head.

    Raises:
        FindimgError: nothing was published.
    """
    library = Library(settings.library, settings.cache)
    if library.current() is None:
        raise LibraryError(f"Nothing is published in {library.uri}; run findimg-jobs index first.")
    with Engine(settings) as engine, hold_lock(library.storage) as lock:
        live = library.manifest(str(library.current()))
        images = read_images(library.storage, live.run)
        return publish_again(settings, library, live, live.run, images, lock, engine, allow_shrink)


def publish_again(
    settings: Settings,
    library: Library,
    live: Manifest,
    run: str,
    images: Sequence[SourceImage],
    lock: Lock,
    engine: Engine,
    allow_shrink: bool,
) -> Manifest:
    """Builds and publishes a version of images that are embedded, made as the live one is unless the settings differ.

    Args:
        run: whose plan names the images.

    Raises:
        FindimgError: nothing was published.
    """
    context = make_build_context(settings, live, live.sources, live.fingerprint)
    found = find_embedded(images, read_committed(library.storage, context.config.fingerprint))
    return _build(library, run, context, live, found, live.failed, lock, allow_shrink, _Clock(), engine)


def live_manifest(library: Library) -> Manifest | None:
    """The live version's manifest, None before the first publish."""
    name = library.current()
    return library.manifest(name) if name else None


def _build(
    library: Library,
    run: str,
    context: BuildContext,
    live: Manifest | None,
    found: VersionImages,
    failed: int,
    lock: Lock,
    allow_shrink: bool,
    clock: "_Clock",
    engine: Engine,
) -> Manifest:
    if live and live.inputs == hash_inputs(context.config, found) and library.is_whole(live):
        return live
    try:
        with tempfile.TemporaryDirectory(prefix="findimg-") as name:
            folder = Path(name)
            with clock.stage("merge"):
                manifest = merge(
                    library.storage, run, context.config, found, failed, context.head, context.words, folder, engine
                )
            with clock.stage("publish"):
                publish(library, manifest, folder, lock, allow_shrink)
    except (OSError, sqlite3.Error) as error:
        raise NotPublishedError(
            f"No version can be built in {tempfile.gettempdir()}: {error}. "
            "Make room there, or name another folder with TMPDIR; what is embedded is kept."
        ) from error
    return manifest


def _read_again(storage: Storage, fingerprint: str, shard_size: int, clock: "_Clock") -> CommittedImages:
    """What is committed now, with small shards copied together when they are too many."""
    shards = read_shards(storage, fingerprint)
    if is_crowded(shards, shard_size):
        with clock.stage("compact"):
            compact(storage, fingerprint, shard_size)
        shards = read_shards(storage, fingerprint)
    return combine_shards(shards)


def _removed(library: Library, live: Manifest | None, plan: Plan, known: CommittedImages) -> int:
    if live is None:
        return 0
    try:
        planned = read_images(library.storage, live.run)
    except LibraryError:
        return 0  # somebody deleted the live version's plan: what else it held cannot be told
    before = {image.uri for image in find_embedded(planned, known).images}
    return len(before - {image.uri for image in plan.images})


@dataclass(slots=True)
class _Clock:
    """Wall seconds of each stage of a run."""

    stages: dict[str, float] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = round(time.perf_counter() - start, 2)

    def total(self) -> float:
        return round(time.perf_counter() - self.start, 2)
