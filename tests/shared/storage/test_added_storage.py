"""Test that one module adds a storage: `memory.py` in this folder, which no other code knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import findimg
from findimg.errors import ObjectMissingError, StorageError
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.storage.base import open_storage, read_uri
from findimg_bot.service.original_links import OriginalLinks
from findimg_jobs.indexing.add import add
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.verify import verify
from tests.shared.storage import memory

NAMES = ("cat.png", "dalmatian.jpg", "eagle.jpg")


@pytest.fixture
def photos(samples: Path) -> Iterator[str]:
    memory.empty()
    storage = open_storage("memory://photos")
    for name in NAMES:
        storage.write(f"2024/{name}", (samples / name).read_bytes())
    yield "memory://photos"
    memory.empty()


def test_library_in_an_added_storage_is_indexed_searched_and_changed(photos: str, samples: Path, cache: Path) -> None:
    settings = Settings(library="memory://library", engine="local", cache=cache)
    source = open_storage(photos)
    source.write("2024/scan", (samples / "geese.jpg").read_bytes())
    source.write("2024/readme", b"no image")
    source.write("private/.findimgignore", b"*\n")
    source.write("private/x.jpg", b"not read")
    report = index(settings, [photos])
    assert (report.outcome, report.images, report.failed) == ("published", 4, 0)
    with findimg.open("memory://library", cache=cache) as opened:
        hit = opened.search("cat", k=1)[0]
        assert hit.uri == "memory://photos/2024/cat.png"
        assert read_uri(hit.uri) == (samples / "cat.png").read_bytes()
        assert opened.similar(hit.uri, k=3)
        assert not OriginalLinks("").can_link(hit.uri)
    assert index(settings, [photos]).outcome == "unchanged"
    source.write("2024/geese.jpg", (samples / "geese.jpg").read_bytes())
    assert add(settings, ["memory://photos/2024/geese.jpg"]).added == ("memory://photos/2024/geese.jpg",)
    library = Library("memory://library", cache)
    assert verify(library, library.manifest(library.live_version())).problems == []


def test_single_object_is_a_source(photos: str, cache: Path) -> None:
    settings = Settings(library="memory://library", engine="local", cache=cache)
    assert index(settings, [f"{photos}/2024/cat.png"]).images == 1


def test_storage_with_the_least_methods_has_all_others(photos: str, tmp_path: Path) -> None:
    storage = open_storage(photos)
    (tmp_path / "up").write_bytes(b"0123456789")
    storage.upload(tmp_path / "up", "a/x")
    storage.fetch("a/x", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"0123456789"
    assert storage.read_range("a/x", 2, 3) == b"234"
    assert storage.read_start("a/x", 4) == b"0123"
    assert [entry.key for entry in storage.list_from("2024/c")] == ["2024/cat.png"]
    assert (entry := storage.entry("a/x"))
    assert entry.size == 10
    assert storage.exists("a/x")
    storage.clear("a")
    assert not storage.exists("a/x")
    assert storage.entry("a/x") is None
    assert storage.sweep(0) == 0
    assert storage.local_path("a/x") is None
    with pytest.raises(ObjectMissingError):
        storage.fetch("a/x", tmp_path / "down")
    with pytest.raises(StorageError, match="ends too early"):
        storage.read_range("2024/cat.png", 0, 10**9)
    with pytest.raises(StorageError, match="cannot be copied"):
        storage.upload(tmp_path / "missing", "a/x")
    with pytest.raises(StorageError, match="There are no links"):
        storage.link("2024/cat.png", 60)
