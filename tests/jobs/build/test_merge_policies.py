"""Check which segments a version merges."""

import numpy as np
import pytest

from findimg_jobs.build.merge_policies import SegmentSize, choose_compact_merges, choose_merges, choose_purge_merges

LARGEST = 1_000_000


def test_few_segments_of_one_tier_stay() -> None:
    assert choose_merges([SegmentSize(100_000, 100_000), *[SegmentSize(1000, 1000)] * 8], LARGEST) == set()


def test_nine_segments_of_one_tier_are_merged() -> None:
    sizes = [SegmentSize(100_000, 100_000), *[SegmentSize(1000, 1000)] * 9]
    assert choose_merges(sizes, LARGEST) == set(range(1, 10))


def test_merged_segment_takes_the_next_tier_along_if_it_completes_it() -> None:
    sizes = [*[SegmentSize(20_000, 20_000)] * 8, *[SegmentSize(1000, 1000)] * 9]
    assert choose_merges(sizes, LARGEST) == set(range(17))
    assert choose_merges(sizes[1:], LARGEST) == set(range(7, 16))


def test_segment_is_rewritten_when_half_of_its_images_are_deleted() -> None:
    small = SegmentSize(1000, 1000)
    assert choose_merges([SegmentSize(100_000, 50_000), small], LARGEST) == set()
    assert choose_merges([SegmentSize(100_000, 49_999), small], LARGEST) == {0, 1}
    assert choose_merges([small, SegmentSize(100_000, 49_999), SegmentSize(20_000, 20_000)], LARGEST) == {0, 1}


def test_large_segments_are_merged_only_because_of_deletions() -> None:
    large = [SegmentSize(900_000, 600_000)] * 12
    assert choose_merges(large, LARGEST) == set()
    assert choose_compact_merges(large, LARGEST) == set(range(12))
    assert choose_compact_merges([SegmentSize(900_000, 800_000)] * 12, LARGEST) == set()


def test_shard_compaction_merges_small_segments_and_those_with_deletions() -> None:
    sizes = [SegmentSize(900_000, 700_000), SegmentSize(900_000, 899_999), SegmentSize(1000, 1000)]
    assert choose_compact_merges(sizes, LARGEST) == {0}  # merging a small segment alone would change nothing
    assert choose_compact_merges([*sizes, SegmentSize(10, 9)], LARGEST) == {0, 2, 3}
    assert choose_purge_merges(sizes, LARGEST) == {0, 1}
    assert choose_purge_merges([SegmentSize(1000, 1000)], LARGEST) == set()


@pytest.mark.parametrize("churn", [0.001, 0.01, 0.03])
def test_year_of_nights_keeps_few_segments(churn: float) -> None:
    """Simulate nights on which random images are replaced by new ones."""
    random, images, written = np.random.default_rng(5), 100_000, 0
    segments, most = [SegmentSize(images, images)], 0
    for _ in range(365):
        gone = [int(random.binomial(each.live, churn)) for each in segments]
        sizes = [SegmentSize(each.rows, each.live - lost) for each, lost in zip(segments, gone, strict=True)]
        sizes.append(SegmentSize(sum(gone), sum(gone)))
        merged = choose_merges(sizes, LARGEST)
        joined = sum(sizes[place].live for place in merged)
        segments = [each for place, each in enumerate(sizes) if place not in merged]
        segments += [SegmentSize(joined, joined)] if merged else []
        written += joined or sum(gone)
        most = max(most, len(segments))
        assert sum(each.live for each in segments) == images
    assert most <= 15
    assert written <= max(12, 1000 * churn) * images
