import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.errors import LibraryError, QueryError
from findimg.index.vector_types.base import index_type, open_index
from findimg.index.vector_types.exact import ExactIndex, exact_neighbours, measure_recall
from findimg.library.manifest import IndexEntry

DIM = 12


def vectors_of(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype(np.float32)


def cosines(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float64]:
    wide, vector = vectors.astype(np.float64), query.astype(np.float64)
    return wide @ vector / np.linalg.norm(wide, axis=1) / np.linalg.norm(vector)


def entry_of(count: int, file: str | None = None) -> IndexEntry:
    return IndexEntry(type="exact", dim=DIM, counts=[count], search_k=0, recall=1.0, file=file)


@pytest.fixture(params=["visual-000.f32", "joint.f16"])
def file(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def write(folder: Path, file: str, vectors: NDArray[np.float32]) -> IndexEntry:
    """Write a new file, or use the version's file of half-precision vectors."""
    if file.endswith(".f16"):
        vectors.astype(np.float16).tofile(folder / file)
    else:
        index_type("exact").build(vectors, folder / file)
    return entry_of(len(vectors), file)


@pytest.mark.parametrize("count", [1, 9, 10, 100, 5000, 200_000])
def test_nearest_items_match_a_full_sort(tmp_path: Path, file: str, count: int) -> None:
    vectors = vectors_of(count)
    index = open_index(tmp_path, "any", write(tmp_path, file, vectors))
    for query in vectors_of(3, seed=1):
        items, found = index.search(query * 100, 10)
        right = cosines(vectors, query)
        # Half precision may exchange neighbours that are equally near.
        np.testing.assert_allclose(right[items], np.sort(right)[::-1][:10], atol=2e-3)
        np.testing.assert_allclose(found, right[items], atol=2e-3)
        assert np.all(np.diff(found) <= 0)
        assert (items.dtype, found.dtype) == (np.int64, np.float32)


def test_first_of_equal_vectors_comes_first(tmp_path: Path, file: str) -> None:
    vectors = np.repeat(vectors_of(3), 500, axis=0)
    index = open_index(tmp_path, "any", write(tmp_path, file, vectors))
    items, _ = index.search(vectors[600], 20)
    assert items.tolist() == list(range(500, 520))


def test_similarity_of_an_item_does_not_depend_on_the_others(tmp_path: Path, file: str) -> None:
    vectors = vectors_of(1000)
    index = open_index(tmp_path, "any", write(tmp_path, file, vectors))
    every, query = np.arange(1000), vectors_of(1, seed=1)[0]
    consecutive = index.similarities(query, every)
    mixed = np.random.default_rng(0).permutation(every)
    assert np.array_equal(index.similarities(query, mixed), consecutive[mixed])
    assert np.array_equal(index.similarities(query, every[300:900]), consecutive[300:900])
    assert np.array_equal(index.similarities(query, np.repeat(every, 2)), np.repeat(consecutive, 2))


@pytest.mark.parametrize("step", [1, 7])
def test_similarities_of_chosen_items_are_cosines(tmp_path: Path, file: str, step: int) -> None:
    vectors = vectors_of(300_000)
    query = vectors_of(1, seed=1)[0]
    items = np.arange(0, len(vectors), step)[::-1]
    found = open_index(tmp_path, "any", write(tmp_path, file, vectors)).similarities(query * 5, items)
    np.testing.assert_allclose(found, cosines(vectors, query)[items], atol=2e-3)


def test_vector_of_zeros_is_similar_to_nothing(tmp_path: Path, file: str) -> None:
    vectors = vectors_of(5)
    vectors[2] = 0
    index = open_index(tmp_path, "any", write(tmp_path, file, vectors))
    assert index.similarities(vectors[1], np.array([2])).tolist() == [0.0]


def test_equal_vectors_give_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        index_type("exact").build(vectors_of(500), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("query", [np.zeros(DIM), np.ones(DIM + 1), np.full(DIM, np.nan)])
def test_invalid_query_is_refused(tmp_path: Path, file: str, query: NDArray[np.float64]) -> None:
    index = open_index(tmp_path, "any", write(tmp_path, file, vectors_of(5)))
    with pytest.raises(QueryError, match=rf"A query must be {DIM} finite numbers, .* Received: {query.size} numbers"):
        index.search(query.astype(np.float32), 10)


@pytest.mark.parametrize("size", [None, 0, 5 * DIM * 4 - 1, 5 * DIM * 4 + 1])
def test_missing_or_damaged_file_is_named(tmp_path: Path, size: int | None) -> None:
    if size is not None:
        (tmp_path / "visual-000.f32").write_bytes(bytes(size))
    with pytest.raises(LibraryError, match=r"visual-000\.f32 cannot be opened as 5 vectors of 12 dimensions: "):
        open_index(tmp_path, "visual", entry_of(5))


def test_index_with_two_partitions_is_refused(tmp_path: Path) -> None:
    entry = IndexEntry(type="exact", dim=DIM, counts=[3, 2], search_k=0, recall=1.0)
    with pytest.raises(LibraryError, match=r"An exact index has one partition\. The manifest states 2\."):
        open_index(tmp_path, "visual", entry)


def test_recall_is_full(tmp_path: Path, file: str) -> None:
    vectors = vectors_of(2000)
    index = open_index(tmp_path, "any", write(tmp_path, file, vectors))
    indexed = vectors.astype(np.float16) if file.endswith(".f16") else vectors
    assert measure_recall(index, indexed, vectors_of(20, seed=1)) == 1


def test_neighbours_of_many_queries_match_a_full_sort() -> None:
    vectors, queries = vectors_of(300_000), vectors_of(4, seed=1)
    items, found = exact_neighbours(vectors, queries, 10)
    for query, row, similarity in zip(queries, items, found, strict=True):
        right = cosines(vectors, query)
        assert row.tolist() == np.argsort(-right, kind="stable")[:10].tolist()
        np.testing.assert_allclose(similarity, right[row], atol=1e-5)


@pytest.mark.parametrize("matches", [1_000_000, 400_000])
def test_a_million_similarities_take_little_memory(tmp_path: Path, matches: int) -> None:
    path = tmp_path / "visual-000.f32"
    with path.open("wb") as empty:
        empty.truncate(1_000_000 * 64 * 4)  # 256 MB, without space on disk
    index = ExactIndex(path, 1_000_000, 64)
    items = np.arange(matches)
    tracemalloc.start()
    found = index.similarities(np.ones(64, np.float32), items)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == matches
    assert peak < 50_000_000
