import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from findimg.errors import ObjectMissingError, SettingsError, StorageError
from findimg.storage.base import open_storage, read_uri, register_scheme
from findimg.storage.folder import FolderStorage

# Names with characters that are special in a URL, a shell or a pattern.
AWKWARD = ["a b.jpg", "ä/ß é.jpg", "1+1=2.jpg", "100%.jpg", "a%20b.jpg", "q?x#y&z.jpg", "日本/猫.jpg", "[x]*'$.jpg"]


def keys(place: str, prefix: str = "") -> list[str]:
    return sorted(entry.key for entry in open_storage(place).list(prefix))


def test_object_is_written_replaced_and_deleted(place: str) -> None:
    opened = open_storage(place)
    opened.write("a/b", b"one")
    opened.write("a/b", b"two")
    assert opened.read("a/b") == b"two"
    opened.delete("a/b")
    opened.delete("a/b")
    assert keys(place) == []


def test_reading_stops_at_the_limit(place: str) -> None:
    opened = open_storage(place)
    opened.write("x", b"0123456789")
    assert [opened.read("x", limit) for limit in (0, 4, 10, 99, None)] == [
        b"",
        b"0123",
        b"0123456789",
        b"0123456789",
        b"0123456789",
    ]


def test_large_file_is_uploaded_and_fetched_unchanged(place: str, tmp_path: Path) -> None:
    big = os.urandom(20_000_000)  # beyond S3's multipart threshold
    (tmp_path / "up").write_bytes(big)
    open_storage(place).upload(tmp_path / "up", "deep/down/big")
    open_storage(place).fetch("deep/down/big", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == big


def test_missing_object_is_an_error_that_names_it(place: str, tmp_path: Path) -> None:
    opened = open_storage(place)
    opened.write("there/x", b"")
    for missing in ("x", "there/y", "there"):
        assert not opened.exists(missing)
    assert opened.exists("there/x")
    for ask in (lambda: opened.read("x"), lambda: opened.fetch("x", tmp_path / "x"), lambda: read_uri(opened.uri("x"))):
        with pytest.raises(ObjectMissingError, match=r"place/x does not exist\. Check"):
            ask()
    assert not (tmp_path / "x").exists()


def test_listing_has_key_address_size_and_a_version_that_changes_with_the_bytes(place: str) -> None:
    opened = open_storage(place)
    opened.write("sub/x", b"123")
    (before,) = opened.list()
    assert (before.key, before.uri, before.size) == ("sub/x", f"{place}/sub/x", 3)
    assert list(opened.list()) == [before]
    opened.write("sub/x", b"1234")
    (after,) = opened.list()
    assert after.etag != before.etag


def test_listing_prefix_matches_whole_folder_names(place: str) -> None:
    opened = open_storage(place)
    for key in ("in/a", "in/deep/b", "inside/c", "in.txt"):
        opened.write(key, b"")
    assert keys(place, "in") == ["in/a", "in/deep/b"]
    assert keys(place, "nowhere") == []
    assert keys(f"{place}/in") == ["a", "deep/b"]
    assert keys(f"{place}/nowhere") == []


def test_names_with_special_characters_are_listed_and_read(place: str) -> None:
    opened = open_storage(place)
    for name in AWKWARD:
        opened.write(name, name.encode())
    assert keys(place) == sorted(AWKWARD)
    for entry in opened.list():
        assert opened.read(entry.key) == read_uri(entry.uri) == entry.key.encode()


def test_exactly_one_of_many_simultaneous_creates_succeeds(place: str) -> None:
    opened = open_storage(place)
    start = threading.Barrier(16)

    def create(number: int) -> bool:
        start.wait()
        return opened.create("LOCK", str(number).encode())

    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(create, range(16)))
    assert created.count(True) == 1
    assert opened.read("LOCK") == str(created.index(True)).encode()
    assert keys(place) == ["LOCK"]
    opened.delete("LOCK")
    assert opened.create("LOCK", b"again")


def test_exactly_one_of_many_simultaneous_swaps_succeeds(place: str) -> None:
    opened = open_storage(place)
    opened.write("LOCK", b"old")
    start = threading.Barrier(8)

    def swap(number: int) -> bool:
        start.wait()
        return opened.swap("LOCK", b"old", str(number).encode())

    with ThreadPoolExecutor(8) as pool:
        swapped = list(pool.map(swap, range(8)))
    assert swapped.count(True) == 1
    assert opened.read("LOCK") == str(swapped.index(True)).encode()
    assert keys(place) == ["LOCK"]


def test_swap_fails_for_a_missing_object_or_other_bytes(place: str) -> None:
    opened = open_storage(place)
    assert not opened.swap("x", b"old", b"new")
    assert not opened.exists("x")
    opened.write("x", b"other")
    assert not opened.swap("x", b"old", b"new")
    assert opened.read("x") == b"other"


def test_reading_an_object_changed_since_its_listing_is_an_error(place: str) -> None:
    opened = open_storage(place)
    opened.write("x", b"old")
    (before,) = opened.list()
    assert read_uri(before.uri, 10, before.etag) == b"old"
    opened.write("x", b"newer")
    with pytest.raises(StorageError, match=r"/x has changed since it was listed\. Run again\."):
        read_uri(before.uri, 10, before.etag)


def test_clear_deletes_the_folder_and_nothing_beside_it(place: str) -> None:
    opened = open_storage(place)
    for key in ("a/x", "a/deep/y", "ab/z"):
        opened.write(key, b"")
    opened.clear("a")
    opened.clear("nowhere")
    assert keys(place) == ["ab/z"]
    if path := opened.local_path("a"):
        assert not path.exists()


def test_reader_gets_old_or_new_bytes_during_rewrites(place: str) -> None:
    opened = open_storage(place)
    versions = [bytes([letter]) * 300_000 for letter in b"ab"]
    opened.write("CURRENT", versions[0])

    def rewrite() -> None:
        for number in range(40):
            opened.write("CURRENT", versions[number % 2])

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(rewrite)
        while not writing.done():
            assert opened.read("CURRENT") in versions
            assert keys(place) == ["CURRENT"]
        writing.result()


def test_failed_upload_keeps_the_old_object(place: str, tmp_path: Path) -> None:
    opened = open_storage(place)
    opened.write("x", b"old")
    with pytest.raises(StorageError):
        opened.upload(tmp_path / "missing", "x")
    assert opened.read("x") == b"old"
    assert keys(place) == ["x"]


def test_invalid_addresses_are_refused_with_the_valid_form() -> None:
    for wrong in ("", "https://host/x", "s3://", "s3:///x", "s3:/bucket", "S3://bucket", "file:///x"):
        with pytest.raises(SettingsError, match=r"neither a folder nor .* Write a path or s3://bucket/prefix"):
            open_storage(wrong)
    with pytest.raises(SettingsError, match=r"'https://host/x\.jpg' is neither"):
        read_uri("https://host/x.jpg")


def test_equivalent_addresses_open_the_same_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/x").write_bytes(b"1")
    for text in ("~/photos", "photos", "./photos/", f"{tmp_path}/a/../photos"):
        assert open_storage(text).root == str(tmp_path / "photos")
    assert read_uri("photos/x") == read_uri("~/photos/x") == b"1"
    assert [open_storage(text).root for text in ("s3://b", "s3://b/", "s3://b/p", "s3://b/p/")] == [
        "s3://b",
        "s3://b",
        "s3://b/p",
        "s3://b/p",
    ]
    assert open_storage("s3://b//p").root == "s3://b//p", "a key may begin with a slash"


def test_registered_scheme_is_opened_and_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    register_scheme("mounted", lambda rest: FolderStorage(f"/{rest}"), lambda rest: (FolderStorage("/"), rest))
    assert keys(f"mounted://{tmp_path}".replace(":///", "://")) == ["x"]
    assert read_uri(f"mounted:/{tmp_path}/x") == b"1"
