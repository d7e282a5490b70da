"""Test the local workspace with a bot in another process."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from findimg.settings import Settings
from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.try_out import local_workspace
from tests.bot.person import BrowserUser, images, until, words
from tests.bot.team import Team, answers, free_port

pytestmark = pytest.mark.slow

BOT = Path(sys.executable).with_name("findimg-bot")


@pytest.mark.long
def test_http_bot_answers_in_the_local_workspace(library: str, cache: Path, tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FINDIMG_")} | {
        "FINDIMG_LIBRARY": library,
        "FINDIMG_CACHE": str(cache),
        "FINDIMG_STATE": str(tmp_path / "bot.sqlite"),
    }
    command = [BOT, "try", "--no-browser", "--bot-at", f"http://{address}"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as workspace:
        assert workspace.stdout
        shown = ""
        while "SIGNING_SECRET" not in shown:
            line = workspace.stdout.readline()
            assert line, shown
            shown += line
        settings = dict(re.findall(r"^(FINDIMG_SLACK_\w+)=(\S+)$", shown, re.MULTILINE))
        page = re.search(r"(http://127\.0\.0\.1:\d+)/\?token=(\S+)", shown)
        assert page
        with subprocess.Popen([BOT, "serve", "--http", address], env=environment | settings) as bot:
            until(lambda: answers(f"http://{address}/readyz"))
            checked = subprocess.run([BOT, "doctor", "--http"], env=environment | settings, capture_output=True)
            person = BrowserUser(page[1], page[2])
            general = next(each["id"] for each in person.state()["channels"] if each["name"] == "general")
            answer = person.command(general, "/findimg cat")
            bot.send_signal(signal.SIGTERM)
        workspace.send_signal(signal.SIGINT)
        assert workspace.stdout.read().endswith("Stopped.\n")
    assert "cat.png" in words(answer)
    assert images(answer)
    assert checked.returncode == 0, checked.stdout
    assert (bot.returncode, workspace.returncode) == (0, 0)


def test_invalid_bot_address_is_refused(library: str, cache: Path) -> None:
    command = [BOT, "try", "--bot-at", "127.0.0.1:3000", "--library", library, "--cache", str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("--bot-at takes an address such as http://127.0.0.1:3000. Received: '127.0.0.1:3000'.\n")


@pytest.mark.long
def test_rejected_token_is_logged_at_start(library: str, cache: Path, tmp_path: Path) -> None:
    team = Team("http", tmp_path, cache, library)
    team.environment["FINDIMG_SLACK_BOT_TOKEN"] = "xoxb-another"
    team.restart()
    assert "Slack rejects FINDIMG_SLACK_BOT_TOKEN: invalid_auth." in team.log.read_text()
    team.close()


def test_original_of_a_folder_opens_for_people_who_are_signed_in(
    library: str, cache: Path, tmp_path: Path, samples: Path
) -> None:
    settings = Settings(library=library, cache=cache)

    def use(workspace: Workspace) -> tuple[str, bytes]:
        person = BrowserUser(workspace.address, workspace.token)
        general = workspace.team.channel("general").id
        answer = person.command(general, "/findimg dalmatian")
        person.choose(general, answer, "open")
        shown = person.wait(general, lambda each: "Open dalmatian.jpg" in words(each))
        link = re.search(r"<([^|>]+)\|Open dalmatian.jpg>", words(shown))[1]
        assert not answers(link)
        return link, person.download(link)

    async def try_out() -> tuple[str, bytes]:
        async with local_workspace(settings, 0, "127.0.0.1", None, None) as workspace:
            return await asyncio.to_thread(use, workspace)

    link, data = asyncio.run(try_out())
    assert link.endswith("/page/original/dalmatian.jpg")
    assert data == (samples / "dalmatian.jpg").read_bytes()
