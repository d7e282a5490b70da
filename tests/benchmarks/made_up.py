"""Made-up libraries of any size, without photographs and without a model.

They are clumped as photographs are: every image is one of a few thousand kinds, whose images look alike and name
nearly the same classes, some kinds common and most rare.
"""

import hashlib
import io
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.images import ImageFacts
from findimg.library.layout import classifier_key
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg.text.lexicon import CLASSES, open_lexicon
from findimg_jobs.build.merge_policies import MergePolicy, choose_merges
from findimg_jobs.build.part_builder import BuildRequest, build_part
from findimg_jobs.build.publish import publish
from findimg_jobs.build_config.build_context import make_build_context
from findimg_jobs.engines.engine import Engine
from findimg_jobs.segments.version_images import find_version_images
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.plan import Plan, new_run_id, write_plan
from findimg_jobs.store.shard_rows import TOP_CLASSES, EmbeddedContent, ShardRow
from findimg_jobs.store.shards import ShardStats, commit_shard
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import SourceImage
from findimg_jobs.text_store.text_shards import (
    CommittedTexts,
    PictureText,
    ReadLine,
    TextStats,
    commit_texts,
    read_committed_texts,
)

DIM = 1280  # as efficientnet-lite0
_SHARD = 1000  # images
_READER = "made-up"
_WORDS = 20  # written in each image
_KINDS = 4000
_NEAR = 60  # the classes among which a kind's 20 are chosen, those that share most with its first


class _Kinds:
    """The common features of the images of each kind."""

    def __init__(self, dim: int):
        random = np.random.default_rng(20)
        covers = open_lexicon().covers.astype(np.float32)
        shared = covers.T @ covers
        firsts = random.integers(0, CLASSES, _KINDS)
        near = np.argsort(-shared[firsts], axis=1, kind="stable")[:, :_NEAR]
        order = random.random((_KINDS, _NEAR)) + np.arange(_NEAR) / _NEAR
        order[:, 0] = -1
        chosen = np.argsort(order, axis=1)[:, :TOP_CLASSES]
        self.classes = np.take_along_axis(near, chosen, axis=1).astype(np.uint16)
        self.logits = -np.sort(random.exponential(3, (_KINDS, TOP_CLASSES)), axis=1).astype(np.float32)
        self.looks = np.maximum(random.standard_normal((_KINDS, dim), np.float32), 0)
        share = 1 / np.arange(1, _KINDS + 1) ** 0.7
        self.share = share / share.sum()


def made_up_images(count: int) -> list[SourceImage]:
    """Return images with names as in a listing of a bucket."""
    return list(stream_made_up_images(count))


def stream_made_up_images(count: int) -> Iterator[SourceImage]:
    """Yield the images of `made_up_images`, in their order."""
    for number in range(count):
        yield SourceImage(f"s3://made-up/{number // 1000:05}/{number:08}.jpg", "1")


def commit_made_up(
    storage: Storage, fingerprint: str, images: Sequence[SourceImage], dim: int = DIM, first: int = 0
) -> CommittedImages:
    """Fill the embedding store as if `images` had been embedded. Equal arguments give equal content.

    Args:
        storage: the library's.
        fingerprint: whose embeddings they pretend to be.
        dim: length of their visual embeddings.
        first: number of images that were committed before.

    Returns:
        What is committed now.
    """
    kinds = _Kinds(dim)
    buffer = io.BytesIO()
    np.save(buffer, np.random.default_rng(21).standard_normal((CLASSES, dim)).astype(np.float16))
    storage.write(classifier_key(fingerprint), buffer.getvalue())
    for start in range(0, len(images), _SHARD):
        part = images[start : start + _SHARD]
        contents = _contents(kinds, len(part), first + start)
        rows = [
            ShardRow(image.uri, image.etag, hashlib.sha256(image.uri.encode()).hexdigest(), content)
            for image, content in zip(part, contents, strict=True)
        ]
        commit_shard(storage, fingerprint, rows, [], ShardStats(f"{first + start:024}", len(rows), len(rows), 0, 0))
    return read_committed(storage, fingerprint)


def commit_made_up_texts(storage: Storage, images: Sequence[SourceImage]) -> CommittedTexts:
    """Fill the text store as if 20 words had been read in each image. Equal arguments give equal content.

    The words are visible nouns. A few of them are in many images, as in real texts.
    """
    random = np.random.default_rng(22)
    nouns = np.asarray([noun for noun in open_lexicon().visible_nouns() if noun.isalpha()])
    nouns = nouns[random.permutation(len(nouns))]
    share = 1 / np.arange(1, len(nouns) + 1)
    for start in range(0, len(images), _SHARD):
        part = images[start : start + _SHARD]
        chosen = random.choice(nouns, (len(part), _WORDS), p=share / share.sum())
        texts = [
            PictureText(hashlib.sha256(image.uri.encode()).hexdigest(), (ReadLine(" ".join(words), 0.9),))
            for image, words in zip(part, chosen.tolist(), strict=True)
        ]
        commit_texts(storage, _READER, texts, [], TextStats(f"{start:024}", len(texts), len(texts), 0))
    return read_committed_texts(storage)


@dataclass(frozen=True, slots=True)
class Published:
    """What one publish did."""

    manifest: Manifest
    seconds: float  # for merge and publish
    bytes_written: int


def publish_images(
    settings: Settings,
    images: Sequence[SourceImage],
    known: CommittedImages,
    merge_policy: MergePolicy = choose_merges,
    texts: CommittedTexts | None = None,
) -> Published:
    """Publish a version of images that are committed, and write its plan.

    Args:
        settings: the library and the engine.
        images: the images, in URI order.
        known: what is committed.
        merge_policy: chooses the segments to merge.
        texts: what was read in the images, None if nothing was.
    """
    library = Library(settings.library, settings.cache)
    live = library.live_manifest()
    context = make_build_context(settings, live, ["s3://made-up"], live and live.fingerprint)
    run = new_run_id()
    write_plan(library.storage, Plan(run, ImageTable.of(images)))
    with (
        tempfile.TemporaryDirectory(prefix="findimg-") as name,
        Engine(settings) as engine,
        hold_lock(library.storage) as lock,
    ):
        start = time.perf_counter()
        request = BuildRequest(
            run, context, find_version_images(images, known, texts), failed=0, merge_policy=merge_policy
        )
        built = build_part(library, request, live, Path(name), engine)
        assert built, "the version equals the live one"
        publish(library, built, lock, allow_shrink=True)
        seconds = time.perf_counter() - start
    return Published(built.manifest, seconds, sum(entry.size for entry in built.written.values()))


def publish_made_up(uri: str, cache: Path, count: int) -> float:
    """Publish a library of made-up images, with the embedded default's words and head.

    Args:
        uri: an empty place.

    Returns:
        The seconds that merge and publish took.
    """
    images = made_up_images(count)
    settings = Settings(library=uri, cache=cache, engine="local")
    fingerprint = make_build_context(settings, None, ["s3://made-up"]).config.fingerprint
    storage = Library(uri, cache).storage
    known, texts = commit_made_up(storage, fingerprint, images), commit_made_up_texts(storage, images)
    return publish_images(settings, images, known, texts=texts).seconds


def _contents(kinds: _Kinds, count: int, seed: int) -> Iterator[EmbeddedContent]:
    random = np.random.default_rng([20, seed])
    chosen = random.choice(_KINDS, count, p=kinds.share)
    logits = kinds.logits[chosen] + random.standard_normal((count, TOP_CLASSES), np.float32)
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True) * random.uniform(1, 1.6, (count, 1))
    order = np.argsort(-probabilities, axis=1, kind="stable")
    classes = np.take_along_axis(kinds.classes[chosen], order, axis=1)
    probabilities = np.take_along_axis(probabilities, order, axis=1).astype(np.float32)
    visual = np.maximum(kinds.looks[chosen] + 0.5 * random.standard_normal((count, kinds.looks.shape[1])), 0)
    days = random.integers(0, 3650, count)
    for i in range(count):
        facts = ImageFacts(500, 375, "JPEG", 60_000, _day(int(days[i])))
        yield EmbeddedContent(facts, _as(visual[i]), classes[i], probabilities[i])


def _day(number: int) -> datetime | None:
    """Return an image's date, None for one image in ten."""
    return None if number % 10 == 0 else datetime(2015, 1, 1) + timedelta(days=number)


def _as(visual: NDArray[np.floating]) -> NDArray[np.float32]:
    return visual.astype(np.float32)
