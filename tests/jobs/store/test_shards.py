from dataclasses import replace
from datetime import datetime

import numpy as np

from findimg.storage.base import open_storage
from findimg_jobs.indexing.sources import Failure, SourceImage
from findimg_jobs.store.shards import (
    Content,
    EmbeddedImage,
    Stats,
    commit_shard,
    make_shards,
    name_shard,
    read_committed,
    read_vectors,
)

CONTENT = Content(
    width=30,
    height=20,
    format="JPEG",
    bytes=1234,
    taken=datetime(2024, 6, 1, 12, 30),
    visual=np.arange(8, dtype=np.float32) / 7,
    classes=np.arange(20, dtype=np.uint16),
    probabilities=np.linspace(0.4, 0, 20, dtype=np.float32),
)
ROW = EmbeddedImage("/photos/ä.jpg", "v1", "aa" * 32, CONTENT)
STATS = Stats("s1", images=1, embedded=1, failed=0, bytes_read=1234)


def test_committed_content_comes_back_as_it_was(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [ROW], [], STATS)
    ((sha256, back),) = read_vectors(storage, "f", "s1")
    assert sha256 == ROW.sha256
    for name in ("width", "height", "format", "bytes", "taken"):
        assert getattr(back, name) == getattr(CONTENT, name)
    np.testing.assert_allclose(back.visual, CONTENT.visual, atol=1e-3)
    np.testing.assert_array_equal(back.classes, CONTENT.classes)
    np.testing.assert_array_equal(back.probabilities, CONTENT.probabilities)


def test_a_backbone_without_classes_leaves_them_out(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [replace(ROW, content=replace(CONTENT, classes=None, probabilities=None))], [], STATS)
    ((_, back),) = read_vectors(storage, "f", "s1")
    assert back.classes is None
    assert back.probabilities is None


def test_rows_of_content_embedded_elsewhere_hold_no_vectors(place: str) -> None:
    storage = open_storage(place)
    copy = EmbeddedImage("/photos/copy.jpg", "v1", ROW.sha256, None)
    commit_shard(storage, "f", [copy, ROW], [], STATS)
    assert [sha256 for sha256, _ in read_vectors(storage, "f", "s1")] == [ROW.sha256]
    known = read_committed(storage, "f")
    assert known.contents[ROW.sha256].uri == ROW.uri
    assert known.is_settled(SourceImage("/photos/copy.jpg", "v1"))


def test_a_shard_counts_only_once_its_stats_are_written(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [ROW], [], STATS)
    storage.delete("embeddings/f/s1/stats.json")
    assert not read_committed(storage, "f").keys


def test_a_copy_whose_original_is_gone_is_not_known(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [EmbeddedImage("/photos/copy.jpg", "v1", ROW.sha256, None)], [], STATS)
    assert not read_committed(storage, "f").is_settled(SourceImage("/photos/copy.jpg", "v1"))


def test_a_broken_image_is_settled_and_an_unreachable_one_is_not(place: str) -> None:
    storage = open_storage(place)
    broken = Failure("/photos/broken.jpg", "v1", "It is truncated.", transient=False)
    away = Failure("/photos/away.jpg", "v1", "The bucket did not answer.", transient=True)
    commit_shard(storage, "f", [], [broken, away], replace(STATS, images=0, failed=2))
    known = read_committed(storage, "f")
    images = [SourceImage("/photos/broken.jpg", "v1"), SourceImage("/photos/away.jpg", "v1")]
    assert [known.is_settled(image) for image in images] == [True, False]
    assert known.failures_among(images) == [broken, away]
    assert not known.is_settled(SourceImage("/photos/broken.jpg", "v2"))


def test_another_fingerprint_knows_nothing(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [ROW], [], STATS)
    assert not read_committed(storage, "other").keys


def test_equal_work_has_an_equal_name_whatever_its_order() -> None:
    one, two = SourceImage("a", "1"), SourceImage("b", "1")
    assert name_shard((one, two), "f").name == name_shard((two, one), "f").name
    assert name_shard((one, two), "f").name != name_shard((one, two), "g").name
    assert name_shard((one, two), "f").name != name_shard((one, SourceImage("b", "2")), "f").name


def test_cutting_loses_nothing_and_doubles_nothing() -> None:
    images = [SourceImage(f"{number:03}", "1") for number in range(101)]
    shards = make_shards(reversed(images), "f", size=10)
    assert [len(shard.images) for shard in shards] == [10] * 10 + [1]
    assert [image for shard in shards for image in shard.images] == images
