"""Test that the bot's log contains neither questions nor secrets."""

import re
import shutil
import urllib.parse
from pathlib import Path

import pytest

from tests.bot.person import until
from tests.bot.team import Team

pytestmark = pytest.mark.slow

QUESTIONS = (
    "/findimg dalmatian zeppelin",
    "/findimg quuxword",
    "/words zeppelin",
    "/similar like:/nosuch/marzipan.jpg",
)
TYPED = ("dalmatian", "zeppelin", "quuxword", "marzipan", "motorcycle", "eagle")


def secrets(team: Team) -> list[str]:
    names = ("BOT_TOKEN", "APP_TOKEN", "SIGNING_SECRET")
    return [team.environment[f"FINDIMG_SLACK_{name}"] for name in names]


def test_log_contains_no_question_and_no_secret(library: str, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(library, tmp_path / "library")
    team = Team("http", tmp_path, cache, str(tmp_path / "library"))
    try:
        channel = team.person.channel()
        for question in QUESTIONS:
            team.person.command(channel, question)
        team.faults.failing["files.getUploadURLExternal"] = "not_allowed"
        team.person.command(channel, "/findimg motorcycle")
        team.faults.failing.clear()
        team.faults.failing.update({"chat.postMessage": "fatal_error", "chat.postEphemeral": "fatal_error"})
        bot = team.person.state()["bot"]["id"]
        team.person.ask("send", channel=channel, text=f"<@{bot}> zeppelin dalmatian")
        until(lambda: "fatal_error" in team.log.read_text())
        team.faults.failing.clear()
        # What breaks inside is logged with its reason.
        shutil.rmtree(Path(team.environment["FINDIMG_LIBRARY"], "thumbnails"))
        team.person.command(channel, "/findimg eagle")
    finally:
        team.close()
    log = team.log.read_text()
    assert "not_allowed" in log
    for text in (*TYPED, *secrets(team)):
        assert text not in log
        assert urllib.parse.quote_plus(text) not in log
    assert re.search(r"xox[a-z]-|xapp-", log) is None
