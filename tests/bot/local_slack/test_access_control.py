import http.client
import re
from collections.abc import Iterator

import pytest

from findimg_bot.local_slack.web_page.access_control import AccessControl
from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import read_manifest
from tests.bot.local_slack.conftest import png
from tests.bot.person import BrowserUser
from tests.bot.team import WorkspaceThread


def ask(workspace: Workspace, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """Return the response to a request with exactly these headers."""
    connection = http.client.HTTPConnection("127.0.0.1", int(workspace.address.rpartition(":")[2]), timeout=10)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    connection.close()
    return answer


@pytest.fixture(scope="module")
def slack() -> Iterator[WorkspaceThread]:
    """Return one workspace for all tests, because none changes it."""
    threaded = WorkspaceThread(read_manifest())
    yield threaded
    threaded.stop()


@pytest.fixture
def cookie(workspace: Workspace) -> str:
    """Return the cookie of a signed-in browser."""
    return str(ask(workspace, f"/?token={workspace.token}").getheader("Set-Cookie")).partition(";")[0]


PATHS = ["/", "/page/state", "/page/live", "/page/file/F1", "/page/static/app.js", "/api/api.test", "/link/"]


@pytest.mark.parametrize("path", PATHS)
def test_request_with_another_host_name_is_refused(workspace: Workspace, cookie: str, path: str) -> None:
    for host in ("evil.example", "127.0.0.1:1", "127.0.0.1.evil.example", ""):
        assert ask(workspace, path, Host=host, Cookie=cookie).status == 403


@pytest.mark.parametrize("path", PATHS)
def test_request_from_another_origin_is_refused(workspace: Workspace, cookie: str, path: str) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1", ""):
        assert ask(workspace, path, Origin=origin, Cookie=cookie).status == 403


def test_request_from_the_pages_own_origin_is_accepted(workspace: Workspace, cookie: str) -> None:
    assert ask(workspace, "/page/state", Origin=workspace.address, Cookie=cookie).status == 200
    named = workspace.address.replace("127.0.0.1", "localhost")
    host = named.removeprefix("http://")
    assert ask(workspace, "/page/state", Host=host, Origin=named, Cookie=cookie).status == 200
    assert ask(workspace, "/page/state", Host=host, Origin=workspace.address, Cookie=cookie).status == 403


@pytest.mark.parametrize("path", ["/", "/page/state", "/page/live", "/page/file/F1", "/page/static/app.js"])
def test_page_needs_the_token(workspace: Workspace, path: str) -> None:
    answer = ask(workspace, path)
    assert answer.status == 403
    assert b"opens with the address that findimg-bot try printed" in answer.body  # type: ignore[attr-defined]
    assert ask(workspace, f"{path}?token=wrong").status == 403


@pytest.mark.parametrize("verb", ["send", "action", "shortcut", "submit", "close", "home", "channel", "upload"])
def test_action_needs_the_token(workspace: Workspace, verb: str) -> None:
    assert ask(workspace, f"/page/{verb}", "POST", Content_Length="0").status == 403


def test_bot_token_does_not_open_the_page(workspace: Workspace) -> None:
    assert ask(workspace, f"/?token={workspace.team.bot.token}").status == 403


def test_token_is_exchanged_for_an_http_only_strict_cookie(workspace: Workspace) -> None:
    answer = ask(workspace, f"/?token={workspace.token}")
    assert (answer.status, answer.getheader("Location")) == (302, "/")
    cookie = str(answer.getheader("Set-Cookie"))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_each_workspace_has_a_new_token() -> None:
    tokens = {Workspace({}).token for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) >= 32 for token in tokens)
    assert Workspace({}, token="given").token == "given"


def test_server_listens_on_the_loopback_address_only(workspace: Workspace) -> None:
    [site] = workspace._runner.sites  # type: ignore[union-attr]
    assert site._server.sockets[0].getsockname()[0] == "127.0.0.1"  # type: ignore[union-attr]


def test_content_security_policy_allows_only_the_pages_own_sources(workspace: Workspace, cookie: str) -> None:
    answer = ask(workspace, "/", Cookie=cookie)
    assert answer.status == 200
    policy = str(answer.getheader("Content-Security-Policy"))
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    for source in re.findall(r"\b(?:https?|ws)://\S+", policy):
        assert re.match(r"(?:http|ws)://(?:127\.0\.0\.1|localhost):", source)


@pytest.mark.parametrize("path", ["/", "/page/state", "/api/api.test", "/nowhere", "/page/static/app.js"])
def test_every_response_has_the_security_headers(workspace: Workspace, cookie: str, path: str) -> None:
    answer = ask(workspace, path, Cookie=cookie)
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Referrer-Policy") == "no-referrer"
    assert answer.getheader("Content-Security-Policy")


def test_uploaded_html_is_not_rendered(workspace: Workspace, person: BrowserUser, cookie: str) -> None:
    script = b"<html><script>alert(1)</script>"
    expected = {
        "evil.html": (script, "application/octet-stream", "attachment"),
        "evil.png": (script, "application/octet-stream", "attachment"),
        "evil.svg": (b"<svg onload='alert(1)'/>", "application/octet-stream", "attachment"),
        "evil.gif": (b"GIF89a" + script, "image/gif", "inline"),
        "cat.html": (png(), "image/png", "inline"),
    }
    for name, (data, kind, place) in expected.items():
        answer = ask(workspace, person.upload(name, data)["url"], Cookie=cookie)
        assert answer.body == data  # type: ignore[attr-defined]
        assert answer.getheader("Content-Type") == kind
        assert str(answer.getheader("Content-Disposition")).startswith(place)
        assert "sandbox" in str(answer.getheader("Content-Security-Policy"))


@pytest.mark.parametrize(
    "name", ["../page_api.py", "..%2fpage_api.py", "%2e%2e/server.py", "__init__.py", "/etc/passwd"]
)
def test_path_outside_the_static_folder_is_not_found(workspace: Workspace, cookie: str, name: str) -> None:
    assert ask(workspace, f"/page/static/{name}", Cookie=cookie).status == 404


def test_request_body_size_is_limited(slack: WorkspaceThread, person: BrowserUser) -> None:
    with pytest.raises(Exception, match="413"):
        person.try_to("send", channel="general", text="x" * 2**20)


def test_part_of_a_token_is_refused(workspace: Workspace) -> None:
    guard = AccessControl(1, workspace.teams)
    assert guard.person(workspace.token) == (workspace.team, workspace.me)
    for wrong in ("", workspace.token[:-1], f"{workspace.token}x", "ünïcode"):
        assert guard.person(wrong) is None
