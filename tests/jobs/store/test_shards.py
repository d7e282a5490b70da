from dataclasses import replace
from datetime import datetime

import numpy as np

from findimg.images import ImageFacts
from findimg.storage.base import open_storage
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.planned_shards import PlannedShards
from findimg_jobs.store.shard_rows import EmbeddedContent, ShardRow
from findimg_jobs.store.shards import ShardStats, commit_shard, make_shard, read_rows, read_vectors
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, SourceImage

CONTENT = EmbeddedContent(
    facts=ImageFacts(30, 20, "JPEG", 1234, datetime(2024, 6, 1, 12, 30)),
    visual=np.arange(8, dtype=np.float32) / 7,
    classes=np.arange(20, dtype=np.uint16),
    probabilities=np.linspace(0.4, 0, 20, dtype=np.float32),
)
ROW = ShardRow("/photos/ä.jpg", "v1", "aa" * 32, CONTENT)
STATS = ShardStats("s1", images=1, embedded=1, failed=0, bytes_read=1234)


def settled(known: CommittedImages, *images: SourceImage) -> list[bool]:
    """Return for each image whether another attempt gives nothing new."""
    left = set(known.to_embed(ImageTable.of(images)))
    return [image not in left for image in images]


def test_committed_content_is_read_back_unchanged(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [ROW], [], STATS)
    ((sha256, back),) = read_vectors(storage, "f", "s1")
    assert sha256 == ROW.sha256
    assert back.facts == CONTENT.facts
    np.testing.assert_allclose(back.visual, CONTENT.visual, atol=1e-3)
    np.testing.assert_array_equal(back.classes, CONTENT.classes)
    np.testing.assert_array_equal(back.probabilities, CONTENT.probabilities)


def test_backbone_without_classes_has_no_class_columns(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [replace(ROW, content=replace(CONTENT, classes=None, probabilities=None))], [], STATS)
    ((_, back),) = read_vectors(storage, "f", "s1")
    assert back.classes is None
    assert back.probabilities is None


def test_rows_without_regions_read_as_zeros(place: str) -> None:
    storage = open_storage(place)
    regions = np.arange(20, 40, dtype=np.uint16), np.linspace(0.9, 0.1, 20, dtype=np.float32)
    newer = replace(CONTENT, region_classes=regions[0], region_probabilities=regions[1])
    hashes = [character * 64 for character in "abc"]
    # Compaction copies rows of earlier versions and newer ones into one shard.
    rows = [
        ShardRow(f"/photos/{sha256[0]}.jpg", "v1", sha256, content)
        for sha256, content in zip(hashes, (CONTENT, newer, CONTENT), strict=True)
    ]
    commit_shard(storage, "f", rows, [], STATS)
    found = read_rows(storage, "f", "s1", [hashes[1], hashes[2], hashes[0]]).vectors
    np.testing.assert_array_equal(found["region_classes"], np.stack([regions[0], 0 * regions[0], 0 * regions[0]]))
    np.testing.assert_array_equal(found["region_probabilities"], np.stack([regions[1], 0 * regions[1], 0 * regions[1]]))
    np.testing.assert_array_equal(found["classes"], np.stack([CONTENT.classes] * 3))


def test_rows_of_copies_have_no_vectors(place: str) -> None:
    storage = open_storage(place)
    copy = ShardRow("/photos/copy.jpg", "v1", ROW.sha256, None)
    commit_shard(storage, "f", [copy, ROW], [], STATS)
    assert [sha256 for sha256, _ in read_vectors(storage, "f", "s1")] == [ROW.sha256]
    known = read_committed(storage, "f")
    assert known.rows_with_vectors([ROW.sha256])[ROW.sha256].uri == ROW.uri
    assert settled(known, SourceImage("/photos/copy.jpg", "v1")) == [True]


def test_shard_counts_once_its_stats_are_written(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [ROW], [], STATS)
    storage.delete("embeddings/f/s1/stats.json")
    assert read_committed(storage, "f").is_empty()


def test_copy_without_original_is_not_embedded(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [ShardRow("/photos/copy.jpg", "v1", ROW.sha256, None)], [], STATS)
    assert settled(read_committed(storage, "f"), SourceImage("/photos/copy.jpg", "v1")) == [False]


def test_broken_image_is_settled_and_unreachable_image_is_not(place: str) -> None:
    storage = open_storage(place)
    broken = Failure("/photos/broken.jpg", "v1", "It is truncated.", transient=False)
    away = Failure("/photos/away.jpg", "v1", "The bucket did not answer.", transient=True)
    commit_shard(storage, "f", [], [broken, away], replace(STATS, images=0, failed=2))
    known = read_committed(storage, "f")
    images = [SourceImage("/photos/broken.jpg", "v1"), SourceImage("/photos/away.jpg", "v1")]
    assert settled(known, *images) == [True, False]
    assert known.failures_among(ImageTable.of(images)) == [away, broken]
    assert settled(known, SourceImage("/photos/broken.jpg", "v2")) == [False]


def test_other_fingerprint_has_no_images(place: str) -> None:
    storage = open_storage(place)
    commit_shard(storage, "f", [ROW], [], STATS)
    assert read_committed(storage, "other").is_empty()


def test_shard_name_does_not_depend_on_the_order() -> None:
    one, two = SourceImage("a", "1"), SourceImage("b", "1")
    assert make_shard((one, two), "f").name == make_shard((two, one), "f").name
    assert make_shard((one, two), "f").name != make_shard((one, two), "g").name
    assert make_shard((one, two), "f").name != make_shard((one, SourceImage("b", "2")), "f").name


def test_every_image_is_in_exactly_one_shard() -> None:
    images = [SourceImage(f"{number:03}", "1") for number in range(101)]
    shards = PlannedShards(ImageTable.of(reversed(images)), "f", size=10)
    assert len(shards) == 11
    assert [len(shard.images) for shard in shards] == [10] * 10 + [1]
    assert [image for shard in shards for image in shard.images] == images
