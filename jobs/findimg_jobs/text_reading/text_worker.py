"""Read the text of one shard's images: look, read, commit. Every engine runs this code."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from findimg.errors import ImageError, LibraryError, ModelError, StorageError
from findimg.images import LIMIT_BYTES, THUMBNAIL_SIDE, decode
from findimg.images.decode import ignore_pillow_warnings
from findimg.models.store import ModelStore
from findimg.ocr.engine import text_fingerprint
from findimg.ocr.lines import Box, TextLine
from findimg.ocr.reader import MIN_CONFIDENCE, READ_SIDES, TextReader, usable_cores
from findimg.ocr.scripts import script_models
from findimg.storage.base import open_storage, read_uri, retries
from findimg_jobs.reporting.memory import peak_memory
from findimg_jobs.store.shards import Shard, ShardStats, make_shard, read_vectors
from findimg_jobs.store.thumbnails import read_thumbnail
from findimg_jobs.tables.source_records import Failure, SourceImage
from findimg_jobs.text_store.text_shards import PictureText, ReadLine, TextStats, commit_texts

Mode = Literal["likely", "all"]
_AT_ONCE = 4  # images that are read at the same time; each takes up to 500 MB
# Classes of ImageNet whose pictures are mostly text: CD-ROM packaging and other binders, brass plates, cash machines,
# clocks, envelopes, screens, packets, rulers, scoreboards, web sites, comics, crosswords, street signs, traffic lights,
# book jackets and menus.
_DOCUMENTS = (409, 446, 458, 480, 530, 549, 664, 692, 769, 781, 782, 916, 917, 918, 919, 921, 922)
_DOCUMENT = 0.1  # share of these classes from which an image is read without a look
_SEVERAL = 3  # parts of a thumbnail that look like text, from which on the whole picture is read
_SMALL = 1.25 * THUMBNAIL_SIDE  # pixels of the longer side, up to which a thumbnail shows all text of a picture


@dataclass(frozen=True, slots=True, order=True)
class ImageToRead(SourceImage):
    """An image in a source whose content is embedded, and whose text is to be read."""

    sha256: str = field(default="", compare=False)
    embedded_in: str = field(default="", compare=False)  # shard of the embedding store


@dataclass(frozen=True, slots=True)
class TextTask:
    """What a worker needs besides its shards. It is sent to each worker once."""

    library: str
    embeddings: str  # fingerprint of the encoder
    fingerprint: str  # of the models that read
    mode: Mode
    scripts: tuple[str, ...]  # further scripts that are read
    models: Path  # folder of the model store, which has their models

    @property
    def memory(self) -> int:
        """Bytes that a worker needs."""
        return 2_400_000_000

    def open(self, threads: int | None = None) -> "TextWorker":
        """Return a worker; see `ShardTask`."""
        return TextWorker(self, threads)

    def make_shard(self, images: Sequence[SourceImage]) -> Shard:
        """Return images as a shard."""
        return make_shard(tuple(images), f"{self.fingerprint} {self.mode}")

    def commit_as_failed(self, shard: Shard, reason: str) -> ShardStats:
        """Record all images of a shard as failures, because every worker that reads them dies."""
        failures = [Failure(image.uri, image.etag, reason, transient=False) for image in shard.images]
        stats = ShardStats(shard.name, 0, 0, len(failures), 0)
        counts = TextStats(shard.name, 0, 0, len(failures))
        commit_texts(open_storage(self.library), self.fingerprint, [], failures, counts)
        return stats


class TextWorker:
    """Reads the text of shards."""

    def __init__(self, task: TextTask, threads: int | None = None):
        """Load the models.

        Args:
            task: the library and how to read.
            threads: number of cores to use. None for all of this machine.

        Raises:
            ModelError: the extra `ocr` is not installed here, the model of a script cannot be had, or the models are
                others than the driver's.
        """
        scripts = script_models(task.scripts, ModelStore(task.models))
        if text_fingerprint(scripts) != task.fingerprint:
            raise ModelError(
                "This worker has another release of rapidocr, or another model of a script, than the driver. "
                "Install the same ones."
            )
        ignore_pillow_warnings()
        cores = threads or usable_cores()
        # Several images at a time use the cores better than several threads for one image, but they take memory.
        self._at_once = min(cores, _AT_ONCE)
        self._reader = TextReader(cores // self._at_once, scripts)
        self._task = task
        self._storage = open_storage(task.library)

    def ready(self) -> bool:
        """Return True once the models are loaded."""
        return True

    def work(self, shard: Shard) -> ShardStats:
        """Read a shard's images, commit the shard and return its statistics.

        `ShardStats.embedded` counts the images that were read, not only looked at. An image that cannot be read is
        recorded as a failure.

        Raises:
            StorageError: the library cannot be written. Nothing is committed.
        """
        retried = retries()
        likely = self._documents(shard) if self._task.mode == "likely" else {}
        with ThreadPoolExecutor(self._at_once) as pool:
            outcomes = list(pool.map(lambda image: self._work(image, likely), shard.images))
        texts = [outcome for outcome in outcomes if isinstance(outcome, _Outcome)]
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        seconds: dict[str, float] = defaultdict(float)
        for outcome in texts:
            for stage, spent in outcome.seconds.items():
                seconds[stage] += spent
        stats = ShardStats(
            shard=shard.name,
            images=len(texts),
            embedded=sum(outcome.text.read or bool(outcome.text.lines) for outcome in texts),
            failed=len(failures),
            bytes_read=sum(outcome.bytes_read for outcome in texts),
            seconds={stage: round(spent, 3) for stage, spent in seconds.items()},
            retries=retries() - retried,
            memory=peak_memory(),
        )
        found = [outcome.text for outcome in texts]
        counts = TextStats(
            shard.name, len(found), sum(bool(each.lines) for each in found), len(failures), stats.seconds
        )
        commit_texts(self._storage, self._task.fingerprint, found, failures, counts)
        return stats

    def _documents(self, shard: Shard) -> dict[str, float]:
        """Return how much each content is like a page by its class probabilities, 0 to 1, by SHA-256."""
        shares: dict[str, float] = {}
        places = {image.embedded_in for image in shard.images if isinstance(image, ImageToRead)}
        for place in sorted(places):
            # Without the probabilities, looks decide alone.
            with suppress(LibraryError):
                for sha256, content in read_vectors(self._storage, self._task.embeddings, place):
                    if content.classes is not None and content.probabilities is not None:
                        shares[sha256] = float(content.probabilities[np.isin(content.classes, _DOCUMENTS)].sum())
        return shares

    def _work(self, image: SourceImage, documents: Mapping[str, float]) -> "_Outcome | Failure":
        assert isinstance(image, ImageToRead)
        seconds: dict[str, float] = {}
        try:
            boxes: list[Box] | None = None
            if self._task.mode == "likely" and documents.get(image.sha256, 0.0) < _DOCUMENT:
                start = time.perf_counter()
                boxes = self._glance(image.sha256)
                seconds["look"] = time.perf_counter() - start
                if boxes == []:
                    return _Outcome(PictureText(image.sha256, (), read=False), 0, seconds)
            return self._read(image, boxes, seconds)
        except ImageError as error:
            return Failure(image.uri, image.etag, str(error), transient=False)
        except StorageError as error:
            return Failure(image.uri, image.etag, str(error).replace(image.uri, "The file"), transient=True)

    def _glance(self, sha256: str) -> list[Box] | None:
        """Return the parts of an image's thumbnail that look like text, None without a thumbnail."""
        thumbnail = read_thumbnail(self._storage, sha256)
        return None if thumbnail is None else self._reader.glance(thumbnail)

    def _read(self, image: ImageToRead, boxes: Sequence[Box] | None, seconds: dict[str, float]) -> "_Outcome":
        """Read an image, or only the parts that look like text.

        In a small picture those parts are all, because it is not much larger than its thumbnail. Of a larger one a few
        parts are read first. It is read whole if they have text.

        Raises:
            ImageError: the image cannot be read.
            StorageError: its source cannot be reached, or it changed since it was embedded.
        """
        start = time.perf_counter()
        data = read_uri(image.uri, LIMIT_BYTES + 1, image.etag)
        seconds["read"] = time.perf_counter() - start
        start = time.perf_counter()
        decoded = decode(data, READ_SIDES)
        seconds["decode"] = time.perf_counter() - start
        if decoded.sha256 != image.sha256:
            raise StorageError("The file changed while its text was read.")
        start = time.perf_counter()
        found: list[TextLine] = []
        is_small = max(decoded.pixels.size) <= _SMALL
        is_whole = boxes is None or (len(boxes) >= _SEVERAL and not is_small)
        if boxes and not is_whole:
            found = self._reader.read_boxes(decoded.pixels, boxes)
            is_whole = bool(found) and not is_small
        if is_whole:
            found = self._reader.read(decoded.pixels)
        certain = (line for line in found if line.confidence >= MIN_CONFIDENCE)
        lines = tuple(ReadLine(line.text, line.confidence, line.box) for line in certain)
        seconds["text"] = time.perf_counter() - start
        return _Outcome(PictureText(image.sha256, lines, is_whole), len(data), seconds)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The text of an image, and what it took to get it."""

    text: PictureText
    bytes_read: int
    seconds: dict[str, float]  # by step
