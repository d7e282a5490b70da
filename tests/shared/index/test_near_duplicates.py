import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.index import near_duplicates
from findimg.index.near_duplicates import compare_hashed, hash_features, normalised

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
    pairs = compare_hashed(features, contents, is_new, hashes, COSINE)
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
    monkeypatch.setattr(near_duplicates, "_LARGEST", 300)
    features, contents = clumped(5000, 2, 500), np.arange(5000)
    expected = all_pairs(features, contents)
    found = found_pairs(features, contents, np.ones(len(contents), np.bool_))

    assert found <= expected
    assert len(found) >= 0.9 * len(expected)
