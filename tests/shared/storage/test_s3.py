import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse

from findimg.errors import ObjectMissingError, StorageError
from findimg.storage import s3 as s3_storage
from findimg.storage.base import open_storage, read_uri
from findimg.storage.s3 import S3Storage


def keys(place: str, prefix: str = "") -> list[str]:
    return sorted(entry.key for entry in open_storage(place).list(prefix))


def test_sweep_aborts_unfinished_uploads_below_the_prefix_only(s3: str) -> None:
    bucket = s3.removeprefix("s3://")
    client = s3_storage.shared_client()
    for key in ("lib/x", "library/x"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    assert S3Storage(bucket, "lib").sweep(1e9) == 0  # moto reports 2010 as the start of every upload
    assert S3Storage(bucket, "lib").sweep(60) == 1
    assert [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket)["Uploads"]] == ["library/x"]


def test_listing_of_several_pages_is_complete(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # Amazon's pages have 1,000
    opened = open_storage(s3)
    names = [f"many/{number:02}" for number in range(25)]
    for name in names:
        opened.write(name, b"")
    assert keys(s3, "many") == names


def test_folder_markers_are_not_listed(s3: str) -> None:
    open_storage(s3).write("photos/", b"")
    open_storage(s3).write("photos//odd", b"1")
    (entry,) = open_storage(s3).list()
    assert (entry.key, read_uri(entry.uri)) == ("photos//odd", b"1")


@pytest.mark.usefixtures("s3")
def test_missing_bucket_is_an_error_that_names_it(tmp_path: Path) -> None:
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
        with pytest.raises(StorageError, match=r"no-such-bucket/lib.* no such bucket\. Create it") as caught:
            attempt()
        assert not isinstance(caught.value, ObjectMissingError)


@pytest.mark.usefixtures("s3")
def test_invalid_s3_address_gives_a_one_line_error() -> None:
    for wrong in ("s3://Not A Bucket/x", "s3://bucket"):
        with pytest.raises(StorageError, match=r"^s3://.* is not a valid S3 address\. Write s3://bucket/key\.$"):
            read_uri(wrong)


def test_requests_to_a_busy_bucket_are_retried(s3: str) -> None:
    opened = open_storage(s3)
    opened.write("x", b"1")
    with busy(times=2) as asked:
        assert opened.read("x") == b"1"
    assert len(asked) == 3
    with busy(times=2):
        opened.write("x", b"2")
    assert opened.read("x") == b"2"


def test_bucket_that_stays_busy_is_an_error_after_eight_attempts(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time.sleep", waits.append)
    with (
        busy(times=99) as asked,
        pytest.raises(StorageError, match=r"/x cannot be reached: S3 answered SlowDown\. Try again later\.$"),
    ):
        open_storage(s3).read("x")
    assert len(asked) == 8
    assert sum(waits) <= 75


def test_interrupted_download_is_an_error_not_a_short_object(monkeypatch: pytest.MonkeyPatch, s3: str) -> None:
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
        with pytest.raises(StorageError, match=r"/x was interrupted\. Try again"):
            open_storage(s3).read("x", 500)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.usefixtures("s3")
def test_unreachable_server_is_reported_within_twenty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(StorageError, match=r"s3://b/x cannot be reached: Could not connect .*endpoint\.$"):
        read_uri("s3://b/x")
    assert time.monotonic() - start < 20


@pytest.mark.usefixtures("s3")
def test_invalid_endpoint_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost")
    with pytest.raises(StorageError, match=r"localhost.* AWS_ENDPOINT_URL_S3 must begin with http"):
        read_uri("s3://b/x")


def test_many_threads_can_create_the_client_at_the_same_time(s3: str) -> None:
    S3Storage(s3.removeprefix("s3://"), "").write("x", b"1")
    s3_storage.reset_client()
    start = threading.Barrier(16)

    def read(_: int) -> bytes:
        start.wait()
        return read_uri(f"{s3}/x")

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(read, range(16))) == [b"1"] * 16
    assert s3_storage._client.cache_info().misses == 1


@contextmanager
def busy(times: int) -> Iterator[list[str]]:
    """Answer the first `times` requests like a throttled bucket, and yield the list of requested URLs."""
    asked: list[str] = []

    class Body:
        def stream(self, **_: object) -> Iterator[bytes]:
            yield b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

    def throttle(request: AWSRequest, **_: object) -> AWSResponse | None:
        asked.append(request.url)
        return AWSResponse(request.url, 503, {}, Body()) if len(asked) <= times else None

    events = s3_storage.shared_client().meta.events
    events.register("before-send.s3", throttle)
    yield asked
    events.unregister("before-send.s3", throttle)
