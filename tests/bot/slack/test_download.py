import asyncio
import gzip
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from findimg.errors import ImageError
from findimg_bot.errors import SlackAccessError
from findimg_bot.slack.pictures import download as download_module
from findimg_bot.slack.pictures.download import SLACK_API, _is_trusted, download

TOKEN = "xoxb-secret"
IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(2000)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxy from the environment. The client would use it even for this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


@dataclass(slots=True)
class FileServer:
    """A file server that records its requests."""

    handler: Handler
    requests: list[web.Request] = field(default_factory=list)
    sent: int = 0  # bytes of an endless_response body
    origin: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        return await self.handler(request)

    async def start(self) -> web.ServerRunner:
        runner = web.ServerRunner(web.Server(self.answer), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        self.origin = f"http://{host}:{port}"
        return runner


def downloaded(handler: Handler, **about: Any) -> bytes:
    """Download a file from the server."""
    return ask(FileServer(handler), **about)


def ask(server: FileServer, elsewhere: FileServer | None = None, **about: Any) -> bytes:
    """Download a file.

    Args:
        elsewhere: a second server, which is not Slack's.
        about: what Slack says about the file; `{here}` and `{there}` stand for the servers' addresses.
    """

    async def run() -> bytes:
        servers = [server, elsewhere or FileServer(file_response(b""))]
        runners = [await each.start() for each in servers]
        here, there = (each.origin for each in servers)
        try:
            file = {"id": "F1", "mimetype": "image/png", "url_private_download": "{here}/f.png"} | about
            shown = {
                name: value.format(here=here, there=there) if isinstance(value, str) else value
                for name, value in file.items()
            }
            return await download(AsyncWebClient(TOKEN, base_url=f"{here}/api/"), shown)
        finally:
            for runner in runners:
                await runner.cleanup()

    return asyncio.run(run())


def file_response(data: bytes, **how: Any) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, **({"content_type": "image/png"} | how))

    return handler


def writes(data: bytes) -> Handler:
    """Send exactly these bytes, valid HTTP or not, and close the connection."""

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport
        request.transport.write(data)
        request.transport.close()
        return web.Response()

    return handler


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://files.slack.com/files-pri/T1-F1/cat.png", True),
        ("https://files.slack.com/files-pri/T1-F1/download/größe%20a.png?pub_secret=1", True),
        ("HTTPS://files.slack.com/files-pri/T1-F1/cat.png", True),
        ("http://files.slack.com/cat.png", False),
        ("ftp://files.slack.com/cat.png", False),
        ("//files.slack.com/cat.png", False),
        ("files.slack.com/cat.png", False),
        ("https:files.slack.com/cat.png", False),
        ("https:/files.slack.com/cat.png", False),
        ("https:///files.slack.com/cat.png", False),
        ("https://FILES.slack.com/cat.png", False),
        ("https://slack.com/cat.png", False),
        ("https://team.slack.com/cat.png", False),
        ("https://files.slack.com.evil.example/cat.png", False),
        ("https://evil.example/https://files.slack.com/cat.png", False),
        ("https://evil.example?https://files.slack.com/", False),
        ("https://evil.example#https://files.slack.com/", False),
        ("https://a.files.slack.com/cat.png", False),
        ("https://files.slack.com:443/cat.png", False),
        ("https://files.slack.com:8443/cat.png", False),
        ("https://files.slack.com:@evil.example/cat.png", False),
        ("https://files.slack.com@evil.example/cat.png", False),
        ("https://user:password@files.slack.com/cat.png", False),
        ("https://files.slack.com\\@evil.example/cat.png", False),
        ("https://files.slack.com\\.evil.example/cat.png", False),
        ("https:\\\\files.slack.com/cat.png", False),
        (" https://files.slack.com/cat.png", False),
        ("https://files.slack.com\t.evil.example/cat.png", False),
        ("https://files.slack.com\r\nHost: evil.example/cat.png", False),
        ("https://files.slack.com\N{NO-BREAK SPACE}/cat.png", False),
        ("https://files.slack.com\0.evil.example/cat.png", False),
        ("https://files.slack.com./cat.png", False),
        ("https://files\N{IDEOGRAPHIC FULL STOP}slack.com/cat.png", False),
        ("https://files.ѕlack.com/cat.png", False),
        ("https://files.slack.com℀evil.example/cat.png", False),
        ("https://[files.slack.com/cat.png", False),
        ("https://files%2eslack.com/cat.png", False),
        ("https://127.0.0.1/cat.png", False),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_token_is_sent_to_slacks_file_server_only(url: str, trusted: bool) -> None:
    assert _is_trusted(url, SLACK_API) is trusted


def test_other_api_address_serves_its_own_files() -> None:
    assert _is_trusted("http://127.0.0.1:8099/files/F1", "http://127.0.0.1:8099/api/")
    assert not _is_trusted("http://127.0.0.1:8098/files/F1", "http://127.0.0.1:8099/api/")
    assert not _is_trusted("https://files.slack.com/F1", "http://127.0.0.1:8099/api/")
    assert not _is_trusted("http://localhost:8099/files/F1", "http://127.0.0.1:8099/api/")


def test_download_uses_the_teams_token() -> None:
    server = FileServer(file_response(IMAGE))
    assert ask(server, size=len(IMAGE)) == IMAGE
    assert [request.headers["Authorization"] for request in server.requests] == [f"Bearer {TOKEN}"]


def test_private_url_is_the_fallback() -> None:
    assert downloaded(file_response(IMAGE), url_private_download="", url_private="{here}/f.png") == IMAGE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    elsewhere = FileServer(file_response(IMAGE))

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": f"{elsewhere.origin}/f.png"})

    server = FileServer(handler)
    with pytest.raises(ImageError, match=f"with status {status}"):
        ask(server, elsewhere)
    assert len(server.requests) == 1
    assert elsewhere.requests == []


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_error_status_is_reported(status: int) -> None:
    with pytest.raises(ImageError, match=f"Slack refused to send that image with status {status}"):
        downloaded(file_response(IMAGE, status=status))


def test_rate_limit_is_reported() -> None:
    with pytest.raises(SlackAccessError, match="Slack limits how often"):
        downloaded(file_response(IMAGE, status=429))


@pytest.mark.parametrize(
    ("about", "size"),
    [
        ({"mimetype": "image/heic"}, 10),
        ({"mimetype": "image/png"}, 10**9),
    ],
)
def test_slacks_own_conversion_is_preferred_for_heic_and_large_files(about: dict[str, Any], size: int) -> None:
    server = FileServer(file_response(IMAGE))
    thumbs = {"thumb_360": "{here}/360", "thumb_1024": "{here}/1024"}
    assert ask(server, url_private="{here}/original", size=size, **thumbs, **about) == IMAGE
    assert [request.path for request in server.requests] == ["/1024"]


def test_other_server_gets_no_request_and_no_token() -> None:
    server, elsewhere = FileServer(file_response(IMAGE)), FileServer(file_response(IMAGE))
    for name in ("url_private_download", "url_private"):
        with pytest.raises(ImageError, match="is not on Slack's file server"):
            ask(server, elsewhere, **({"url_private_download": ""} | {name: "{there}/f.png"}))
    assert server.requests == elsewhere.requests == []


@pytest.mark.parametrize(
    "about",
    [{"mode": "external"}, {"is_external": True}, {"mode": "tombstone"}, {"mode": "hidden_by_limit"}],
)
def test_external_files_are_not_requested(about: dict[str, Any]) -> None:
    server = FileServer(file_response(IMAGE))
    with pytest.raises(ImageError, match=r"is not stored in Slack\. Upload it here"):
        ask(server, **about)
    assert server.requests == []


def test_login_page_is_not_an_image() -> None:
    with pytest.raises(ImageError, match="a login page instead of that image") as error:
        downloaded(file_response(b"<!DOCTYPE html><title>Sign in</title>", content_type="text/html"))
    assert TOKEN not in str(error.value)


def test_declared_size_over_the_limit_is_refused() -> None:
    server = FileServer(file_response(IMAGE))
    with pytest.raises(ImageError, match="5,000,000,000 bytes, more than the limit of 67,108,864"):
        ask(server, size=5_000_000_000)
    assert server.requests == []


def test_content_length_over_the_limit_is_refused_before_the_body() -> None:
    announced = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 5000000000\r\n\r\n"
    with pytest.raises(ImageError, match="5,000,000,000 bytes"):
        downloaded(writes(announced + IMAGE))


def endless_response(server: FileServer, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "image/png"} | headers)
        await response.prepare(request)
        while True:
            await response.write(bytes(65536))
            server.sent += 65536

    return handler


def test_endless_body_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "LIMIT_BYTES", 1_000_000)
    server = FileServer(file_response(b""))
    server.handler = endless_response(server)
    with pytest.raises(ImageError, match="more than the limit of 1,000,000"):
        ask(server, size=1000)
    # What the system's buffers took in is not read by anybody.
    assert server.sent < 64 * 2**20


def test_body_that_decompresses_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "LIMIT_BYTES", 1_000_000)
    packed = gzip.compress(bytes(200 * 2**20), 1)
    assert len(packed) < 1_000_000
    with pytest.raises(ImageError, match="more than the limit of 1,000,000"):
        downloaded(file_response(packed, headers={"Content-Encoding": "gzip"}))


def test_size_limit_is_inclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "LIMIT_BYTES", len(IMAGE))
    assert downloaded(file_response(IMAGE)) == IMAGE
    with pytest.raises(ImageError, match="2,009 bytes, more than the limit of 2,008"):
        downloaded(file_response(IMAGE + b"x"))


def test_body_longer_than_declared_is_truncated() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 8\r\n\r\n"
    # By when the rest arrives, the client notices it or has hung up before.
    with suppress(ImageError):
        assert downloaded(writes(answer + IMAGE)) == IMAGE[:8]


def test_body_shorter_than_declared_is_refused() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4000\r\n\r\n"
    with pytest.raises(ImageError, match="cannot be reached"):
        downloaded(writes(answer + IMAGE))


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n"])
def test_server_that_does_not_speak_http_is_reported(answer: bytes) -> None:
    with pytest.raises(ImageError, match=r"file server cannot be reached\. Try again in a minute"):
        downloaded(writes(answer))


def test_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "_SECONDS", 0.2)

    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    with pytest.raises(ImageError, match="cannot be reached"):
        downloaded(handler)


def test_trickling_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "_SECONDS", 0.3)

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "image/png"})
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.05)

    with pytest.raises(ImageError, match="cannot be reached"):
        downloaded(handler)


def test_missing_server_is_reported() -> None:
    client = AsyncWebClient(TOKEN, base_url="http://127.0.0.1:1/api/")
    with pytest.raises(ImageError, match="cannot be reached"):
        asyncio.run(download(client, {"url_private": "http://127.0.0.1:1/f.png"}))
