"""Read the text of a version's images: plan what is not read yet, and run it. A stage of `index` and `read-text`."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from findimg.models.store import ModelStore
from findimg.ocr.engine import model_files, text_fingerprint
from findimg.ocr.scripts import script_models
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.reporting.progress_bar import download_bar, show_progress
from findimg_jobs.reporting.run_report import TextReport
from findimg_jobs.store.committed_images import CommittedImages
from findimg_jobs.store.shards import Shard
from findimg_jobs.tables.disk_tables import DiskTable, write_query
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.text_reading.text_worker import ImageToRead, Mode, TextTask
from findimg_jobs.text_store.text_compaction import compact_text_shards
from findimg_jobs.text_store.text_shards import read_committed_texts

_log = logging.getLogger(__name__)
_SHARD_SIZE = 64  # images; one takes up to two seconds of a core


@dataclass(frozen=True, slots=True)
class TextReading:
    """How text is read. All models for it are on this machine."""

    fingerprint: str  # of the models
    mode: Mode  # which images are read
    scripts: tuple[str, ...]  # further scripts that are read
    models: Path  # folder of the model store


def prepare_text_reading(settings: Settings) -> TextReading | None:
    """Return how `index` reads text, None if it reads none. Call it first, so that a missing model is noticed early.

    Errors as of `prepare_likely_text_reading`.
    """
    return prepare_likely_text_reading(settings) if settings.read_text != "off" else None


def prepare_likely_text_reading(settings: Settings) -> TextReading:
    """Return how text is read. Without a mode in the settings, a first look decides what is read.

    Raises:
        SettingsError: a script is unknown.
        ModelError: the extra `ocr` is not installed, or the model of a script cannot be had.
    """
    model_files()
    store = ModelStore(settings.cache / "models", progress=download_bar)
    fingerprint = text_fingerprint(script_models(settings.scripts, store))
    mode = "likely" if settings.read_text == "off" else settings.read_text
    return TextReading(fingerprint, mode, settings.scripts, store.folder)


def read_text(
    session: WriteSession,
    reading: TextReading,
    embeddings: str,
    images: ImageTable,
    committed: CommittedImages,
) -> TextReport:
    """Read the text of those images whose text is not known yet, commit it and return what was done.

    Args:
        session: the library to write to.
        reading: how text is read.
        embeddings: fingerprint of the encoder.
        images: the images. Those that are not embedded are left out.
        committed: everything embedded by the encoder.

    Raises:
        FindimgError: the library or the workers fail. What was read so far is kept.
    """
    storage = session.library.storage
    task = TextTask(session.library.uri, embeddings, reading.fingerprint, reading.mode, reading.scripts, reading.models)
    with session.clock.stage("text"):
        shards = _find_unread(storage, task, images, committed)
        to_read = len(shards.rows)
        if not to_read:
            return TextReport()
        _log.info("Reading the text of %d images. Loading the models.", to_read)
        looked_at = read = failed = 0  # images; `embedded` of a text shard counts those that were read
        work: dict[str, float] = {}
        for stats in show_progress(session.engine.run(shards, task), to_read, "Reading text"):
            looked_at, read, failed = looked_at + stats.images, read + stats.embedded, failed + stats.failed
            for step, spent in stats.seconds.items():
                work[step] = round(work.get(step, 0.0) + spent, 2)
            session.lock.check()
        if session.lock.is_exclusive:
            compact_text_shards(storage)
    return TextReport(looked_at, read, failed, session.clock.stages["text"], work)


@dataclass(frozen=True, slots=True, eq=False)
class _UnreadImages:
    """Shards of images that must be looked at, each content once. They are made while they are worked on."""

    rows: DiskTable  # uri, version, modified, sha256, holder; in URI order
    holders: tuple[str, ...]  # shards of the embedding store
    task: TextTask

    def __len__(self) -> int:
        """Return the number of shards."""
        return -(-len(self.rows) // _SHARD_SIZE)

    def __iter__(self) -> Iterator[Shard]:
        """Yield the shards."""
        for batch in self.rows.batches(rows=_SHARD_SIZE):
            yield self.task.make_shard([self._image(row) for row in batch.to_pylist()])

    def _image(self, row: Mapping[str, Any]) -> ImageToRead:
        sha256, holder = row["sha256"].hex(), self.holders[row["holder"]]
        return ImageToRead(row["uri"], row["version"], row["modified"], sha256=sha256, embedded_in=holder)


def _find_unread(storage: Storage, task: TextTask, images: ImageTable, committed: CommittedImages) -> _UnreadImages:
    known = read_committed_texts(storage, task.fingerprint)
    is_unread = "NOT known.read" if task.mode == "all" else "false"  # of an image that was read or looked at
    query = f"""
        WITH unread AS (
            SELECT images.uri, images.version, modified, held.sha256, holder
            FROM images JOIN (FROM keys WHERE counts) AS held USING (uri, version)
            LEFT JOIN known ON held.sha256 = known.sha256 LEFT JOIN failures ON images.uri = failures.uri
            WHERE CASE
                WHEN known.sha256 IS NOT NULL THEN {is_unread}
                ELSE NOT coalesce(failures.version = images.version AND NOT transient, false)
            END
        ), copies AS (
            SELECT sha256, min(uri) AS first FROM unread GROUP BY sha256 HAVING count(*) > 1
        )
        SELECT uri, version, modified, sha256, holder FROM unread LEFT JOIN copies USING (sha256)
        WHERE coalesce(uri = first, true) ORDER BY uri
    """
    tables = {"images": images.file, "keys": committed.keys, "known": known.keys, "failures": known.failures}
    return _UnreadImages(write_query(query, tables), committed.shards, task)
