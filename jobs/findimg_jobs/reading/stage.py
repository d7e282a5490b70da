"""Read the text of a version's images: plan what is not read yet, and run it. A stage of `index` and `read-text`."""

import logging

from findimg.ocr.engine import text_fingerprint
from findimg_jobs.build.session import WriteSession
from findimg_jobs.keys.image_table import ImageTable
from findimg_jobs.reading.worker import EmbeddedSource, Mode, TextTask
from findimg_jobs.reporting.progress import show_progress
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
    mode: Mode,
    embeddings: str,
    images: ImageTable,
    committed: CommittedImages,
) -> TextReport:
    """Read the text of those images whose text is not known yet, commit it and return what was done.

    Args:
        session: the library to write to.
        mode: whether a first look decides what is read.
        embeddings: fingerprint of the encoder.
        images: the images. Those that are not embedded are left out.
        committed: everything embedded by the encoder.

    Raises:
        ModelError: the extra `ocr` is not installed.
        FindimgError: the library or the workers fail. What was read so far is kept.
    """
    storage = session.library.storage
    task = TextTask(session.library.uri, embeddings, text_fingerprint(), mode)
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
