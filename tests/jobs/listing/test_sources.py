import os
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from findimg.errors import SettingsError, StorageError
from findimg.storage.base import open_storage
from findimg_jobs.listing.skip_rules import SkipRules
from findimg_jobs.listing.sources import list_sources


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
    assert before.etag != after.etag


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
    with pytest.raises(SettingsError, match=r"no image in .*\. findimg reads .*\.jpg"):
        names(str(tmp_path))


def test_missing_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'/no/such/place' does not exist"):
        names(str(tmp_path), "/no/such/place")


def test_missing_bucket_is_refused(s3: str) -> None:
    with pytest.raises(StorageError, match="no such bucket"):
        names(f"{s3}-but-not-this-one")


def test_source_through_a_link_does_not_list_the_library(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    storage.write("data/a.jpg", b"x")
    storage.write("data/library/thumbnails/ab/abc.jpg", b"x")
    (tmp_path / "link").symlink_to("data")
    assert names(str(tmp_path / "link"), library=str(tmp_path / "data/library")) == ["a.jpg"]
    assert names(str(tmp_path / "data"), library=str(tmp_path / "link/library")) == ["a.jpg"]


@pytest.mark.parametrize("published", [True, False])
def test_other_libraries_are_not_listed(place: str, published: bool) -> None:
    storage = open_storage(place)
    storage.write("a.jpg", b"x")
    storage.write("old/library/thumbnails/ab/abc.jpg", b"x")
    storage.write("old/library/embeddings/f/s/stats.json", b"x")
    storage.write("old/library/plans/20261126T021010130599Z-a1b2.parquet", b"x")
    if published:
        storage.write("old/library/CURRENT", b"v1\n")
        storage.write("old/library/versions/v1/manifest.json", b"x")
    storage.write("old/b.jpg", b"x")
    assert names(place) == ["a.jpg", "b.jpg"]


def test_folder_with_the_name_of_a_library_file_is_listed(place: str) -> None:
    storage = open_storage(place)
    for key in ("plans/a.jpg", "embeddings/b.jpg", "versions/c.jpg", "thumbnails/d.jpg"):
        storage.write(key, b"x")
    assert sorted(names(place)) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]


def test_source_that_is_or_is_inside_the_library_is_refused(tmp_path: Path) -> None:
    open_storage(tmp_path).write("photos/a.jpg", b"x")
    for source in (tmp_path, tmp_path / "photos"):
        with pytest.raises(SettingsError, match=r"outside the findimg library .*A library is never indexed"):
            names(str(source), library=str(tmp_path))


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["data"], ["data/1.jpg", "data/2024/2.jpg"]),
        (["data", "data"], ["data/1.jpg", "data/2024/2.jpg"]),
        (["data", "data/2024"], ["data/1.jpg", "data/2024/2.jpg"]),
        (["data/2024", "data"], ["data/1.jpg", "data/2024/2.jpg"]),
        (["link", "data"], ["data/1.jpg", "data/2024/2.jpg"]),
        (["data", "link/2024"], ["data/1.jpg", "data/2024/2.jpg"]),
        (["link"], ["link/1.jpg", "link/2024/2.jpg"]),
        (["data/2024", "other"], ["data/2024/2.jpg"]),
        (["other"], ["other/again/2.jpg"]),
    ],
)
def test_folder_with_several_paths_is_listed_once(tmp_path: Path, sources: list[str], expected: list[str]) -> None:
    storage = open_storage(tmp_path)
    storage.write("data/1.jpg", b"1")
    storage.write("data/2024/2.jpg", b"2")
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "data/alias").symlink_to("2024")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/soft.jpg").symlink_to("../data/2024/2.jpg")
    (tmp_path / "other/again").symlink_to("../data/2024")
    listing = list_sources([str(tmp_path / source) for source in sources], "/nowhere")
    assert [image.uri.removeprefix(f"{tmp_path}/") for image in listing.images] == expected
    assert listing.empty_sources == ()


def test_linked_image_outside_the_sources_is_listed(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    storage.write("elsewhere/a.jpg", b"x")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/b.jpg").symlink_to("../elsewhere/a.jpg")
    (tmp_path / "photos/broken.jpg").symlink_to("nowhere.jpg")
    listing = list_sources([str(tmp_path / "photos")], "/nowhere")
    assert [image.uri for image in listing.images] == [f"{tmp_path}/photos/b.jpg"]
    assert listing.skipped == {"link to nothing": 1}


def test_unreadable_folder_is_a_failure_and_the_rest_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(tmp_path)
    for key in ("a.jpg", "lost+found/b.jpg", "z/c.jpg"):
        storage.write(key, b"x")
    refuse(monkeypatch, "scandir", f"{tmp_path}/lost+found")
    listing = list_sources([str(tmp_path)], "/nowhere")
    assert [image.uri for image in listing.images] == [f"{tmp_path}/a.jpg", f"{tmp_path}/z/c.jpg"]
    assert listing.unreadable == (f"{tmp_path}/lost+found",)
    (failure,) = listing.failures
    assert (failure.uri, failure.transient) == (f"{tmp_path}/lost+found", True)
    assert failure.reason.startswith("The folder cannot be read: Permission denied.")


def test_folder_without_search_permission_is_one_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(tmp_path)
    for key in ("a.jpg", "private/b.jpg", "private/c.jpg"):
        storage.write(key, b"x")
    refuse(monkeypatch, "stat", f"{tmp_path}/private/b.jpg", f"{tmp_path}/private/c.jpg")
    listing = list_sources([str(tmp_path)], "/nowhere")
    assert [image.uri for image in listing.images] == [f"{tmp_path}/a.jpg"]
    assert [failure.uri for failure in listing.failures] == [f"{tmp_path}/private"]


def refuse(monkeypatch: pytest.MonkeyPatch, function: str, *paths: str) -> None:
    """Let a function of `os` fail for some paths, as for another user: the tests may run as root."""
    real = getattr(os, function)

    def refused(path: str = ".", *arguments: object, **options: object) -> object:
        if str(path) in paths:
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, function, refused)


def test_source_without_any_image_left_is_reported_as_empty(place: str) -> None:
    storage = open_storage(place)
    storage.write("full/a.jpg", b"x")
    storage.write("empty/notes.txt", b"x")
    listing = list_sources([f"{place}/full", f"{place}/empty"], "/nowhere")
    assert listing.empty_sources == (f"{place}/empty",)


def test_root_folder_with_an_image_is_not_empty(tmp_path: Path) -> None:
    open_storage(tmp_path).write("a.jpg", b"x")
    folders = [*reversed(tmp_path.parents), tmp_path]
    others = [pattern for above, folder in pairwise(folders) for pattern in (f"{above}/*", f"!{folder}")]
    rules = SkipRules(tuple(pattern.replace("//", "/") for pattern in others))
    listing = list_sources(["/"], "/nowhere", rules=rules)
    assert [image.uri for image in listing.images] == [f"{tmp_path}/a.jpg"]
    assert listing.empty_sources == ()


def test_missing_source_can_be_an_empty_one_or_a_failure(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    missing = str(tmp_path / "b.jpg")
    assert list_sources([str(tmp_path), missing], "/nowhere", on_missing="ignore").failures == []
    (failure,) = list_sources([str(tmp_path), missing], "/nowhere", on_missing="record").failures
    assert (failure.uri, failure.reason) == (missing, "The file or folder does not exist.")


def test_single_images_are_sources(place: str) -> None:
    storage = open_storage(place)
    for key in ("deep/a b.jpg", "deep/a b.jpg.png", "c.jpg"):
        storage.write(key, b"x")
    listing = list_sources([f"{place}/deep/a b.jpg"], "/nowhere")
    assert [image.uri for image in listing.images] == [f"{place}/deep/a b.jpg"]
    assert listing.roots == (f"{place}/deep",)


def test_file_uri_is_a_source(tmp_path: Path) -> None:
    open_storage(tmp_path).write("Team Photos/a.jpg", b"x")
    assert names(f"file://{tmp_path}/Team%20Photos") == ["a.jpg"]


def test_image_without_an_extension_is_recognised_by_its_content(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "scan", "PNG")
    (tmp_path / "README").write_text("notes")
    (tmp_path / "empty").touch()
    listing = list_sources([str(tmp_path)], "/nowhere")
    assert [image.uri for image in listing.images] == [f"{tmp_path}/scan"]
    assert listing.skipped == {"not an image: no extension": 2}
