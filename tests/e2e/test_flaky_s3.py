"""Test an S3 that responds with 503 SlowDown and breaks connections."""

import http.client
import http.server
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.storage.s3 import reset_client
from findimg_jobs.indexing.run import index

pytestmark = pytest.mark.long


class Flaky(http.server.BaseHTTPRequestHandler):
    """A proxy of the real local S3 server that spoils some responses."""

    protocol_version = "HTTP/1.1"
    upstream: str
    slow_down = 0.0  # the share of requests answered with 503
    break_off = 0.0  # the share of long bodies that end in the middle
    chance = random.Random(3)
    spoilt = 0
    streaks: Counter[str]  # how often a request was spoilt since it last went well
    most = 3  # so often at the most, so that chance alone never ends a run

    def spoils(self, share: float) -> bool:
        """Return whether to spoil this request, and count it."""
        request = f"{self.command} {self.path}"
        if self.streaks[request] < self.most and self.chance.random() < share:
            self.streaks[request] += 1
            type(self).spoilt += 1
            return True
        return False

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.spoils(self.slow_down):
            self.answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your rate.</Message></Error>")
            return
        # A connection of its own for each request: threads share nothing that way.
        connection = http.client.HTTPConnection(self.upstream)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        headers = {
            name: value for name, value in answer.getheaders() if name.lower() not in ("connection", "date", "server")
        }
        half = None
        if self.command == "GET" and len(data) > 1000 and self.spoils(self.break_off):
            half = len(data) // 2
        else:
            self.streaks.pop(f"{self.command} {self.path}", None)
        self.answer(answer.status, headers, data, half)

    def answer(self, status: int, headers: dict[str, str], data: bytes, sent: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in headers):
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:sent])
        self.close_connection = sent is not None

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def flaky_s3(s3: str, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, type[Flaky]]]:
    """Yield a bucket behind a server that spoils responses, and the server's class with its counts."""
    handler = type("Handler", (Flaky,), {"upstream": urlsplit(s3_server).netloc, "streaks": Counter()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    reset_client()
    yield s3, handler
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("slow_down", "break_off"), [(0.3, 0.0), (0.0, 0.3)])
def test_unreliable_s3_run_publishes_every_image_and_counts_retries(
    flaky_s3: tuple[str, type[Flaky]], samples: Path, cache: Path, slow_down: float, break_off: float
) -> None:
    bucket, server = flaky_s3
    source = open_storage(f"{bucket}/team")
    for path in samples.iterdir():
        source.upload(path, path.name)
    server.slow_down, server.break_off = slow_down, break_off
    report = index(Settings(library=f"{bucket}/library", cache=cache, engine="local"), [f"{bucket}/team"])
    assert server.spoilt > 10
    assert (report.outcome, report.failed) == ("published", 0)
    assert report.images == report.seen == report.embedded == len(list(samples.glob("*.*g")))
    assert report.retries > 0
