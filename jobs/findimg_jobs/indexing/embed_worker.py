"""Embed one shard on a worker: read, decode, make thumbnails, run the encoder, commit.

The driver sends an EmbedTask to each worker (`indexing/embed_stage.py`). The engine gives shards to the Embedder that
the task opens.
"""

import hashlib
import io
import os
import time
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, repeat
from pathlib import Path
from threading import BoundedSemaphore
from typing import TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from findimg.encoders.base import Features, ImageEncoder
from findimg.encoders.registry import build_encoder, worker_memory
from findimg.errors import ImageError, StorageError
from findimg.images import LIMIT_BYTES, Image, decode, thumbnail
from findimg.images.decode import ignore_pillow_warnings
from findimg.library.carried_encoder import keep_encoder, model_files, open_encoder
from findimg.library.layout import classifier_key, thumbnail_key
from findimg.library.library import Library, Version
from findimg.models.store import ModelStore
from findimg.storage.base import Access, open_object, open_storage, read_uri, retries
from findimg_jobs.indexing.stored_thumbnails import StoredThumbnails
from findimg_jobs.reporting.memory import peak_memory
from findimg_jobs.store.shard_rows import TOP_CLASSES, EmbeddedContent, ShardRow
from findimg_jobs.store.shards import Shard, ShardStats, commit_shard, make_shard
from findimg_jobs.tables.source_records import Failure, SourceImage

BATCH = 32  # images that the encoder embeds at a time
_NO_PIXELS = PIL.Image.new("RGB", (1, 1))
_READ_AHEAD = 16  # images whose files are in memory: some are decoded while others wait for a storage


@dataclass(frozen=True, slots=True)
class EmbedTask:
    """What a worker needs besides its shards. It is sent to each worker once."""

    backbone: str
    weights: str
    models: Path  # folder of the model store
    library: str
    fingerprint: str
    contents: Container[str]  # SHA-256 of all contents that are already embedded
    carried_by: str = ""  # version of the library that has the portable model to open; empty to open the weights
    thumbnails_of: str = ""  # fingerprint of another encoder: images that it has embedded are read as thumbnails
    access: Sequence[Access] = ()  # to the storages of the images
    second: "EmbedTask | None" = None  # a second encoder for the same images, so that each image is read once

    @property
    def memory(self) -> int:
        """Bytes that a worker needs, as its encoders declare."""
        return worker_memory(self.backbone) + (self.second.memory if self.second else 0)

    def open(self, threads: int | None = None) -> "Embedder":
        """Return a worker; see `ShardTask`."""
        return Embedder(self, threads)

    def make_shard(self, images: Sequence[SourceImage]) -> Shard:
        """Return images as a shard."""
        return make_shard(tuple(images), self.fingerprint)

    def commit_as_failed(self, shard: Shard, reason: str) -> ShardStats:
        """Record all images of a shard as failures, because every worker that embeds it dies.

        With a second encoder nothing is recorded, so that each encoder tries these images alone afterwards.
        """
        if self.second:
            return ShardStats(shard.name, 0, 0, 0, 0, alone=shard.images)
        failures = [Failure(image.uri, image.etag, reason, transient=False) for image in shard.images]
        stats = ShardStats(shard.name, 0, 0, len(failures), 0)
        commit_shard(open_storage(self.library), self.fingerprint, [], failures, stats)
        return stats


@dataclass(frozen=True, slots=True)
class _PreparedImage:
    """A decoded image that waits for the encoder."""

    source: SourceImage
    image: Image  # its pixels are not needed any more
    pixels: NDArray[np.uint8] | None  # uint8[h, w, 3]; None if its content is already embedded
    bytes_read: int
    seconds: dict[str, float]


class Embedder:
    """An encoder that embeds shards."""

    def __init__(self, task: EmbedTask, threads: int | None = None):
        """Build the model.

        Args:
            task: what to embed with, and the library to write to.
            threads: number of threads for decoding, and again inside the encoder. None takes one per core.
        """
        self._task = task
        self._threads = threads or os.cpu_count() or 1
        # One image per core at a time: decoding the largest image takes 300 MB.
        ignore_pillow_warnings()
        for access in task.access:
            access.use()
        self._decoding = BoundedSemaphore(self._threads)
        self._storage = open_storage(task.library)
        self._encoder = open_task_encoder(task, threads)
        self._second = Embedder(task.second, threads) if task.second else None
        self._stored = StoredThumbnails(self._storage, task.thumbnails_of) if task.thumbnails_of else None
        if self._encoder.classes and not self._storage.exists(classifier_key(task.fingerprint)):
            buffer = io.BytesIO()
            np.save(buffer, self._encoder.class_weights().T.astype(np.float16))
            self._storage.write(classifier_key(task.fingerprint), buffer.getvalue())
        keep_encoder(self._storage, self._encoder)

    def ready(self) -> bool:
        """Return True once the model is built."""
        return True

    def work(self, shard: Shard) -> ShardStats:
        """Embed a shard's images, commit the shard and return its statistics.

        An image that cannot be read is recorded as a failure. A second encoder embeds the images after the first one,
        and commits them in its own part of the library.

        Raises:
            StorageError: the library cannot be written. Nothing is committed.
        """
        others: list[_PreparedImage | Failure] = []
        if self._stored:
            self._stored.look_up(shard.images)
        with ThreadPoolExecutor(max(_READ_AHEAD, 2 * self._threads)) as pool:
            outcomes = pool.map(self._read, shard.images)
            stats = self._embed(shard, self._outcomes_of_first_encoder(outcomes, others))
        if self._second is None:
            return stats
        return replace(stats, second=self._second._embed(self._second._task.make_shard(shard.images), others))

    def _outcomes_of_first_encoder(
        self, outcomes: Iterable["_Outcomes"], others: list["_PreparedImage | Failure"]
    ) -> Iterator["_PreparedImage | Failure"]:
        """Yield what is prepared for this encoder, and keep what is prepared for the second one."""
        for own, other in outcomes:
            if other is not None:
                others.append(other)
            yield own

    def _embed(self, shard: Shard, outcomes: Iterable["_PreparedImage | Failure"]) -> ShardStats:
        """Embed prepared images, commit them and return their statistics."""
        rows: list[ShardRow] = []
        failures: list[Failure] = []
        seconds: dict[str, float] = defaultdict(float)
        seen: set[str] = set()  # contents of this shard
        bytes_read, incomplete, retried = 0, 0, retries()
        prepared_images = _without_failures(outcomes, failures)
        while batch := list(islice(prepared_images, BATCH)):
            fresh: list[_PreparedImage] = []
            incomplete += sum(prepared.image.incomplete for prepared in batch)
            for prepared in batch:
                for stage, spent in prepared.seconds.items():
                    seconds[stage] += spent
                bytes_read += prepared.bytes_read
                if prepared.image.sha256 in seen or prepared.image.sha256 in self._task.contents:
                    rows.append(_row(prepared, None))
                else:
                    seen.add(prepared.image.sha256)
                    fresh.append(prepared)
            if fresh:
                start = time.perf_counter()
                features = self._encoder.embed(np.stack([each.pixels for each in fresh if each.pixels is not None]))
                seconds["model"] += time.perf_counter() - start
                contents = _contents([each.image for each in fresh], features)
                rows += map(_row, fresh, contents)
        rows.sort(key=lambda row: row.uri)
        computed = sum(row.content is not None for row in rows)
        rounded = {stage: round(spent, 3) for stage, spent in seconds.items()}
        stats = ShardStats(
            shard=shard.name,
            images=len(rows),
            embedded=computed,
            failed=len(failures),
            bytes_read=bytes_read,
            seconds=rounded,
            retries=retries() - retried,
            incomplete=incomplete,
            memory=peak_memory(),
        )
        commit_shard(self._storage, self._task.fingerprint, rows, failures, stats)
        return stats

    def _read(self, image: SourceImage) -> "_Outcomes":
        """Return an image for this encoder, and for the second one."""
        start = time.perf_counter()
        if self._stored and (known := self._stored.image(image)):
            read = time.perf_counter()
            own = self._preprocess(image, known, 0)
            return _with_seconds(own, {"thumbnail": read - start, "decode": time.perf_counter() - read}), None
        try:
            data = read_uri(image.uri, LIMIT_BYTES + 1, image.etag)
            read = time.perf_counter() - start
            with self._decoding:
                start = time.perf_counter()
                decoded = _decoded(image.uri, data)
                own = self._preprocess(image, decoded, len(data))
                other = self._second._preprocess(image, decoded, 0) if self._second else None
                if not _has_pixels(own) and not _has_pixels(other):
                    return _with_seconds(own, {"read": read}), other
                small = thumbnail(decoded)
                spent = time.perf_counter() - start
        except (ImageError, StorageError) as error:
            failure = _failure(image, error)
            return failure, failure if self._second else None
        start = time.perf_counter()
        self._storage.write(thumbnail_key(decoded.sha256), small)
        seconds = {"read": read, "decode": spent, "thumbnail": time.perf_counter() - start}
        return _with_seconds(own, seconds), other

    def _preprocess(self, image: SourceImage, decoded: Image, bytes_read: int) -> "_PreparedImage | Failure":
        """Return a decoded image with the pixels for this encoder, or why the encoder cannot embed it."""
        try:
            is_new = decoded.sha256 not in self._task.contents
            pixels = self._encoder.preprocess(decoded.pixels) if is_new else None
        except ImageError as error:
            return _failure(image, error)
        # All images of a shard wait for a second encoder, so the decoded pixels are not kept.
        return _PreparedImage(image, replace(decoded, pixels=_NO_PIXELS), pixels, bytes_read, {})


def _decoded(uri: str, data: bytes) -> Image:
    """Return a decoded image. If it cannot be decoded, a JPEG that its storage made of it is used, as Slack does.

    Raises:
        ImageError: the image cannot be decoded.
        StorageError: the storage cannot be reached, or refuses the request.
    """
    try:
        return decode(data)
    except ImageError:
        storage, key = open_object(uri)
        converted = storage.read_converted(key)
        if converted is None:
            raise
        return replace(decode(converted), sha256=hashlib.sha256(data).hexdigest())


_Outcomes: TypeAlias = tuple[_PreparedImage | Failure, _PreparedImage | Failure | None]


def _without_failures(
    outcomes: Iterable[_PreparedImage | Failure], failures: list[Failure]
) -> Iterator[_PreparedImage]:
    """Yield prepared images, and add failures to a list."""
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            failures.append(outcome)
        else:
            yield outcome


def _has_pixels(outcome: _PreparedImage | Failure | None) -> bool:
    return isinstance(outcome, _PreparedImage) and outcome.pixels is not None


def _with_seconds(outcome: _PreparedImage | Failure, seconds: dict[str, float]) -> _PreparedImage | Failure:
    return replace(outcome, seconds=seconds) if isinstance(outcome, _PreparedImage) else outcome


def _failure(image: SourceImage, error: ImageError | StorageError) -> Failure:
    transient = isinstance(error, StorageError)
    return Failure(image.uri, image.etag, _reason(error, image.uri), transient=transient)


def open_task_encoder(task: EmbedTask, threads: int | None = None) -> ImageEncoder:
    """Open the encoder of a task, from weights or from the model that the library carries."""
    store = ModelStore(task.models)
    if not task.carried_by:
        return build_encoder(task.backbone, store, task.weights or None, threads=threads)
    library = Library(task.library, task.models.parent)
    parts = library.manifest(task.carried_by).parts
    part = next(each for each in parts if each.fingerprint == task.fingerprint)
    return open_encoder(Version(part, library.fetch_files(model_files(part))), store, threads=threads)


def _reason(error: Exception, uri: str) -> str:
    """Return an error's message without the image's address, so that equal reasons can be counted."""
    return str(error).replace(uri, "The file", 1).replace(uri, "the file")


def _row(prepared: _PreparedImage, content: EmbeddedContent | None) -> ShardRow:
    return ShardRow(prepared.source.uri, prepared.source.etag, prepared.image.sha256, content)


def _contents(images: Sequence[Image], features: Features) -> Iterator[EmbeddedContent]:
    whole, regions = _top_classes(features.probabilities), _top_classes(features.regions)
    # Not strict: without classes the last two are endless.
    for image, visual, of_image, of_regions in zip(images, features.visual, whole, regions, strict=False):
        yield EmbeddedContent(
            image.facts,
            visual,
            classes=of_image[0],
            probabilities=of_image[1],
            region_classes=of_regions[0],
            region_probabilities=of_regions[1],
        )


_TopClasses: TypeAlias = tuple[NDArray[np.uint16], NDArray[np.float32]] | tuple[None, None]


def _top_classes(probabilities: NDArray[np.float32] | None) -> Iterable[_TopClasses]:
    """Return the most probable classes of each image and their probabilities, best first. Endless for None."""
    if probabilities is None:
        return repeat((None, None))
    top = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP_CLASSES]
    return zip(top.astype(np.uint16), np.take_along_axis(probabilities, top, axis=1), strict=True)
