from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.errors import NotPublishedError
from findimg.index.base import open_index
from findimg.library.manifest import IndexEntry, hash_file
from findimg.settings import Settings
from findimg.storage.base import Storage, open_storage
from findimg_jobs.build.vector_indexes import BuildTarget, IndexSpec, build_indexes
from findimg_jobs.engines.base import Engine


class Workers(Engine):
    """An engine whose workers are calls in this process. They get all their input from the library."""

    def __init__(self) -> None:
        super().__init__(Settings(engine="ray"))

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(function, list(items))


@pytest.fixture
def wanted() -> list[IndexSpec]:
    random = np.random.default_rng(1)
    visual = random.normal(size=(250, 12)).astype(np.float32)
    joint = random.normal(size=(250, 6)).astype(np.float16)
    return [IndexSpec("visual", visual, visual[::10]), IndexSpec("joint", joint, joint[::10].astype(np.float32))]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the few vectors of a test as so many that Annoy can be chosen."""
    monkeypatch.setattr("findimg_jobs.build.vector_indexes.ALWAYS_EXACT", 0)
    monkeypatch.setattr("findimg.index.annoy._NODE_COST", -1000)


def nearest(folder: Path, name: str, index: IndexEntry, query: NDArray[np.float32]) -> list[int]:
    return open_index(folder, name, index).search(query, 5)[0].tolist()


def target(storage: Storage, folder: Path, engine: Engine, partition_size: int) -> BuildTarget:
    return BuildTarget(storage, "v", folder, engine, partition_size)


@pytest.mark.usefixtures("large")
def test_workers_build_the_same_bytes_as_this_process(place: str, wanted: list[IndexSpec], tmp_path: Path) -> None:
    storage = open_storage(place)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with Engine(Settings(engine="local")) as engine:
        ours, our_files = build_indexes(wanted, target(storage, here, engine, 100))
    theirs, their_files = build_indexes(wanted, target(storage, there, Workers(), 100))
    assert (ours, our_files) == (theirs, their_files)
    assert ours["visual"].type == "annoy"
    assert ours["visual"].counts == ours["joint"].counts == [100, 100, 50]
    assert list(there.iterdir()) == []
    assert {entry.key for entry in storage.list("versions/v")} == {f"versions/v/{file}" for file in their_files}
    for file, stated in our_files.items():
        assert hash_file(here / file) == stated.sha256
        storage.fetch(f"versions/v/{file}", there / file)
        assert hash_file(there / file) == stated.sha256


@pytest.mark.usefixtures("large")
def test_partitions_together_find_the_nearest_items(place: str, wanted: list[IndexSpec], tmp_path: Path) -> None:
    with Engine(Settings(engine="local")) as engine:
        indexes, _ = build_indexes(wanted, target(open_storage(place), tmp_path, engine, 60))
    visual = wanted[0].vectors
    unit = visual / np.linalg.norm(visual, axis=1, keepdims=True)
    found = [nearest(tmp_path, "visual", indexes["visual"], visual[item]) for item in range(0, 250, 10)]
    exact = [np.argsort(-(unit @ unit[item]))[:5].tolist() for item in range(0, 250, 10)]
    shares = [len(set(a) & set(b)) / 5 for a, b in zip(found, exact, strict=True)]
    assert np.mean(shares) >= 0.98
    assert indexes["visual"].recall >= 0.98


@pytest.mark.usefixtures("large")
def test_small_indexes_are_built_in_this_process(place: str, wanted: list[IndexSpec], tmp_path: Path) -> None:
    storage = open_storage(place)
    _, files = build_indexes(wanted, target(storage, tmp_path, Workers(), 250))
    assert {path.name for path in tmp_path.iterdir()} == set(files)
    assert list(storage.list()) == []


@pytest.mark.usefixtures("large")
def test_worker_without_disk_space_is_reported(
    place: str, wanted: list[IndexSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage: Storage = open_storage(place)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(NotPublishedError, match=r"worker cannot build versions/v/visual-000\.ann .*MB are needed"):
        build_indexes(wanted, target(storage, tmp_path, Workers(), 100))


def test_few_vectors_get_an_exact_index_without_trees(
    place: str, wanted: list[IndexSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("findimg.index.annoy.AnnoyIndex", None)  # building trees would fail
    indexes, files = build_indexes(wanted, target(open_storage(place), tmp_path, Workers(), 100))
    assert {(index.type, index.search_k, index.recall) for index in indexes.values()} == {("exact", 0, 1.0)}
    assert indexes["visual"].counts == [250]
    visual = wanted[0].vectors.astype(np.float32)
    unit = visual / np.linalg.norm(visual, axis=1, keepdims=True)
    for item in range(0, 250, 10):
        assert (
            nearest(tmp_path, "visual", indexes["visual"], visual[item])
            == np.argsort(-(unit @ unit[item]))[:5].tolist()
        )
    assert {path.name for path in tmp_path.iterdir()} == set(files)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_trees_that_are_slower_than_a_scan_are_discarded(
    place: str, wanted: list[IndexSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr("findimg_jobs.build.vector_indexes.ALWAYS_EXACT", 0)
    storage, folder = open_storage(place), tmp_path / "build"
    folder.mkdir()
    workers = Workers() if engine == "ray" else Engine(Settings(engine="local"))
    with workers:
        indexes, files = build_indexes(wanted, target(storage, folder, workers, 100))
    assert {index.type for index in indexes.values()} == {"exact"}
    assert {path.name for path in folder.iterdir()} == set(files)
    assert list(storage.list()) == []
