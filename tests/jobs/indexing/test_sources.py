import os
from pathlib import Path

import pytest

from findimg.errors import SettingsError, StorageError
from findimg.storage.base import open_storage
from findimg_jobs.indexing.sources import list_sources


def names(*sources: str, library: str = "/nowhere") -> list[str]:
    return [image.uri.rsplit("/", 1)[1] for image in list_sources(sources, library).images]


def test_images_are_found_by_their_extension_in_folders_and_buckets(place: str) -> None:
    storage = open_storage(place)
    for key in ("b.JPG", "deep/down/a.heic", "notes.txt", "a.jpg.part", "c.webp"):
        storage.write(key, b"x")
    assert sorted(names(place)) == ["a.heic", "b.JPG", "c.webp"]


def test_version_of_an_image_changes_with_its_content(place: str) -> None:
    storage = open_storage(place)
    storage.write("a.jpg", b"one")
    (before,) = list_sources([place], "/nowhere").images
    storage.write("a.jpg", b"two")
    (after,) = list_sources([place], "/nowhere").images
    assert before.uri == after.uri
    assert before.version != after.version


def test_image_in_two_sources_is_listed_once(tmp_path: Path) -> None:
    open_storage(tmp_path).write("deep/a.jpg", b"x")
    assert names(str(tmp_path), str(tmp_path / "deep"), f"{tmp_path}/deep/") == ["a.jpg"]


def test_library_inside_its_source_is_not_listed(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    storage.write("a.jpg", b"x")
    storage.write("library/thumbnails/ab/abc.jpg", b"x")
    storage.write("library2/b.jpg", b"x")
    assert names(str(tmp_path), library=str(tmp_path / "library")) == ["a.jpg", "b.jpg"]


def test_loop_of_links_ends(tmp_path: Path) -> None:
    open_storage(tmp_path).write("album/a.jpg", b"x")
    (tmp_path / "album" / "again").symlink_to(tmp_path)
    assert names(str(tmp_path)) == ["a.jpg"]


def test_name_that_is_not_utf8_is_a_failure(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg")).write_bytes(b"x")
    (tmp_path / "café.jpg").write_bytes(b"x")
    listing = list_sources([str(tmp_path)], "/nowhere")
    assert [image.uri for image in listing.images] == [f"{tmp_path}/café.jpg"]
    (failure,) = listing.failures
    assert "caf\N{REPLACEMENT CHARACTER}.jpg" in failure.uri
    assert "UTF-8" in failure.reason


def test_source_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SettingsError, match=r"no image in .*; findimg reads .*\.jpg"):
        names(str(tmp_path))


def test_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'/no/such/place' does not exist"):
        names(str(tmp_path), "/no/such/place")


def test_missing_bucket_is_refused(s3: str) -> None:
    with pytest.raises(StorageError, match="no such bucket"):
        names(f"{s3}-but-not-this-one")
