from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.index.vector_types import base
from findimg.index.vector_types.base import (
    Calibration,
    VectorIndex,
    Vectors,
    index_type,
    open_index,
    register_index_type,
    types_for,
)
from findimg.index.vector_types.exact import ExactIndex
from findimg.library.manifest import IndexEntry
from findimg.storage.folder import hash_file
from findimg_jobs.segments.vector_indexes import build_index


@pytest.fixture
def visual() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(250, 12)).astype(np.float32)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the few vectors of a test as so many that Annoy can be chosen."""
    monkeypatch.setattr(index_type("annoy"), "min_components", 1)
    monkeypatch.setattr("findimg.index.vector_types.annoy._NODE_COST", -1000)


def nearest(folder: Path, index: IndexEntry, query: NDArray[np.float32]) -> list[int]:
    return open_index(folder, "visual", index).search(query, 5)[0].tolist()


def truly_nearest(visual: NDArray[np.float32], item: int) -> list[int]:
    unit = visual / np.linalg.norm(visual, axis=1, keepdims=True)
    return np.argsort(-(unit @ unit[item]))[:5].tolist()


@pytest.mark.usefixtures("large")
def test_large_index_finds_the_nearest_items_and_is_built_alike_every_time(
    visual: NDArray[np.float32], tmp_path: Path
) -> None:
    entry, file = build_index("visual", visual, visual[::10], tmp_path)
    assert (entry.type, entry.counts) == ("annoy", [250])
    assert entry.recall >= 0.98
    shares = [
        len({*nearest(tmp_path, entry, visual[item])} & {*truly_nearest(visual, item)}) / 5
        for item in range(0, 250, 10)
    ]
    assert np.mean(shares) >= 0.98
    (tmp_path / "again").mkdir()
    assert build_index("visual", visual, visual[::10], tmp_path / "again") == (entry, file)
    assert hash_file(tmp_path / "again" / file) == hash_file(tmp_path / file)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_deleted_items_are_never_found(visual: NDArray[np.float32], tmp_path: Path, share: float) -> None:
    entry, _ = build_index("visual", visual, visual[::10], tmp_path)
    deleted = np.flatnonzero(np.random.default_rng(2).random(250) < share)
    index = open_index(tmp_path, "visual", entry)
    for item in range(0, 250, 25):
        for k in (5, 250):
            found, _ = index.search(visual[item], k, without=deleted)
            assert len(found) == min(k, 250 - len(deleted))
            assert not np.isin(found, deleted).any()


def test_few_vectors_get_an_exact_index_without_trees(
    visual: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("findimg.index.vector_types.annoy.AnnoyIndex", None)  # building trees would fail
    entry, file = build_index("visual", visual, visual[::10], tmp_path)
    assert (entry.type, entry.search_k, entry.recall, entry.counts) == ("exact", 0, 1.0, [250])
    for item in range(0, 250, 10):
        assert nearest(tmp_path, entry, visual[item]) == truly_nearest(visual, item)
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_type_for_the_most_vectors_is_tried_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [kind.name for kind in types_for(50_000_000)] == ["exact"]
    assert [kind.name for kind in types_for(50_000_001)] == ["annoy", "exact"]
    monkeypatch.setattr(index_type("exact"), "min_components", 10**8)
    assert [kind.name for kind in types_for(10**8)] == ["exact", "annoy"]


class _HalfPrecision:
    """An index type in one class, as a module of the package would add it. It is exact, with half the disk space."""

    name = "half"
    suffix = ".f16"
    min_components = 1

    def needed_space(self, count: int, dim: int) -> int:
        return 2 * count * dim

    def build(self, vectors: Vectors, path: Path) -> None:
        path.write_bytes(np.asarray(vectors, np.float16).tobytes())

    def calibrate(self, path: Path, vectors: Vectors, queries: NDArray[np.float32]) -> Calibration:
        return Calibration(0, 0.999, vectors.size / 2)

    def open(self, paths: Sequence[Path], entry: IndexEntry) -> VectorIndex:
        return ExactIndex(paths[0], entry.counts[0], entry.dim)


def test_added_type_is_built_and_opened(
    visual: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_types", dict(base._types))
    register_index_type(_HalfPrecision())
    entry, file = build_index("visual", visual, visual[::10], tmp_path)
    assert (entry.type, file, entry.recall) == ("half", "visual-000.f16", 0.999)
    for item in range(0, 250, 10):
        assert nearest(tmp_path, entry, visual[item])[0] == item


def test_trees_that_are_slower_than_a_scan_are_discarded(
    visual: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_type("annoy"), "min_components", 1)
    entry, file = build_index("visual", visual, visual[::10], tmp_path)
    assert entry.type == "exact"
    assert [path.name for path in tmp_path.iterdir()] == [file]


def test_full_disk_is_an_error_before_anything_is_written(
    visual: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(OSError, match="MB are needed for an index"):
        build_index("visual", visual, visual[::10], tmp_path)
    assert list(tmp_path.iterdir()) == []
