"""Test `serve` in Socket Mode while Slack is unreachable, refuses, or disconnects."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.person import until
from tests.bot.team import Team, answers, free_port

pytestmark = pytest.mark.slow


def status(url: str) -> tuple[int, str]:
    """Return status and body of a GET."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def unreachable(library: str, cache: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Yield a bot without a reachable Slack, the address of its health checks, and its log."""
    monitor, log = f"127.0.0.1:{free_port()}", tmp_path / "bot.log"
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("FINDIMG_", "SLACK_"))}
    environment = outer | {
        "FINDIMG_LIBRARY": library,
        "FINDIMG_CACHE": str(cache),
        "FINDIMG_STATE": str(tmp_path / "bot.sqlite"),
        "FINDIMG_SLACK_API_URL": f"http://127.0.0.1:{free_port()}/api/",
        "FINDIMG_SLACK_BOT_TOKEN": "xoxb-1",
        "FINDIMG_SLACK_APP_TOKEN": "xapp-1",
    }
    command = [Path(sys.executable).with_name("findimg-bot"), "serve", "--monitor", monitor]
    with log.open("wb") as file:
        bot = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=file, stderr=file)
    yield bot, f"http://{monitor}", log
    bot.kill()
    bot.wait()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_bot_stops_while_slack_is_unreachable(
    unreachable: tuple[subprocess.Popen[bytes], str, Path], stop: signal.Signals
) -> None:
    bot, monitor, log = unreachable
    until(lambda: answers(f"{monitor}/healthz"))
    until(lambda: "Version" in log.read_text())
    assert status(f"{monitor}/readyz") == (503, "not connected to Slack in Socket Mode")
    assert "findimg_socket_mode_connected 0.0" in status(f"{monitor}/metrics")[1]
    until(lambda: "Failed to connect" in log.read_text())
    start = time.monotonic()
    bot.send_signal(stop)
    assert bot.wait(10) == 0
    assert time.monotonic() - start < 5
    lines = log.read_text().splitlines()
    assert len([line for line in lines if "socket_mode" in line]) == 1
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("team", ["socket"], indirect=True)
def test_readiness_follows_the_connection(team: Team) -> None:
    assert status(f"{team.monitor}/readyz")[0] == 200
    assert "findimg_socket_mode_connected 1.0" in status(f"{team.monitor}/metrics")[1]
    team.faults.failing["apps.connections.open"] = "internal_error"
    try:
        team.slack.call(team.faults.drop_sockets)
        until(lambda: status(f"{team.monitor}/readyz")[0] == 503)
        assert "findimg_socket_mode_connected 0.0" in status(f"{team.monitor}/metrics")[1]
        assert answers(f"{team.monitor}/healthz")
    finally:
        team.faults.failing.clear()
    until(lambda: status(f"{team.monitor}/readyz")[0] == 200, seconds=60)


@pytest.mark.parametrize("team", ["socket"], indirect=True)
def test_switched_off_socket_mode_is_explained(team: Team) -> None:
    sockets = team.slack.workspace.sockets

    async def disable() -> None:
        for connection in list(sockets._open):
            await connection.socket.send_str(json.dumps({"type": "disconnect", "reason": "link_disabled"}))

    team.slack.run(disable())
    until(lambda: "Socket Mode is switched off for this app" in team.log.read_text())
    until(lambda: status(f"{team.monitor}/readyz")[0] == 200, seconds=60)
