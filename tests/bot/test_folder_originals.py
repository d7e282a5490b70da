"""Test which files the local workspace opens as original images."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from findimg.settings import Settings
from findimg_bot.folder_originals import FolderOriginals, is_folder
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.indexing.run import index


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, samples: Path, cache: Path) -> Path:
    """Return an indexed folder with two images and a text."""
    folder = tmp_path_factory.mktemp("originals")
    photos = folder / "photos"
    (photos / "pets").mkdir(parents=True)
    shutil.copy(samples / "cat.png", photos / "pets" / "cat 1.png")
    shutil.copy(samples / "coffee.png", photos)
    (photos / "notes.txt").write_text("secret")
    shutil.copy(samples / "cat.png", folder / "outside.png")
    index(Settings(library=str(folder / "library"), engine="local", cache=cache), [str(photos)])
    return photos


@pytest.fixture
def originals(photos: Path, cache: Path) -> Iterator[FolderOriginals]:
    """Return the reader of the folder's library."""
    with closing(ServedLibrary(Settings(library=str(photos.parent / "library"), cache=cache))) as served:
        yield FolderOriginals(served)


def test_indexed_image_is_read(originals: FolderOriginals, photos: Path) -> None:
    assert originals.read("pets/cat 1.png") == (photos / "pets" / "cat 1.png").read_bytes()


@pytest.mark.parametrize(
    "path",
    ["notes.txt", "../outside.png", "pets/../coffee.png", "pets/../../outside.png", "none.png", "/etc/passwd", "pets"],
)
def test_other_file_is_not_read(originals: FolderOriginals, path: str) -> None:
    assert originals.read(path) is None


def test_file_that_is_no_image_any_more_is_not_read(originals: FolderOriginals, photos: Path) -> None:
    image = photos / "coffee.png"
    before = image.read_bytes()
    image.unlink()
    image.symlink_to(photos / "notes.txt")
    try:
        assert originals.read("coffee.png") is None
    finally:
        image.unlink()
        image.write_bytes(before)


def test_image_of_a_later_version_is_read(originals: FolderOriginals, photos: Path, samples: Path, cache: Path) -> None:
    assert originals.read("dalmatian.jpg") is None
    shutil.copy(samples / "dalmatian.jpg", photos)
    index(Settings(library=str(photos.parent / "library"), engine="local", cache=cache), [str(photos)])
    assert originals.read("dalmatian.jpg") == (samples / "dalmatian.jpg").read_bytes()


def test_only_folders_are_opened() -> None:
    assert is_folder("/photos")
    assert not is_folder("s3://bucket/photos")
