import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.index.duplicates import similar_features
from findimg.index.duplicates.similar_features import ContentHashes, compare_hashed, hash_features
from findimg.vectors import normalised

COSINE = 0.95


def clumped(count: int, clumps: int, near: int) -> NDArray[np.float16]:
    """Return features, float16[count, 64], in clumps. The last `near` rows are almost equal to the first ones."""
    random = np.random.default_rng(1)
    centres = random.standard_normal((clumps, 64))
    features = centres[random.integers(0, clumps, count)] + random.normal(0, 0.6, (count, 64))
    features[count - near :] = features[:near] + random.normal(0, 0.2, (near, 64))
    return features.astype(np.float16)


def all_pairs(features: NDArray[np.float16], contents: NDArray[np.int64]) -> set[tuple[int, int]]:
    vectors = normalised(features[contents])
    one, other = np.nonzero(np.triu(vectors @ vectors.T >= COSINE, 1))
    return set(zip(contents[one].tolist(), contents[other].tolist(), strict=True))


def found_pairs(
    features: NDArray[np.float16], contents: NDArray[np.int64], is_new: NDArray[np.bool_]
) -> set[tuple[int, int]]:
    hashes = hash_features(features, features.astype(np.float32).mean(axis=0))[contents]
    pairs = compare_hashed(features, contents, is_new, ContentHashes.of(hashes), COSINE)
    found = set(map(tuple, pairs.tolist()))
    assert len(found) == len(pairs)
    return found


@pytest.mark.parametrize("clumps", [3, 300, 100_000])
def test_pairs_are_those_of_comparing_all(clumps: int) -> None:
    features, contents = clumped(5000, clumps, 500), np.arange(0, 5000)
    expected = all_pairs(features, contents)
    found = found_pairs(features, contents, np.ones(len(contents), np.bool_))

    assert len(expected) >= 450
    assert found <= expected
    assert len(found) >= 0.985 * len(expected)


def test_only_pairs_with_a_new_content_are_returned() -> None:
    features, contents = clumped(5000, 100, 500), np.arange(1, 5000, 2)
    is_new = np.arange(len(contents)) % 7 == 0
    new = set(contents[is_new].tolist())
    expected = {pair for pair in all_pairs(features, contents) if new & set(pair)}
    found = found_pairs(features, contents, is_new)

    assert len(expected) >= 40
    assert found <= expected
    assert len(found) >= 0.98 * len(expected)
    assert found_pairs(features, contents, np.zeros(len(contents), np.bool_)) == set()


def test_parts_of_large_clumps_find_most_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(similar_features, "_LARGEST", 300)
    features, contents = clumped(5000, 2, 500), np.arange(5000)
    expected = all_pairs(features, contents)
    found = found_pairs(features, contents, np.ones(len(contents), np.bool_))

    assert found <= expected
    assert len(found) >= 0.9 * len(expected)


def test_hashes_in_files_are_compared_like_those_in_memory_and_take_little_memory(tmp_path: Path) -> None:
    count = 100_000
    random = np.random.default_rng(3)
    features = random.standard_normal((count, 4), np.float32)
    features[-50:] = features[:50]
    rows = hash_features(features, np.zeros(4, np.float32))
    rows ^= random.integers(0, 2**63, (count, 6), np.uint64)  # so that few are similar as a whole
    rows[-50:] = rows[:50]
    contents, is_new = np.arange(count), np.arange(count) >= count - 10_000
    expected = compare_hashed(features, contents, is_new, ContentHashes.of(rows), cosine=0.99999)
    tracemalloc.start()
    try:
        hashes = ContentHashes.in_files(tmp_path, count)
        for places in np.array_split(contents, 10):
            hashes.put(places, rows[places])
        found = compare_hashed(features, contents, is_new, hashes, cosine=0.99999)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(expected) >= 45
    assert np.array_equal(found, expected)
    assert most < 150 * count, f"{most / count:.0f} bytes for each content"
