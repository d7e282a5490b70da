"""Test signed and unsigned HTTP requests."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.signature import Clock, SignatureVerifier

from findimg_bot.slack.manifest import EVENTS_PATH
from tests.bot.person import Recorder, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


class FrozenClock(Clock):
    """A clock that does not move."""

    def __init__(self, now: float):
        self._now = now

    def now(self) -> float:
        return self._now


@pytest.fixture(scope="module")
def http(library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Yield a bot over HTTP. It answers in one channel and to one person if told so."""
    team = Team("http", tmp_path_factory.mktemp("http"), cache, library)
    yield team
    team.close()


def post(team: Team, body: str, kind: str, secret: str | None = None, age: float = 0) -> tuple[int, str]:
    """Send a request as Slack does. Return status and text."""
    now = time.time() - age
    verifier = SignatureVerifier(secret or team.slack.workspace.signing_secret, FrozenClock(now))
    headers = {
        "Content-Type": kind,
        "X-Slack-Request-Timestamp": str(int(now)),
        "X-Slack-Signature": str(verifier.generate_signature(timestamp=str(int(now)), body=body)),
    }
    request = urllib.request.Request(team.monitor + EVENTS_PATH, body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def command(team: Team, text: str, **more: str) -> str:
    """Return a slash command as Slack sends it."""
    workspace = team.slack.workspace
    fields = {
        "command": "/findimg",
        "text": text,
        "team_id": workspace.team.id,
        "user_id": workspace.me.id,
        "channel_id": workspace.team.channel("general").id,
        "trigger_id": "1.2.3",
        "response_url": f"{workspace.address}/nowhere",
        **more,
    }
    return urllib.parse.urlencode(fields)


FORM = "application/x-www-form-urlencoded"


def test_signed_command_is_acknowledged(http: Team) -> None:
    assert post(http, command(http, "help"), FORM)[0] == 200


@pytest.mark.parametrize(("secret", "age"), [("0" * 32, 0), (None, 600), (None, -600)])
def test_wrong_or_old_signature_is_refused(http: Team, secret: str | None, age: float) -> None:
    status, text = post(http, command(http, "cat"), FORM, secret, age)
    assert status == 401
    assert "cat" not in text


def test_wrong_signature_is_logged_once(http: Team) -> None:
    for _ in range(2):
        assert post(http, command(http, "cat"), FORM, "0" * 32)[0] == 401
    assert http.log.read_text().count("FINDIMG_SLACK_SIGNING_SECRET does not match its signature") == 1


@pytest.mark.parametrize("address", ["3000", ":3000", "127.0.0.1:99999", "127.0.0.1:", "localhost:http"])
def test_invalid_listen_address_is_refused(address: str, library: str, cache: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("findimg-bot"), "serve", "--http", address, "--library", library],
        env=os.environ
        | {"FINDIMG_SLACK_BOT_TOKEN": "xoxb-1", "FINDIMG_SLACK_SIGNING_SECRET": "1" * 32, "FINDIMG_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "HOST:PORT, such as 127.0.0.1:3000 for this machine alone and 0.0.0.0:3000 for others. Received: " in (
        done.stderr
    )


def test_unsigned_request_is_refused_and_not_logged(http: Team) -> None:
    request = urllib.request.Request(http.monitor + EVENTS_PATH, command(http, "very private words").encode())
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=30)
    assert "private" not in http.log.read_text()


@pytest.mark.parametrize(
    "body", ["", "{", "payload=", "payload={", "null", "[]", "text=%ff", '{"type":"event_callback"}', "[" * 99_999]
)
def test_malformed_signed_body_is_refused(http: Team, body: str) -> None:
    for kind in (FORM, "application/json"):
        assert post(http, body, kind)[0] in (200, 400, 401, 404)
    assert post(http, command(http, "help"), FORM)[0] == 200


def test_foreign_response_url_is_not_called(http: Team) -> None:
    with Recorder() as foreign:
        status, _ = post(http, command(http, "cat", response_url=f"{foreign.address}/hook"), FORM)
        assert status == 403
        payload = json.dumps(block_action(http, f"{foreign.address}/hook"))
        assert post(http, urllib.parse.urlencode({"payload": payload}), FORM)[0] == 403
        time.sleep(0.5)
        assert foreign.asked == []


def test_repeated_event_is_answered_once(http: Team) -> None:
    workspace, channel = http.slack.workspace, http.person.channel()
    event = {
        "type": "event_callback",
        "team_id": workspace.team.id,
        "event_id": "Ev0REPLAYED",
        "authorizations": [{"team_id": workspace.team.id, "user_id": workspace.team.bot.id, "is_bot": True}],
        "event": {
            "type": "app_mention",
            "user": workspace.me.id,
            "text": f"<@{workspace.team.bot.id}> dalmatian",
            "channel": channel,
            "ts": "1700000000.000100",
        },
    }
    for _ in range(3):
        assert post(http, json.dumps(event), "application/json")[0] == 200
    http.person.wait(channel, lambda message: "Images for *dalmatian*" in words(message))
    time.sleep(0.5)
    assert len(http.person.messages(channel)) == 1


def test_health_readiness_and_metrics_are_served(http: Team) -> None:
    http.person.command(http.person.channel(), "/findimg dalmatian")
    http.person.command(http.person.channel(), "/findimg elephhhantx")
    assert get(http, "/healthz") == "ok"
    version = get(http, "/readyz")
    assert version in Path(http.environment["FINDIMG_LIBRARY"], "CURRENT").read_text()
    figures = get(http, "/metrics")
    for line in (
        'findimg_queries_total{kind="findimg"}',
        'findimg_failures_total{fault="asked",kind="findimg"}',
        'findimg_answer_seconds_bucket{kind="findimg",le="1.0"}',
        f'findimg_version_info{{version="{version}"}} 1.0',
    ):
        assert line in figures


def test_unknown_paths_return_404(http: Team) -> None:
    for path in ("/", "/slack/install", "/slack/events/x"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(http, path)


def test_request_url_is_verified(http: Team) -> None:
    assert http.slack.run(http.slack.workspace.verify_request_url())


def get(team: Team, path: str) -> str:
    with urllib.request.urlopen(team.monitor + path, timeout=30) as answer:
        return str(answer.read().decode())


def block_action(team: Team, response_url: str) -> dict[str, Any]:
    workspace = team.slack.workspace
    return {
        "type": "block_actions",
        "team": {"id": workspace.team.id},
        "user": {"id": workspace.me.id},
        "channel": {"id": workspace.team.channel("general").id},
        "container": {"type": "message", "is_ephemeral": True},
        "trigger_id": "1.2.3",
        "response_url": response_url,
        "actions": [{"type": "button", "block_id": "b", "action_id": "next", "value": "x"}],
    }
