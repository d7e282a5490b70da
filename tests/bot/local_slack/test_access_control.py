import http.client
import re
from collections.abc import Iterator

import pytest

from findimg_bot.local_slack.server import Workspace
from findimg_bot.local_slack.web_page.access_control import AccessControl
from findimg_bot.slack.manifest import read_manifest
from tests.bot.local_slack.conftest import png
from tests.bot.person import Person
from tests.bot.team import Threaded


def ask(workspace: Workspace, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    """An answer to a request with exactly these headers."""
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
def slack() -> Iterator[Threaded]:
    """One workspace for all: nothing here changes it."""
    threaded = Threaded(read_manifest())
    yield threaded
    threaded.stop()


@pytest.fixture
def cookie(workspace: Workspace) -> str:
    """What a browser sends once it is signed in."""
    return str(ask(workspace, f"/?token={workspace.token}").getheader("Set-Cookie")).partition(";")[0]


PATHS = ["/", "/page/state", "/page/live", "/page/file/F1", "/page/static/app.js", "/api/api.test", "/link/"]


@pytest.mark.parametrize("path", PATHS)
def test_a_rebound_name_reaches_nothing(workspace: Workspace, cookie: str, path: str) -> None:
    for host in ("evil.example", "127.0.0.1:1", "127.0.0.1.evil.example", ""):
        assert ask(workspace, path, Host=host, Cookie=cookie).status == 403


@pytest.mark.parametrize("path", PATHS)
def test_another_origin_reaches_nothing(workspace: Workspace, cookie: str, path: str) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1", ""):
        assert ask(workspace, path, Origin=origin, Cookie=cookie).status == 403


def test_the_pages_own_origin_is_let_in(workspace: Workspace, cookie: str) -> None:
    assert ask(workspace, "/page/state", Origin=workspace.address, Cookie=cookie).status == 200
    named = workspace.address.replace("127.0.0.1", "localhost")
    host = named.removeprefix("http://")
    assert ask(workspace, "/page/state", Host=host, Origin=named, Cookie=cookie).status == 200
    assert ask(workspace, "/page/state", Host=host, Origin=workspace.address, Cookie=cookie).status == 403


@pytest.mark.parametrize("path", ["/", "/page/state", "/page/live", "/page/file/F1", "/page/static/app.js"])
def test_without_the_token_there_is_no_page(workspace: Workspace, path: str) -> None:
    answer = ask(workspace, path)
    assert answer.status == 403
    assert b"opens with the address that findimg-bot try printed" in answer.body  # type: ignore[attr-defined]
    assert ask(workspace, f"{path}?token=wrong").status == 403


@pytest.mark.parametrize("verb", ["send", "action", "shortcut", "submit", "close", "home", "channel", "upload"])
def test_without_the_token_nothing_is_done(workspace: Workspace, verb: str) -> None:
    assert ask(workspace, f"/page/{verb}", "POST", Content_Length="0").status == 403


def test_a_bots_user_has_no_page(workspace: Workspace) -> None:
    assert ask(workspace, f"/?token={workspace.team.bot.token}").status == 403


def test_the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(workspace: Workspace) -> None:
    answer = ask(workspace, f"/?token={workspace.token}")
    assert (answer.status, answer.getheader("Location")) == (302, "/")
    cookie = str(answer.getheader("Set-Cookie"))
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_each_start_has_a_token_of_its_own() -> None:
    tokens = {Workspace({}).token for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) >= 32 for token in tokens)
    assert Workspace({}, token="given").token == "given"


def test_nobody_else_on_the_network_can_connect(workspace: Workspace) -> None:
    [site] = workspace._runner.sites  # type: ignore[union-attr]
    assert site._server.sockets[0].getsockname()[0] == "127.0.0.1"  # type: ignore[union-attr]


def test_the_page_may_load_its_own_scripts_and_nothing_from_the_network(workspace: Workspace, cookie: str) -> None:
    answer = ask(workspace, "/", Cookie=cookie)
    assert answer.status == 200
    policy = str(answer.getheader("Content-Security-Policy"))
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    for source in re.findall(r"\b(?:https?|ws)://\S+", policy):
        assert re.match(r"(?:http|ws)://(?:127\.0\.0\.1|localhost):", source)


@pytest.mark.parametrize("path", ["/", "/page/state", "/api/api.test", "/nowhere", "/page/static/app.js"])
def test_every_answer_is_read_as_what_it_says_it_is(workspace: Workspace, cookie: str, path: str) -> None:
    answer = ask(workspace, path, Cookie=cookie)
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("Referrer-Policy") == "no-referrer"
    assert answer.getheader("Content-Security-Policy")


def test_an_uploaded_page_is_never_shown_as_one(workspace: Workspace, person: Person, cookie: str) -> None:
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
def test_only_the_pages_own_files_are_served(workspace: Workspace, cookie: str, name: str) -> None:
    assert ask(workspace, f"/page/static/{name}", Cookie=cookie).status == 404


def test_bodies_have_limits(slack: Threaded, person: Person) -> None:
    with pytest.raises(Exception, match="413"):
        person.try_to("send", channel="general", text="x" * 2**20)


def test_tokens_are_compared_whole(workspace: Workspace) -> None:
    guard = AccessControl(1, workspace.teams)
    assert guard.person(workspace.token) == (workspace.team, workspace.me)
    for wrong in ("", workspace.token[:-1], f"{workspace.token}x", "ünïcode"):
        assert guard.person(wrong) is None
