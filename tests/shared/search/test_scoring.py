import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.search.scoring import best_first, combine, rerank, top_k


def test_images_with_all_terms_come_first() -> None:
    relevance = np.array([[0.9, 0.3, 0.0, 0.0], [0.0, 0.2, 0.9, 0.0]], np.float32)
    found = combine(relevance, np.ones(2, np.float32))

    assert found.argmax() == 1
    assert found[3] < found[[0, 2]].min()
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_heavier_term_decides() -> None:
    relevance = np.array([[0.8, 0.2], [0.2, 0.8]], np.float32)

    assert combine(relevance, np.array([2, 1], np.float32)).argmax() == 0
    assert combine(relevance, np.array([1, 2], np.float32)).argmax() == 1


def test_unwanted_term_lowers_the_score() -> None:
    relevance = np.array([[0.9, 0.8], [0.9, 0.0]], np.float32)
    found = combine(relevance, np.array([1, -1], np.float32))

    assert found.argmax() == 1
    assert found[1] == pytest.approx(0.8, abs=0.01)
    assert found[0] < 0.1


def test_word_vectors_order_images_without_evidence() -> None:
    found = combine(np.zeros((1, 3), np.float32), np.ones(1, np.float32), np.array([[0.1, 0.7, -0.5]], np.float32))

    assert np.argsort(-found).tolist() == [1, 0, 2]


def test_rerank_prefers_images_similar_to_the_best() -> None:
    random = np.random.default_rng(0)
    kinds = np.eye(8, dtype=np.float32)[[0] * 6 + [1] + [2] * 5]
    scores = np.array([0.9] * 5 + [0.3] + [0.4] + [0.1] * 5, np.float32)
    found = rerank(scores, kinds + random.normal(0, 0.01, kinds.shape).astype(np.float32))

    assert found[5] > found[6]
    assert found[:5].min() > found[5]
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_few_images_are_not_reranked() -> None:
    scores = np.array([0.3, 0.1], np.float32)

    np.testing.assert_array_equal(rerank(scores, np.eye(2, dtype=np.float32)), scores)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 1000, 20_000]), st.integers(1, 300), st.sampled_from([2, 10**6])
)
def test_top_k_matches_a_stable_sort(seed: int, length: int, count: int, values: int) -> None:
    scores = np.random.default_rng(seed).integers(0, values, length).astype(np.float32)

    assert top_k(scores, count).tolist() == sorted(np.argsort(-scores, kind="stable")[:count].tolist())


@pytest.mark.parametrize("seed", range(20))
def test_top_k_matches_full_sort_for_large_arrays(seed: int) -> None:
    scores = np.random.default_rng(seed).exponential(1, 2**20).astype(np.float32)

    assert top_k(scores, 200).tolist() == sorted(np.argsort(-scores, kind="stable")[:200].tolist())


@pytest.mark.parametrize("length", [0, 1, 100, 5000])
def test_best_first_is_a_stable_sort(length: int) -> None:
    random = np.random.default_rng(length)
    scores = random.choice(np.float32([-1.5, -1e-30, -0.0, 0.0, 1e-30, 0.5, 0.5000001, 1, np.inf, -np.inf]), length)

    assert best_first(scores).tolist() == sorted(range(length), key=lambda place: -scores[place])
