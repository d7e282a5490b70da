"""Read the text of a version's images: plan what is not read yet, and run it. A stage of `index` and `read-text`."""

import logging

from findimg.models.store import ModelStore
from findimg.ocr.engine import model_files, text_fingerprint
from findimg.ocr.scripts import ScriptModel, script_models
from findimg.settings import Settings
from findimg_jobs.build.session import WriteSession
from findimg_jobs.keys.image_table import ImageTable
from findimg_jobs.reading.worker import EmbeddedSource, TextTask
from findimg_jobs.reporting.progress import download_bar, show_progress
from findimg_jobs.reporting.run_report import TextReport
from findimg_jobs.store.committed import CommittedImages
from findimg_jobs.store.shards import Shard, Stats
from findimg_jobs.store.text_compaction import compact_texts
from findimg_jobs.store.texts import read_committed_texts
from findimg_jobs.store.version_images import find_embedded

_log = logging.getLogger(__name__)
_SHARD_SIZE = 64  # images; one takes up to two seconds of a core


def read_text(
    session: WriteSession,
    settings: Settings,
    embeddings: str,
    images: ImageTable,
    committed: CommittedImages,
) -> TextReport:
    """Read the text of those images whose text is not known yet, commit it and return what was done.

    Args:
        session: the library to write to.
        settings: say in which scripts text is read, and whether a first look decides what is read.
        embeddings: fingerprint of the encoder.
        images: the images. Those that are not embedded are left out.
        committed: everything embedded by the encoder.

    Raises:
        ModelError: the extra `ocr` is not installed, or the model of a script cannot be had.
        FindimgError: the library or the workers fail. What was read so far is kept.
    """
    storage = session.library.storage
    mode = "likely" if settings.read_text == "off" else settings.read_text
    fingerprint = text_fingerprint(check_models(settings))
    store = settings.cache / "models"
    task = TextTask(session.library.uri, embeddings, fingerprint, mode, settings.scripts, store)
    with session.clock.stage("text"):
        shards = _plan(session, task, images, committed)
        to_read = sum(len(shard.images) for shard in shards)
        if not shards:
            return TextReport()
        _log.info("Reading the text of %d images. Loading the models.", to_read)
        done: list[Stats] = []
        for stats in show_progress(session.engine.run(shards, task), to_read, "Reading text"):
            done.append(stats)
            session.lock.check()
        compact_texts(storage)
    work: dict[str, float] = {}
    for stats in done:
        for step, spent in stats.seconds.items():
            work[step] = round(work.get(step, 0.0) + spent, 2)
    return TextReport(
        images=sum(stats.images for stats in done),
        read=sum(stats.embedded for stats in done),
        failed=sum(stats.failed for stats in done),
        seconds=session.clock.stages["text"],
        work=work,
    )


def check_models(settings: Settings) -> tuple[ScriptModel, ...]:
    """Return the models of further scripts, after it is sure that all models for reading text are on this machine.

    Raises:
        SettingsError: a script is unknown.
        ModelError: the extra `ocr` is not installed, or the model of a script cannot be had.
    """
    model_files()
    return script_models(settings.scripts, ModelStore(settings.cache / "models", progress=download_bar))


def _plan(session: WriteSession, task: TextTask, images: ImageTable, committed: CommittedImages) -> list[Shard]:
    """Return shards of the images that must be looked at, each content once."""
    known = read_committed_texts(session.library.storage, task.fingerprint)
    to_read: dict[str, EmbeddedSource] = {}
    found = find_embedded(images, committed)
    for (image, sha256), shard in zip(found, found.shard_of.tolist(), strict=True):
        if sha256 not in to_read and not known.is_settled(image, sha256, thoroughly=task.mode == "all"):
            to_read[sha256] = EmbeddedSource(
                image.uri, image.version, image.modified, sha256=sha256, embedded_in=found.shards[shard]
            )
    ordered = list(to_read.values())
    return [task.name(ordered[start : start + _SHARD_SIZE]) for start in range(0, len(ordered), _SHARD_SIZE)]
