"""Test the download of UIUC Pascal Sentences from a real HTTP server with a similar page."""

import io
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import findimg_jobs.cli.commands.samples
import findimg_jobs.cli.root
from findimg.errors import FindimgError, NotPublishedError, StorageError
from findimg_jobs.datasets.pascal import download

LINKS = tuple(f"{name}/2008_{number:06}.jpg" for name in ("aeroplane", "cat", "diningtable") for number in (716, 1227))
KEYS = {link.replace("diningtable", "dining_table") for link in LINKS}
CAT = "/pascal-sentences/cat/2008_000716.jpg"

Answer = tuple[int, dict[str, str], bytes]


class Server(ThreadingHTTPServer):
    """A server of `/pascal-sentences/` and its images. It records requests and fails as configured."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.page = f"{self.address}/pascal-sentences/"
        self.asked: list[str] = []
        self.agents: set[str] = set()
        self.first: dict[str, list[Answer]] = {}  # what a path gives first, in turn
        self.files = {f"/pascal-sentences/{link}": jpeg(seed) for seed, link in enumerate(LINKS)}
        self.show(LINKS)

    def show(self, sources: tuple[str, ...]) -> None:
        rows = (
            f'<tr><td><img src="{source}"></td><td><table>\n<tr><td>A sentence.</td></tr></table></td></tr>\n'
            for source in sources
        )
        page = f'<html><body><h1>Pascal Sentences</h1>\n<table border="1">\n{"".join(rows)}</table></body></html>'
        self.files["/pascal-sentences/"] = page.encode()

    def fail(self, path: str, status: int, headers: dict[str, str], body: bytes = b"", times: int = 1) -> None:
        """Make `path` respond like this `times` times before it returns its file."""
        self.first[path] = [(status, headers, body)] * times


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.agents.add(self.headers["User-Agent"])
        answers = self.server.first.get(self.path)
        file = self.server.files.get(self.path)
        status, headers, body = answers.pop() if answers else (200 if file else 404, {}, file or b"")
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def jpeg(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


def files(folder: Path) -> set[str]:
    """Return every file below the folder, including hidden ones."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> partial[int]:
    return partial(download, tmp_path, page=server.page, pause=0.001)


def problems(fetch: partial[int]) -> list[str]:
    """Return the messages of an incomplete download: one line for each image, then the summary."""
    with pytest.raises(NotPublishedError) as raised:
        fetch()
    return str(raised.value).splitlines()


def test_every_image_is_stored_in_the_folder_of_its_label(server: Server, tmp_path: Path, fetch: partial[int]) -> None:
    assert fetch() == 6
    assert files(tmp_path) == KEYS
    assert (tmp_path / "dining_table/2008_001227.jpg").read_bytes() == jpeg(5)
    assert len(server.asked) == 7
    (agent,) = server.agents
    assert "findimg" in agent


def test_second_call_downloads_only_missing_images(server: Server, tmp_path: Path, fetch: partial[int]) -> None:
    server.fail(CAT, 503, {}, times=3)
    assert len(problems(fetch)) == 2
    assert files(tmp_path) == {key for key in KEYS if key.startswith("aeroplane")}
    server.asked.clear()
    assert fetch() == 6
    assert server.asked == ["/pascal-sentences/", *(f"/pascal-sentences/{link}" for link in LINKS[2:])]
    server.asked.clear()
    assert fetch() == 6
    assert server.asked == ["/pascal-sentences/"]


def test_interrupted_download_leaves_no_partial_files(
    server: Server, tmp_path: Path, fetch: partial[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(data: bytes) -> None:
        if data == jpeg(2):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("findimg_jobs.datasets.pascal.decode", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fetch()
    assert files(tmp_path) == {key for key in KEYS if key.startswith("aeroplane")}
    assert fetch() == 6
    assert len(server.asked) == 4 + 5


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((404, {}, b""), "HTTP status 404"),
        ((500, {}, b""), "HTTP status 500"),
        ((200, {"Content-Length": "99999"}, jpeg(2)), "ended after"),
        ((200, {}, jpeg(2)[:900]), "truncated or broken"),
        ((200, {}, b"<html>Please log in</html>"), "The format of the file is unknown"),
        ((200, {}, b""), "empty"),
        ((200, {}, b"\xff" * (4 * 2**20 + 1)), "more than 4,194,304 bytes"),
        (
            (200, {"Transfer-Encoding": "chunked", "Content-Length": "2"}, b"5\r\nab"),
            "could not be downloaded: IncompleteRead",
        ),
        (
            (302, {"Location": "http://localhost:9/2008_000716.jpg"}, b""),
            "redirects to 'http://localhost:9/2008_000716",
        ),
        ((302, {"Location": "/elsewhere/cat.jpg"}, b""), "which is not below the page"),
        ((302, {"Location": "file:///etc/hostname"}, b""), "HTTP status 302"),
        ((302, {"Location": "http://["}, b""), "could not be downloaded: ValueError"),
    ],
)
def test_failed_image_is_reported_and_the_others_are_kept(
    server: Server,
    tmp_path: Path,
    fetch: partial[int],
    answer: tuple[int, dict[str, str], bytes],
    why: str,
) -> None:
    server.fail(CAT, *answer)
    problem, summary = problems(fetch)
    assert problem.startswith(server.address + CAT)
    assert why in problem
    assert f"5 of 6 photographs are in {tmp_path}. Run the command again" in summary
    assert files(tmp_path) == KEYS - {"cat/2008_000716.jpg"}
    assert fetch() == 6


def test_redirect_below_the_page_is_followed(server: Server, tmp_path: Path, fetch: partial[int]) -> None:
    server.fail(CAT, 301, {"Location": f"{server.page}{LINKS[0]}"})
    assert fetch() == 6
    assert (tmp_path / "cat/2008_000716.jpg").read_bytes() == jpeg(0)


def test_requests_are_spaced_by_the_pause(server: Server, tmp_path: Path) -> None:
    start = time.monotonic()
    assert download(tmp_path, server.page, pause=0.1) == 6
    assert time.monotonic() - start >= 7 * 0.1


@pytest.mark.parametrize("dated", [False, True])
def test_retry_after_is_respected(server: Server, fetch: partial[int], dated: bool) -> None:
    # A date has whole seconds: two from now are at least one.
    when = formatdate(time.time() + 2, usegmt=True) if dated else "1"
    server.fail(CAT, 503 if dated else 429, {"Retry-After": when})
    start = time.monotonic()
    assert fetch() == 6
    assert time.monotonic() - start >= 0.9
    assert server.asked.count(CAT) == 2


@pytest.mark.parametrize("when", [formatdate(0, usegmt=True), "soon", "-1", "Mon, 99 Foo 2026", "²"])
def test_past_or_invalid_retry_after_is_ignored(server: Server, fetch: partial[int], when: str) -> None:
    server.fail(CAT, 503, {"Retry-After": when})
    assert fetch() == 6


@pytest.mark.parametrize("when", ["3600", formatdate(time.time() + 3600, usegmt=True)], ids=["seconds", "date"])
def test_long_retry_after_ends_the_download(server: Server, fetch: partial[int], when: str) -> None:
    server.fail(CAT, 503, {"Retry-After": when})
    problem, summary = problems(fetch)
    assert "HTTP status 503" in problem
    assert "2 of 6" in summary
    assert server.asked[-1] == CAT


def test_only_links_of_the_expected_form_are_requested(server: Server, tmp_path: Path, fetch: partial[int]) -> None:
    server.show(
        (
            LINKS[0],
            LINKS[0],
            "../aeroplane/2008_000716.jpg",
            "cat/../../../2008_000717.jpg",
            "../2008_000718.jpg",
            "/cat/2008_000719.jpg",
            f"{server.address}/cat/2008_000720.jpg",
            "//localhost/cat/2008_000721.jpg",
            "https://localhost/cat/2008_000722.jpg",
            "cat/2008_000723.jpg?x",
            "cat/2008_000724.php",
            "cat/%2e%2e/2008_000725.jpg",
            "cat\\2008_000726.jpg",
            "logo.png",
        )
    )
    assert fetch() == 1
    assert server.asked == ["/pascal-sentences/", f"/pascal-sentences/{LINKS[0]}"]
    assert files(tmp_path) == {LINKS[0]}


@pytest.mark.parametrize("count", [0, 2001])
def test_page_with_too_few_or_too_many_links_is_rejected(
    server: Server, tmp_path: Path, fetch: partial[int], count: int
) -> None:
    server.show(tuple(f"cat/2008_{number:06}.jpg" for number in range(count)))
    with pytest.raises(StorageError, match=rf"links {count:,} photographs like .* in a browser"):
        fetch()
    assert files(tmp_path) == set()
    assert len(server.asked) == 1


def test_missing_page_is_reported(server: Server, fetch: partial[int]) -> None:
    del server.files["/pascal-sentences/"]
    with pytest.raises(StorageError, match=r"/pascal-sentences/ returned HTTP status 404"):
        fetch()


def test_download_stops_when_the_server_is_unreachable(server: Server, tmp_path: Path, fetch: partial[int]) -> None:
    server.server_close()
    server.shutdown()
    with pytest.raises(StorageError, match=r"cannot be reached: .*refused.*Check the network") as raised:
        fetch()
    assert len(str(raised.value).splitlines()) == 1
    assert files(tmp_path) == set()


def test_samples_pascal_exits_with_code_3_on_failure(
    server: Server, tmp_path: Path, fetch: partial[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findimg_jobs.cli.commands.samples, "download", partial(download, page=server.page, pause=0.001))
    server.fail(CAT, 404, {})
    done = CliRunner().invoke(findimg_jobs.cli.root.app, ["samples", "--pascal", str(tmp_path)])
    assert isinstance(done.exception, FindimgError)
    assert done.exception.exit_code == 3
    done = CliRunner().invoke(findimg_jobs.cli.root.app, ["samples", "--pascal", str(tmp_path)])
    assert done.exit_code == 0
    assert done.stdout == f"All 6 photographs of UIUC Pascal Sentences are in {tmp_path}.\n"
    assert files(tmp_path) == KEYS
