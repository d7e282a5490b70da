from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.errors import NotPublishedError
from findimg.index.annoy import AnnoyPartitions, index_files
from findimg.library.manifest import IndexEntry, hash_file
from findimg.settings import Settings
from findimg.storage.base import Storage, open_storage
from findimg_jobs.build.vector_indexes import IndexSpec, build_indexes
from findimg_jobs.engines.base import Engine


class Workers(Engine):
    """An engine whose workers are calls in this process: all that they need comes from the library."""

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


def nearest(folder: Path, name: str, index: IndexEntry, query: NDArray[np.float32]) -> list[int]:
    paths = [folder / file for file in index_files(name, index)]
    return AnnoyPartitions(paths, index.dim, index.counts, index.search_k).nearest(query, 5)[0].tolist()


def test_workers_build_the_same_bytes_as_this_process(place: str, wanted: list[IndexSpec], tmp_path: Path) -> None:
    storage = open_storage(place)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with Engine(Settings(engine="local")) as engine:
        ours, our_files = build_indexes(wanted, 100, storage, "v", here, engine)
    theirs, their_files = build_indexes(wanted, 100, storage, "v", there, Workers())
    assert (ours, our_files) == (theirs, their_files)
    assert ours["visual"].counts == ours["joint"].counts == [100, 100, 50]
    assert list(there.iterdir()) == []
    assert {entry.key for entry in storage.list("versions/v")} == {f"versions/v/{file}" for file in their_files}
    for file, stated in our_files.items():
        assert hash_file(here / file) == stated.sha256
        storage.fetch(f"versions/v/{file}", there / file)
        assert hash_file(there / file) == stated.sha256


def test_partitions_together_find_the_nearest_items(place: str, wanted: list[IndexSpec], tmp_path: Path) -> None:
    with Engine(Settings(engine="local")) as engine:
        indexes, _ = build_indexes(wanted, 60, open_storage(place), "v", tmp_path, engine)
    visual = wanted[0].vectors
    unit = visual / np.linalg.norm(visual, axis=1, keepdims=True)
    found = [nearest(tmp_path, "visual", indexes["visual"], visual[item]) for item in range(0, 250, 10)]
    exact = [np.argsort(-(unit @ unit[item]))[:5].tolist() for item in range(0, 250, 10)]
    shares = [len(set(a) & set(b)) / 5 for a, b in zip(found, exact, strict=True)]
    assert np.mean(shares) >= 0.98
    assert indexes["visual"].recall >= 0.98


def test_small_indexes_are_built_in_this_process(place: str, wanted: list[IndexSpec], tmp_path: Path) -> None:
    storage = open_storage(place)
    _, files = build_indexes(wanted, 250, storage, "v", tmp_path, Workers())
    assert {path.name for path in tmp_path.iterdir()} == set(files)
    assert list(storage.list()) == []


def test_worker_without_disk_space_is_reported(
    place: str, wanted: list[IndexSpec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage: Storage = open_storage(place)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(NotPublishedError, match=r"worker cannot build versions/v/visual-000\.ann .*MB are needed"):
        build_indexes(wanted, 100, storage, "v", tmp_path, Workers())
