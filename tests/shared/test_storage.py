import os
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse

from findimg.errors import ObjectMissingError, SettingsError, StorageError
from findimg.storage import base as storage
from findimg.storage.base import FolderStorage, S3Storage, open_storage, read_uri

# Names that a URL, a shell or a pattern would take apart.
AWKWARD = ["a b.jpg", "ä/ß é.jpg", "1+1=2.jpg", "100%.jpg", "a%20b.jpg", "q?x#y&z.jpg", "日本/猫.jpg", "[x]*'$.jpg"]


def keys(place: str, prefix: str = "") -> list[str]:
    return sorted(entry.key for entry in open_storage(place).list(prefix))


def test_what_is_written_is_read_back_and_replaced_and_deleted(place: str) -> None:
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


def test_files_of_any_size_go_up_and_come_down_whole(place: str, tmp_path: Path) -> None:
    big = os.urandom(20_000_000)  # beyond S3's multipart threshold
    (tmp_path / "up").write_bytes(big)
    open_storage(place).upload(tmp_path / "up", "deep/down/big")
    open_storage(place).fetch("deep/down/big", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == big


def test_a_missing_object_is_said_to_be_missing(place: str, tmp_path: Path) -> None:
    opened = open_storage(place)
    opened.write("there/x", b"")
    for missing in ("x", "there/y", "there"):
        assert not opened.exists(missing)
    assert opened.exists("there/x")
    for ask in (lambda: opened.read("x"), lambda: opened.fetch("x", tmp_path / "x"), lambda: read_uri(opened.uri("x"))):
        with pytest.raises(ObjectMissingError, match=r"place/x does not exist; check"):
            ask()
    assert not (tmp_path / "x").exists()


def test_a_listing_names_key_address_size_and_a_version_that_changes_with_the_bytes(place: str) -> None:
    opened = open_storage(place)
    opened.write("sub/x", b"123")
    (before,) = opened.list()
    assert (before.key, before.uri, before.size) == ("sub/x", f"{place}/sub/x", 3)
    assert list(opened.list()) == [before]
    opened.write("sub/x", b"1234")
    (after,) = opened.list()
    assert after.version != before.version


def test_a_listing_below_a_prefix_takes_whole_folder_names(place: str) -> None:
    opened = open_storage(place)
    for key in ("in/a", "in/deep/b", "inside/c", "in.txt"):
        opened.write(key, b"")
    assert keys(place, "in") == ["in/a", "in/deep/b"]
    assert keys(place, "nowhere") == []
    assert keys(f"{place}/in") == ["a", "deep/b"]
    assert keys(f"{place}/nowhere") == []


def test_awkward_names_are_listed_and_read_under_the_addresses_given(place: str) -> None:
    opened = open_storage(place)
    for name in AWKWARD:
        opened.write(name, name.encode())
    assert keys(place) == sorted(AWKWARD)
    for entry in opened.list():
        assert opened.read(entry.key) == read_uri(entry.uri) == entry.key.encode()


def test_of_many_creators_at_once_exactly_one_succeeds(place: str) -> None:
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


def test_of_many_who_swap_at_once_exactly_one_succeeds(place: str) -> None:
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


def test_what_is_gone_or_holds_something_else_is_not_swapped(place: str) -> None:
    opened = open_storage(place)
    assert not opened.swap("x", b"old", b"new")
    assert not opened.exists("x")
    opened.write("x", b"other")
    assert not opened.swap("x", b"old", b"new")
    assert opened.read("x") == b"other"


def test_an_object_that_changed_since_it_was_listed_is_not_taken_for_what_it_was(place: str) -> None:
    opened = open_storage(place)
    opened.write("x", b"old")
    (before,) = opened.list()
    assert read_uri(before.uri, 10, before.version) == b"old"
    opened.write("x", b"newer")
    with pytest.raises(StorageError, match=r"/x has changed since it was listed; run again\."):
        read_uri(before.uri, 10, before.version)


def test_a_cleared_folder_is_gone_with_everything_below_and_nothing_beside(place: str) -> None:
    opened = open_storage(place)
    for key in ("a/x", "a/deep/y", "ab/z"):
        opened.write(key, b"")
    opened.clear("a")
    opened.clear("nowhere")
    assert keys(place) == ["ab/z"]
    if isinstance(opened, FolderStorage):
        assert not opened.path("a").exists()


def test_what_interrupted_writers_left_is_swept_once_it_is_old(tmp_path: Path) -> None:
    opened = FolderStorage(str(tmp_path))
    opened.write("a/x", b"")
    for name in (".draft-0123456789abcdef", "a/.draft-fedcba9876543210", ".draft-mine"):
        (tmp_path / name).write_bytes(b"half")
    assert opened.sweep(60) == 0
    assert opened.sweep(0) == 2
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [".draft-mine", "x"]


def test_unfinished_uploads_are_swept_below_the_prefix_alone(s3: str) -> None:
    bucket = s3.removeprefix("s3://")
    client = storage._client()
    for key in ("lib/x", "library/x"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    assert S3Storage(bucket, "lib").sweep(1e9) == 0  # moto says of all that they began in 2010
    assert S3Storage(bucket, "lib").sweep(60) == 1
    assert [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["library/x"]


def test_a_reader_sees_the_old_bytes_or_the_new_never_a_part(place: str) -> None:
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


def test_an_upload_that_fails_leaves_what_was_there(place: str, tmp_path: Path) -> None:
    opened = open_storage(place)
    opened.write("x", b"old")
    with pytest.raises(StorageError):
        opened.upload(tmp_path / "missing", "x")
    assert opened.read("x") == b"old"
    assert keys(place) == ["x"]


def test_a_disk_that_fills_up_leaves_the_old_object_and_no_draft(tmp_path: Path) -> None:
    opened = FolderStorage(str(tmp_path))
    opened.write("x", b"old")
    (tmp_path / "source").write_bytes(bytes(100_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for fill in (
        lambda: opened.write("x", bytes(100_000)),
        lambda: opened.upload(tmp_path / "source", "x"),
        lambda: opened.create("y", bytes(100_000)),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        try:
            with pytest.raises(StorageError, match=r"/[xy] cannot be written: File too large\. Check"):
                fill()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert opened.read("x") == b"old"
    assert sorted(os.listdir(tmp_path)) == ["source", "x"]


def test_what_an_interrupted_writer_left_is_no_object(tmp_path: Path) -> None:
    (tmp_path / ".draft-0123").write_bytes(b"half")
    (tmp_path / ".hidden").write_bytes(b"whole")
    assert keys(str(tmp_path)) == [".hidden"]


def test_written_files_have_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FolderStorage(str(tmp_path)).write("x", b"")
        assert FolderStorage(str(tmp_path)).create("y", b"")
    finally:
        os.umask(before)
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in "xy"] == ["0o640", "0o640"]


def test_link_loops_end_and_linked_folders_are_listed_once(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/far").write_bytes(b"")
    top = tmp_path / "top"
    (top / "b").mkdir(parents=True)
    (top / "b/x").write_bytes(b"")
    (top / "a").symlink_to(top / "b")  # before b in the alphabet, and yet b/x is the address
    (top / "b/up").symlink_to(top)
    (top / "out").symlink_to(tmp_path / "outside")
    (top / "file").symlink_to(top / "b/x")
    assert keys(str(top)) == ["b/x", "file", "out/far"]


def test_links_to_nowhere_and_what_is_no_file_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "below a file").symlink_to("x/y")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "long").symlink_to("n" * 300)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert keys(str(tmp_path)) == ["x"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    opened = open_storage(tmp_path / "file")
    for attempt, done in {
        (lambda: list(opened.list())): "listed",
        (lambda: opened.read("x")): "read",
        (lambda: opened.write("x", b"")): "written",
        (lambda: opened.create("x", b"")): "written",
        (lambda: opened.delete("x")): "deleted",
    }.items():
        with pytest.raises(StorageError, match=rf"{tmp_path}/file(/x)? cannot be {done}: \w+.*\. Check the path"):
            attempt()
    assert not opened.exists("x")


def test_a_folder_that_may_not_be_read_is_an_error_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/x").write_bytes(b"")
    (tmp_path / "closed").chmod(0)
    if os.access(tmp_path / "closed", os.R_OK):  # root may read everything: the system call has to be refused by hand
        scandir = os.scandir

        def refuse(path: str) -> Iterator[os.DirEntry[str]]:
            if path.endswith("closed"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match=r"closed cannot be listed: Permission denied\. Check"):
        keys(str(tmp_path))


def test_addresses_that_name_no_storage_are_refused_with_the_right_form() -> None:
    for wrong in ("", "https://host/x", "s3://", "s3:///x", "s3:/bucket", "S3://bucket", "file:///x"):
        with pytest.raises(SettingsError, match=r"neither a folder nor .* write a path or s3://bucket/prefix"):
            open_storage(wrong)
    with pytest.raises(SettingsError, match="'https://host' is neither"):
        read_uri("https://host/x.jpg")


def test_an_address_is_the_same_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/x").write_bytes(b"1")
    for text in ("~/photos", "photos", "./photos/", f"{tmp_path}/a/../photos"):
        assert open_storage(text).root == str(tmp_path / "photos")
    assert read_uri("photos/x") == read_uri("~/photos/x") == b"1"
    assert [open_storage(text).root for text in ("s3://b", "s3://b/", "s3://b/p/", "s3://b//p")] == [
        "s3://b",
        "s3://b",
        "s3://b/p",
        "s3://b/p",
    ]


def test_listings_of_more_than_one_page_are_complete(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # Amazon's pages have 1,000
    opened = open_storage(s3)
    names = [f"many/{number:02}" for number in range(25)]
    for name in names:
        opened.write(name, b"")
    assert keys(s3, "many") == names


def test_folder_markers_in_s3_are_no_objects(s3: str) -> None:
    open_storage(s3).write("photos/", b"")
    open_storage(s3).write("photos//odd", b"1")
    (entry,) = open_storage(s3).list()
    assert (entry.key, read_uri(entry.uri)) == ("photos//odd", b"1")


@pytest.mark.usefixtures("s3")
def test_a_missing_bucket_is_said_to_be_missing(tmp_path: Path) -> None:
    opened = open_storage("s3://no-such-bucket/lib")
    (tmp_path / "x").write_bytes(b"")
    for attempt in (
        lambda: list(opened.list()),
        lambda: opened.read("x"),
        lambda: opened.write("x", b""),
        lambda: opened.upload(tmp_path / "x", "x"),
        lambda: opened.create("x", b""),
        lambda: opened.delete("x"),
    ):
        with pytest.raises(StorageError, match=r"no-such-bucket/lib.* no such bucket; create it") as caught:
            attempt()
        assert not isinstance(caught.value, ObjectMissingError)


@pytest.mark.usefixtures("s3")
def test_what_cannot_be_an_address_in_s3_is_said_in_one_line() -> None:
    for wrong in ("s3://Not A Bucket/x", "s3://bucket"):
        with pytest.raises(StorageError, match=r"^s3://.* is no address of an object in S3; write s3://bucket/key\.$"):
            read_uri(wrong)


def test_a_busy_bucket_is_asked_again_until_it_answers(s3: str) -> None:
    opened = open_storage(s3)
    opened.write("x", b"1")
    with busy(times=2) as asked:
        assert opened.read("x") == b"1"
    assert len(asked) == 3
    with busy(times=2):
        opened.write("x", b"2")
    assert opened.read("x") == b"2"


def test_a_bucket_that_stays_busy_is_an_error_that_says_to_try_later(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waits.append)
    with (
        busy(times=99) as asked,
        pytest.raises(StorageError, match=r"/x cannot be reached: S3 answered SlowDown\. Try again later\.$"),
    ):
        open_storage(s3).read("x")
    assert len(asked) == 8
    assert sum(waits) <= 75


def test_a_body_cut_short_is_an_error_not_a_short_object(monkeypatch: pytest.MonkeyPatch, s3: str) -> None:
    class Cut(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Cut)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(StorageError, match=r"/x cannot be reached: .*Check credentials"):
            open_storage(s3).read("x")
        with pytest.raises(StorageError, match=r"/x broke off after 9 of 500 bytes; try again"):
            open_storage(s3).read("x", 500)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.usefixtures("s3")
def test_without_a_server_the_error_comes_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(StorageError, match=r"s3://b/x cannot be reached: Could not connect .*endpoint\.$"):
        read_uri("s3://b/x")
    assert time.monotonic() - start < 20


@pytest.mark.usefixtures("s3")
def test_an_endpoint_that_is_no_address_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost")
    with pytest.raises(StorageError, match=r"localhost.* AWS_ENDPOINT_URL_S3 must begin with http"):
        read_uri("s3://b/x")


def test_the_first_use_may_come_from_many_threads_at_once(s3: str) -> None:
    S3Storage(s3.removeprefix("s3://"), "").write("x", b"1")
    storage._client.cache_clear()
    start = threading.Barrier(16)

    def read(_: int) -> bytes:
        start.wait()
        return read_uri(f"{s3}/x")

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(read, range(16))) == [b"1"] * 16
    assert storage._client.cache_info().misses == 1


@contextmanager
def busy(times: int) -> Iterator[list[str]]:
    """The first `times` requests are answered as a throttled bucket would; yields the URLs asked for."""
    asked: list[str] = []

    class Body:
        def stream(self, **_: object) -> Iterator[bytes]:
            yield b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

    def throttle(request: AWSRequest, **_: object) -> AWSResponse | None:
        asked.append(request.url)
        return AWSResponse(request.url, 503, {}, Body()) if len(asked) <= times else None

    events = storage._client().meta.events
    events.register("before-send.s3", throttle)
    yield asked
    events.unregister("before-send.s3", throttle)
