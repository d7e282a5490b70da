from pathlib import Path

import pytest

from findimg.storage.base import open_storage
from findimg_jobs.listing.skip_rules import SkipRules
from findimg_jobs.listing.sources import list_sources
from findimg_jobs.listing.unmounted_folders import find_unmounted_folders
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import FolderIdentity, SourceImage


@pytest.fixture
def source(tmp_path: Path) -> str:
    open_storage(tmp_path).write("source/here/a.jpg", b"x")
    return str(tmp_path / "source")


def lost(source: str, *more: SourceImage) -> ImageTable:
    return ImageTable.of([*(SourceImage(f"{source}/disk/{number}.jpg", "1-1") for number in range(3)), *more])


@pytest.mark.parametrize(("mounted", "expected"), [(True, 1), (False, 0)])
def test_folder_that_is_gone_vanished_only_if_it_was_mounted(source: str, mounted: bool, expected: int) -> None:
    known = {f"{source}/disk": FolderIdentity(2, mounted)}
    assert len(find_unmounted_folders(lost(source), known, list_sources([source], ""))) == expected


def test_folder_outside_the_named_sources_is_not_reported(source: str) -> None:
    known = {f"{source}/disk": FolderIdentity(2, mounted=True)}
    assert find_unmounted_folders(lost(source), known, list_sources([f"{source}/here"], "")) == {}


def test_excluded_folder_is_not_reported(source: str) -> None:
    open_storage(source).write("disk/1.jpg", b"x")
    known = {f"{source}/disk": FolderIdentity(2, mounted=True)}
    listing = list_sources([source], "", rules=SkipRules(exclude=("disk",)))
    assert find_unmounted_folders(lost(source), known, listing) == {}


def test_outermost_vanished_folder_is_reported(source: str) -> None:
    known = {
        f"{source}/disk": FolderIdentity(2, mounted=True),
        f"{source}/disk/deep": FolderIdentity(3, mounted=True),
        f"{source}/disk-2": FolderIdentity(2, mounted=True),
    }
    before = lost(
        source,
        SourceImage(f"{source}/disk/deep/4.jpg", "1-1"),
        SourceImage(f"{source}/disk-2/5.jpg", "1-1"),
    )
    found = find_unmounted_folders(before, known, list_sources([source], ""))
    assert {path: len(images) for path, images in found.items()} == {f"{source}/disk": 4, f"{source}/disk-2": 1}


def test_listing_knows_which_folders_are_mounted(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    open_storage(tmp_path).write("here/a.jpg", b"x")
    (tmp_path / "there").symlink_to(other)
    folders = list_sources([str(tmp_path)], "").folders
    assert {Path(path).name: folder.mounted for path, folder in folders.items() if Path(path).parent == tmp_path} == {
        "here": False,
        "there": True,
    }
