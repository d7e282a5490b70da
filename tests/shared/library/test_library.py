import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from findimg.errors import LibraryError, StorageError
from findimg.library.library import Library, Version
from findimg.library.manifest import FileEntry, IndexEntry, Manifest, SegmentEntry
from findimg.storage.base import open_storage

FILES = {"catalog.sqlite": b"rows", "visual-000.ann": bytes(range(256)) * 40}
NAME = "20261123T101500Z-0a1b2c3d"
SEGMENT = "5e6"
FOLDER = f"segments/{SEGMENT}"


def manifest_of(files: Mapping[str, bytes], version: str = NAME) -> Manifest:
    """Return a version of one segment with these files."""
    segment = SegmentEntry(
        name=SEGMENT,
        images=1,
        visual=IndexEntry(dim=3, counts=[1], search_k=500, recall=1.0),
        joint=None,
        files={
            name: FileEntry(size=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in files.items()
        },
        build_files={},
    )
    return Manifest(
        version=version,
        created="2026-11-23T10:15:00+00:00",
        run="r",
        inputs="i",
        recipe="r",
        backbone="efficientnet-lite0",
        fingerprint="f",
        words="glove.6B.50d",
        head="conse",
        dim=3,
        visual_dim="full",
        coherence=[],
        measured_images=1,
        noise_floor=0.0,
        sources=["/photos"],
        images=1,
        failed=0,
        segments=[segment],
        files={},
    )


def publish(place: str, version: str = NAME, changes: Mapping[str, object] | None = None) -> Manifest:
    """Make a version the live one. `changes` replace values of its manifest, even by invalid ones."""
    storage = open_storage(place)
    manifest = manifest_of(FILES, version)
    content = json.loads(manifest.model_dump_json(by_alias=True)) | dict(changes or {})
    for name, data in FILES.items():
        storage.write(f"{FOLDER}/{name}", data)
    storage.write(f"versions/{version}/manifest.json", json.dumps(content).encode())
    storage.write("CURRENT", f"{version}\n".encode())
    return manifest


def folder_of(version: Version) -> Path:
    """Return the folder of the version's only segment."""
    return version.folder(version.manifest.segments[0])


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_live_version_is_opened_from_local_files(place: str, tmp_path: Path) -> None:
    published = publish(place)
    version = Library(place, tmp_path / "cache").open()
    assert version.manifest == published
    assert {name: (folder_of(version) / name).read_bytes() for name in FILES} == FILES
    assert version.root.is_absolute()


def test_earlier_version_is_opened_by_name(place: str, tmp_path: Path) -> None:
    publish(place, "20250101T000000Z-old")
    publish(place)
    library = Library(place, tmp_path / "cache")
    assert library.open("20250101T000000Z-old").manifest.version == "20250101T000000Z-old"
    assert library.find_live_version() == NAME


def test_complete_versions_are_listed_oldest_first(place: str, tmp_path: Path) -> None:
    for name in ("20260101T000000Z-b", "20250101T000000Z-c", "20260101T000000Z-a"):
        publish(place, name)
    storage = open_storage(place)
    storage.write("versions/20270101T000000Z-x/catalog.sqlite", b"no manifest yet")
    storage.write("versions/20270101T000000Z-y/deeper/manifest.json", b"{}")
    storage.write("versions/..%2F..%2Fetc/manifest.json", b"{}")
    storage.write("versions/manifest.json", b"{}")
    names = Library(place, tmp_path).versions()
    assert names == ["20250101T000000Z-c", "20260101T000000Z-a", "20260101T000000Z-b"]


def test_error_for_a_missing_library_names_its_place(place: str, tmp_path: Path) -> None:
    library = Library(place, tmp_path)
    assert library.find_live_version() is None
    assert library.versions() == []
    with pytest.raises(LibraryError, match=r"Nothing is published in .*place\. Run findimg-jobs index first\."):
        library.open()
    with pytest.raises(LibraryError, match=r"place has no version 'x'\. `findimg-jobs versions` lists them\."):
        library.open("x")
    with pytest.raises(LibraryError, match=r"No library is named\. Give --library or set FINDIMG_LIBRARY\."):
        Library("", tmp_path)


def test_library_name_that_is_not_utf8_has_a_cache(tmp_path: Path) -> None:
    assert Library(f"{tmp_path}/\udcff", tmp_path).find_live_version() is None


@pytest.mark.parametrize(
    "name", ["../../etc", "/etc", ".", "..", "", "\n", "a/b", "a.b", "\0", "x" * 150, "é", "x" * 10**6]
)
def test_path_in_current_is_refused(place: str, tmp_path: Path, name: str) -> None:
    open_storage(place).write("CURRENT", name.encode())
    with pytest.raises(LibraryError, match=r"CURRENT names no version\. Write the name of a folder in .*Received: '"):
        Library(place, tmp_path).open()


@pytest.mark.parametrize("name", ["../versions/x", "..", "/etc", "a/../b"])
def test_version_name_that_is_a_path_does_not_exist(place: str, tmp_path: Path, name: str) -> None:
    publish(place, "x")
    with pytest.raises(LibraryError, match="has no version"):
        Library(place, tmp_path).open(name)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema": 3, "something": "new"}, r"knows schema 2 \(schema: Input should be 1 or 2\)\. Update findimg"),
        ({"something": "new"}, r"\(something: Extra inputs"),
        ({"images": 0}, r"\(images: "),
        ({"files": None}, r"\(files: "),
        ({"segments": []}, r"\(segments: "),
        ({"segments": [{"name": "../../x"}]}, r"is not a name of a segment"),
        ({"files": {"a": {"size": 1, "sha256": "../" * 20 + "abcd"}}}, r"String should match pattern"),
        ({"version": "../../x"}, r"is the manifest of '\.\./\.\./x'\. Publish again"),
        *(
            ({"files": {name: {"size": 1, "sha256": ""}}}, r"is not a file name inside a version")
            for name in ("/etc/passwd", "../CURRENT", "a/../../b", "", ".", "a/", "a//b", "./a", "a\0")
        ),
    ],
)
def test_invalid_manifest_is_refused_with_a_sentence(
    place: str, tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    publish(place, changes=changes)
    with pytest.raises(LibraryError, match=rf"versions/{NAME}/manifest\.json .*{problem}"):
        Library(place, tmp_path / "cache").open()
    assert not (tmp_path / "cache").exists()


def test_manifest_that_is_not_json_is_refused(place: str, tmp_path: Path) -> None:
    publish(place)
    open_storage(place).write(f"versions/{NAME}/manifest.json", b"\xff{")
    with pytest.raises(LibraryError, match=r"knows schema 2 \(Invalid JSON: .*\)\. Update findimg"):
        Library(place, tmp_path).open()


@pytest.mark.parametrize("data", [None, b"row"])
def test_missing_or_short_file_is_named(place: str, tmp_path: Path, data: bytes | None) -> None:
    publish(place)
    storage = open_storage(place)
    storage.delete(f"{FOLDER}/catalog.sqlite")
    if data:
        storage.write(f"{FOLDER}/catalog.sqlite", data)
    with pytest.raises(LibraryError, match=r"catalog\.sqlite is (missing|damaged).*\. Go back with .*rollback"):
        Library(place, tmp_path / "cache").open()


def test_damaged_object_is_not_stored_in_the_cache(s3: str, tmp_path: Path) -> None:
    publish(s3)
    storage = open_storage(s3)
    storage.write(f"{FOLDER}/catalog.sqlite", b"swor")  # of the same size
    with pytest.raises(LibraryError, match=r"catalog\.sqlite is damaged\. Go back"):
        Library(s3, tmp_path).open()
    assert files_in(tmp_path) == []
    storage.write(f"{FOLDER}/catalog.sqlite", FILES["catalog.sqlite"])
    Library(s3, tmp_path).open()
    assert files_in(tmp_path) == sorted(FILES)


def test_version_is_downloaded_once_and_missing_files_again(s3: str, tmp_path: Path) -> None:
    publish(s3)
    folder = folder_of(Library(s3, tmp_path).open())
    first = (folder / "visual-000.ann").stat()
    (folder / "catalog.sqlite").write_bytes(b"r")  # as a full disk would leave it
    assert folder_of(Library(s3, tmp_path).open()) == folder
    assert (folder / "catalog.sqlite").read_bytes() == FILES["catalog.sqlite"]
    assert (folder / "visual-000.ann").stat() == first


def test_unwritable_cache_is_named(s3: str, tmp_path: Path) -> None:
    publish(s3)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"The cache .*/file/libraries/.* cannot be written: .* with --cache\."):
        Library(s3, tmp_path / "file").open()


def test_two_libraries_in_one_cache_are_separate(s3: str, tmp_path: Path) -> None:
    publish(f"{s3}/one")
    publish(f"{s3}/two")
    assert Library(f"{s3}/one", tmp_path).open().root != Library(f"{s3}/two", tmp_path).open().root


def test_many_threads_can_open_a_version_at_once(place: str, tmp_path: Path) -> None:
    publish(place)

    def read(_: int) -> dict[str, bytes]:
        folder = folder_of(Library(place, tmp_path / "cache").open())
        return {name: (folder / name).read_bytes() for name in FILES}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(16))) == [FILES] * 16
    assert [name for name in files_in(tmp_path) if name.startswith(".draft-")] == []


def test_check_finds_missing_and_changed_files(place: str, tmp_path: Path) -> None:
    manifest = publish(place)
    library = Library(place, tmp_path)
    assert list(library.check(manifest.all_files())) == []
    library.storage.write(f"{FOLDER}/catalog.sqlite", b"swor")
    library.storage.delete(f"{FOLDER}/visual-000.ann")
    changed, missing = library.check(manifest.all_files())
    assert f"{library.uri}/{FOLDER}/catalog.sqlite has SHA-256 " in changed
    assert missing == f"{library.uri}/{FOLDER}/visual-000.ann is missing."


def test_check_names_unreadable_files(tmp_path: Path) -> None:
    manifest = publish(str(tmp_path))
    path = tmp_path / FOLDER / "catalog.sqlite"
    path.unlink()
    path.mkdir()
    (problem,) = Library(str(tmp_path), tmp_path).check(manifest.all_files())
    assert problem == f"{path} cannot be read: Is a directory."
