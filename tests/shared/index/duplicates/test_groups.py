from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import LibraryError
from findimg.index.duplicates.groups import (
    Duplicates,
    compare_all,
    group_duplicates,
    open_groups,
)
from findimg.index.duplicates.similar_features import ContentHashes, compare_hashed, hash_features


def unit(*angles: float) -> np.ndarray:
    """Return float32[n, 2], unit vectors at some angles in degrees."""
    radians = np.deg2rad(np.asarray(angles))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_copies_and_near_duplicates_join_the_first_item() -> None:
    visual = unit(0, 90, 10, 90, 0, 45)
    groups = group_duplicates(["a", "b", "c", "d", "a", "e"], visual, visual, 0.98)
    assert groups.tolist() == [0, 1, 0, 1, 0, 5]


def test_chain_of_near_duplicates_is_not_one_group() -> None:
    visual = unit(0, 10, 20, 30)
    groups = group_duplicates(["a", "b", "c", "d"], visual, visual, 0.98)
    assert groups.tolist() == [0, 0, 2, 2]


def test_copies_of_a_near_duplicate_join_its_group() -> None:
    visual = unit(0, 90, 5, 5)
    assert group_duplicates(["a", "b", "c", "c"], visual, visual, 0.98).tolist() == [0, 1, 0, 0]


def test_images_without_features_are_not_near_duplicates() -> None:
    visual = np.zeros((3, 4), np.float16)
    assert group_duplicates(["a", "b", "a"], visual, visual, 0.98).tolist() == [0, 1, 0]


def test_large_library_finds_the_same_groups_as_all_pairs() -> None:
    random = np.random.default_rng(1)
    clumps = random.standard_normal((300, 64)).astype(np.float32)
    visual = clumps[random.integers(0, 300, 6000)] + random.normal(0, 0.6, (6000, 64)).astype(np.float32)
    first, copies = np.arange(500), np.arange(5500, 6000)
    visual[copies] = visual[first] + random.normal(0, 0.2, (500, 64))
    cosines = visual / np.linalg.norm(visual, axis=1, keepdims=True)
    cosines = cosines @ cosines.T
    groups = group_duplicates([str(item) for item in range(6000)], visual.astype(np.float16), visual, 0.95)
    expected = cosines[first, copies] >= 0.95
    assert expected.mean() > 0.9
    assert np.mean(groups[copies][expected] == groups[first][expected]) >= 0.99
    joined = np.flatnonzero(groups != np.arange(6000))
    assert (cosines[joined, groups[joined]] >= 0.949).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.randoms())
def test_folding_keeps_the_first_of_each_group(names: list[int], random: Random) -> None:
    first = [names.index(name) for name in names]
    duplicates = Duplicates(np.asarray(first, np.int32))
    ranking = list(range(len(names)))
    random.shuffle(ranking)
    kept = duplicates.fold(np.asarray(ranking)).tolist()
    seen: list[int] = []
    expected = [place for place, item in enumerate(ranking) if first[item] not in seen and not seen.append(first[item])]  # type: ignore[func-returns-value]
    assert kept == expected
    for item in range(len(names)):
        others = [other for other in range(len(names)) if first[other] == first[item] and other != item]
        assert duplicates.members(item).tolist() == others
    some = ranking[: len(ranking) // 2]
    assert duplicates.count(np.asarray(some, np.int64)) == len({first[item] for item in some})
    assert duplicates.count(None) == len(set(first))
    large = {name for name in first if first.count(name) > 1}
    assert len(duplicates) == len(large)
    assert [group.tolist() for group in duplicates] == [
        [item for item in range(len(names)) if first[item] == name] for name in sorted(large)
    ]


def test_new_images_get_the_groups_that_all_images_together_get() -> None:
    random = np.random.default_rng(2)
    clumps = random.standard_normal((1500, 64)).astype(np.float32)
    visual = clumps[random.integers(0, 1500, 6000)] + random.normal(0, 0.1, (6000, 64)).astype(np.float32)
    contents, is_old = np.arange(6000), random.random(6000) < 0.9
    hashes = hash_features(visual, visual.mean(axis=0))
    together = compare_hashed(visual, contents, np.ones(6000, np.bool_), ContentHashes.of(hashes), 0.95)
    old = np.flatnonzero(is_old)
    known = compare_hashed(visual, old, np.ones(len(old), np.bool_), ContentHashes.of(hashes[old]), 0.95)
    added = compare_hashed(visual, contents, ~is_old, ContentHashes.of(hashes), 0.95)
    assert len(together) > 6000
    assert {*map(tuple, known.tolist()), *map(tuple, added.tolist())} == {*map(tuple, together.tolist())}
    few = np.arange(500)
    all_pairs = compare_all(visual, few, np.ones(500, np.bool_), 0.95)
    new = compare_all(visual, few, few >= 400, 0.95)
    assert {*map(tuple, new.tolist())} == {pair for pair in map(tuple, all_pairs.tolist()) if pair[1] >= 400}


def test_groups_of_an_older_version_are_read_and_damage_is_reported(tmp_path: Path) -> None:
    np.save(tmp_path / "groups.npy", np.array([0, 0, 2], np.int32))
    assert open_groups(tmp_path / "groups.npy", 3).tolist() == [0, 0, 2]
    with pytest.raises(LibraryError, match=r"does not hold the groups of 4 images\. Publish again with index\."):
        open_groups(tmp_path / "groups.npy", 4)
    (tmp_path / "groups.npy").write_bytes(b"damaged")
    with pytest.raises(LibraryError, match=r"groups\.npy cannot be opened: .*\. Publish again with index\."):
        open_groups(tmp_path / "groups.npy", 3)
