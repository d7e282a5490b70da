from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.errors import LibraryError, QueryError
from findimg.index.vector_types.annoy import AnnoyPartitions
from findimg.index.vector_types.base import NEIGHBOURS, RECALL_GOAL, index_type, open_index
from findimg.index.vector_types.exact import measure_recall
from findimg.library.manifest import IndexEntry

DIM = 24
FULL_EFFORT = 10**6  # a search effort that visits every item
ANNOY = index_type("annoy")


def vectors_of(count: int, seed: int = 0, dim: int = DIM) -> NDArray[np.float16]:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float16)


def built(folder: Path, vectors: NDArray[np.float16], partition_size: int = 10**6) -> tuple[list[Path], list[int]]:
    counts = [len(vectors[start : start + partition_size]) for start in range(0, len(vectors), partition_size)]
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{number}.ann" for number in range(len(counts))]
    for path, start in zip(paths, range(0, len(vectors), partition_size), strict=True):
        ANNOY.build(vectors[start : start + partition_size], path)
    return paths, counts


def opened(
    folder: Path, vectors: NDArray[np.float16], partition_size: int = 10**6, search_k: int = FULL_EFFORT
) -> AnnoyPartitions:
    paths, counts = built(folder, vectors, partition_size)
    return AnnoyPartitions(paths, vectors.shape[1], counts, search_k)


def cosines(vectors: NDArray[np.float16], query: NDArray[np.float32]) -> NDArray[np.float32]:
    plain = vectors.astype(np.float32)
    return plain @ query / np.linalg.norm(plain, axis=1) / np.linalg.norm(query)


def test_equal_vectors_give_equal_bytes(tmp_path: Path) -> None:
    vectors = vectors_of(500)
    first, _ = built(tmp_path / "a", vectors, 300)
    second, _ = built(tmp_path / "b", vectors, 300)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert first[0].read_bytes() != first[1].read_bytes()


@pytest.mark.parametrize("partition_size", [1000, 300, 7])
def test_partitions_return_the_order_of_exact_search(tmp_path: Path, partition_size: int) -> None:
    vectors = vectors_of(1000)
    ann = opened(tmp_path, vectors, partition_size)
    for query in vectors_of(5, seed=1).astype(np.float32):
        items, found = ann.search(query * 100, 25)
        exact = cosines(vectors, query)
        np.testing.assert_array_equal(items, np.argsort(-exact, kind="stable")[:25])
        np.testing.assert_allclose(found, exact[items], atol=1e-5)
        assert (items.dtype, found.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_all_items_are_returned_when_there_are_fewer_than_k(tmp_path: Path, count: int) -> None:
    vectors = vectors_of(count)
    paths, counts = built(tmp_path, vectors)
    calibration = ANNOY.calibrate(paths[0], vectors, vectors.astype(np.float32))
    assert calibration.recall == 1
    ann = AnnoyPartitions(paths, DIM, counts, calibration.search_k)
    items, found = ann.search(vectors[0].astype(np.float32), 10)
    assert sorted(items) == list(range(count))
    assert items[0] == 0
    assert found[0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("search_k", [0, 1, 50])
def test_k_hits_are_returned_even_with_a_small_effort(tmp_path: Path, search_k: int) -> None:
    # In tight groups, all trees lead to the same few items.
    vectors = np.repeat(vectors_of(20), 100, axis=0) + vectors_of(2000, seed=2) / 100
    ann = opened(tmp_path, vectors.astype(np.float16), search_k=search_k)
    for k in (1, 10, 500, 2000, 5000):
        items, found = ann.search(vectors[7].astype(np.float32), k)
        assert len(items) == len(set(items)) == min(k, 2000)
        assert np.all(np.diff(found) <= 0)


def test_calibration_reaches_the_goal_and_measuring_again_agrees(tmp_path: Path) -> None:
    vectors = vectors_of(20_000, dim=50)
    queries = vectors_of(60, seed=1, dim=50).astype(np.float32)
    paths, counts = built(tmp_path, vectors)
    calibration = ANNOY.calibrate(paths[0], vectors, queries)
    assert calibration.recall >= RECALL_GOAL
    ann = AnnoyPartitions(paths, 50, counts, calibration.search_k)
    assert measure_recall(ann, vectors, queries) == pytest.approx(calibration.recall, abs=1e-4)
    exact = [set(np.argsort(-cosines(vectors, query))[:NEIGHBOURS]) for query in queries]
    by_hand = [len(exact[i] & set(ann.search(query, NEIGHBOURS)[0])) / NEIGHBOURS for i, query in enumerate(queries)]
    assert np.mean(by_hand) == pytest.approx(calibration.recall, abs=1e-3)
    ann.search_k = calibration.search_k // 2
    assert measure_recall(ann, vectors, queries) < RECALL_GOAL


def test_equal_images_do_not_reduce_recall(tmp_path: Path) -> None:
    vectors = np.repeat(vectors_of(3), 200, axis=0)
    paths, counts = built(tmp_path, vectors)
    calibration = ANNOY.calibrate(paths[0], vectors, vectors[::100].astype(np.float32))
    assert calibration.recall == 1
    index = AnnoyPartitions(paths, DIM, counts, calibration.search_k)
    items, found = index.search(vectors[300].astype(np.float32), 10)
    assert all(200 <= item < 400 for item in items)
    np.testing.assert_allclose(found, 1, atol=1e-5)


def test_calibration_without_queries_has_full_recall(tmp_path: Path) -> None:
    vectors = np.zeros((5, DIM), np.float16)
    paths, _ = built(tmp_path, vectors)
    assert ANNOY.calibrate(paths[0], vectors, np.empty((0, DIM), np.float32)).recall == 1


@pytest.mark.parametrize(
    "query", [np.zeros(DIM), np.ones(DIM + 1), np.ones((1, DIM)), np.full(DIM, np.nan), np.full(DIM, np.inf)]
)
def test_invalid_query_is_refused(tmp_path: Path, query: NDArray[np.float64]) -> None:
    with pytest.raises(QueryError, match=rf"A query must be 24 finite numbers, .* Received: {query.size} numbers"):
        opened(tmp_path, vectors_of(5)).search(query.astype(np.float32), 10)


@pytest.mark.parametrize(
    ("data", "dim", "counts", "problem"),
    [
        (None, DIM, [50], r"cannot be opened as an Annoy index of 24 dimensions: "),
        (b"", DIM, [50], r"cannot be opened as an Annoy index of 24 dimensions: "),
        (b"some text", DIM, [50], r"cannot be opened as an Annoy index of 24 dimensions: "),
        (..., DIM + 1, [50], r"cannot be opened as an Annoy index of 25 dimensions: |holds -?\d+ items,"),
        (..., DIM, [51], r"holds 50 items, the manifest states 51\."),
    ],
)
def test_damaged_file_is_named(
    tmp_path: Path, data: bytes | None, dim: int, counts: Sequence[int], problem: str
) -> None:
    (path,), _ = built(tmp_path, vectors_of(50))
    if data is None:
        path.unlink()
    elif isinstance(data, bytes):
        path.write_bytes(data)
    with pytest.raises(LibraryError, match=rf"0\.ann ({problem}).*Publish again with index\.$"):
        AnnoyPartitions([path], dim, counts, 100)


def test_closed_index_unmaps_its_files(tmp_path: Path) -> None:
    ann = opened(tmp_path, vectors_of(50))
    ann.close()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()


@pytest.mark.parametrize("partition_size", [1000, 300])
def test_similarities_of_chosen_items_are_cosines(tmp_path: Path, partition_size: int) -> None:
    vectors = vectors_of(1000)
    query = vectors_of(1, seed=1)[0].astype(np.float32)
    items = np.array([999, 0, 300, 299, 5, 5])
    found = opened(tmp_path, vectors, partition_size).similarities(query * 3, items)
    np.testing.assert_allclose(found, cosines(vectors, query)[items], atol=1e-5)


def test_index_of_an_old_manifest_opens_as_annoy(tmp_path: Path) -> None:
    ANNOY.build(vectors_of(50), tmp_path / "visual-000.ann")
    entry = IndexEntry.model_validate({"dim": DIM, "counts": [50], "search_k": 500, "recall": 1.0})
    index = open_index(tmp_path, "visual", entry)
    items, _ = index.search(vectors_of(50)[7].astype(np.float32), 1)
    assert items.tolist() == [7]


def test_index_of_an_unknown_type_is_refused(tmp_path: Path) -> None:
    entry = IndexEntry(type="hnsw", dim=DIM, counts=[50], search_k=0, recall=1.0)
    with pytest.raises(LibraryError, match=r"index of the unknown type 'hnsw'\. Update findimg\."):
        open_index(tmp_path, "visual", entry)
