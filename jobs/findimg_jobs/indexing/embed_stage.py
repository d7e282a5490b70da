"""The stage "embed" of a run: have an engine embed new images with one or two encoders.

This part runs in the process of the run, and `indexing/embed_worker.py` on each worker. The version is built and
published in `build/build_stage.py`.
"""

import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from os.path import abspath

from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.storage.base import Access, Storage, access_to, is_path, prefixes_with_access
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.encoders.background_vocabulary import ensure_vocabulary
from findimg_jobs.encoders.choose_encoders import ChosenEncoder
from findimg_jobs.indexing.embed_worker import EmbedTask
from findimg_jobs.reporting.progress_bar import show_progress
from findimg_jobs.store.committed_images import NO_CONTENTS, CommittedImages, read_committed
from findimg_jobs.store.planned_shards import PlannedShards, divide_work
from findimg_jobs.store.shards import ShardStats
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, SourceImage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """What one encoder embeds in a run."""

    encoder: ChosenEncoder
    shards: PlannedShards
    thumbnails_of: str = ""  # an encoder whose images are embedded from their thumbnails; empty to read all images


def embed_images(
    session: WriteSession,
    settings: Settings,
    jobs: Sequence[EmbedJob],
    committed: list[CommittedImages],
    done: Sequence[list[ShardStats]],
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
    done: Sequence[list[ShardStats]],
) -> tuple[EmbedJob, EmbedJob]:
    """Embed the images that two encoders lack, and return what each of them must do alone."""
    storage, encoders = session.library.storage, (first.encoder, second.encoder)
    work = divide_work(first.shards, second.shards)
    to_embed = len(work.both.images)
    if not to_embed:
        return first, second
    names = " and ".join(encoder.context.config.backbone for encoder in encoders)
    _log.info("Embedding %d new or changed images with %s. Loading the models.", to_embed, names)
    alone: list[SourceImage] = []
    with session.clock.stage("embed"):
        tasks = [
            make_task(storage, settings, encoder, known.known_contents())
            for encoder, known in zip(encoders, committed, strict=True)
        ]
        task = replace(tasks[0], access=_access(settings, work.both.images), second=tasks[1])
        for stats in show_progress(session.engine.run(work.both, task), to_embed):
            done[0].append(replace(stats, second=None, alone=()))
            if stats.second:
                done[1].append(stats.second)
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
    session: WriteSession, settings: Settings, job: EmbedJob, committed: CommittedImages, done: list[ShardStats]
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
        contents = committed.known_contents() if to_embed else NO_CONTENTS
        task = make_task(storage, settings, encoder, contents, job.thumbnails_of)
        task = replace(task, access=_access(settings, job.shards.images))
        for shard in show_progress(session.engine.run(job.shards, task), to_embed):
            done.append(shard)
            session.lock.check()
    ensure_vocabulary(storage, ModelStore(settings.cache / "models"), encoder.context, encoder.weights or None)
    return read_committed(storage, fingerprint) if done else committed


def make_task(
    storage: Storage, settings: Settings, encoder: ChosenEncoder, contents: Container[str], thumbnails_of: str = ""
) -> EmbedTask:
    """Return what a worker needs to embed shards.

    Args:
        storage: the library.
        settings: the operator's settings.
        encoder: the encoder.
        contents: SHA-256 of all content that is already embedded.
        thumbnails_of: fingerprint of an encoder whose images are embedded from their thumbnails; empty to read all.
    """
    weights = encoder.weights
    return EmbedTask(
        backbone=encoder.context.config.backbone,
        # A worker may have another working folder.
        weights=abspath(weights) if weights and is_path(weights) else weights,
        models=(settings.cache / "models").absolute(),
        library=storage.root,
        fingerprint=encoder.fingerprint,
        contents=contents,
        carried_by=encoder.live.version if encoder.carried and encoder.live else "",
        thumbnails_of=thumbnails_of,
    )


def _access(settings: Settings, images: ImageTable) -> tuple[Access, ...]:
    """Return the credentials for the storages that some images are in."""
    return access_to((image.uri for image in images.below(prefixes_with_access())), settings)


def failures_by_any_encoder(committed: Sequence[CommittedImages], images: ImageTable) -> list[Failure]:
    """Return the failures of those images that an encoder has not embedded, one for each image.

    Args:
        committed: everything committed, for each encoder.
        images: the images.
    """
    return list(
        {failure.uri: failure for each in reversed(committed) for failure in each.failures_among(images)}.values()
    )
