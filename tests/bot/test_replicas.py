"""Test two bots with one state in one workspace. Either can receive a click."""

import re
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.serving import ask_many
from tests.bot import postgresql
from tests.bot.person import images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[pytest.param("sqlite", marks=pytest.mark.long), "postgresql"])
def replicated(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """Yield a workspace and a bot in Socket Mode, with each kind of state."""
    state = None
    if request.param == "postgresql":
        server: postgresql.Server = request.getfixturevalue("postgresql_server")
        state = server.create_database()
    team = Team("socket", tmp_path_factory.mktemp("replicated"), cache, library, state=state)
    yield team
    team.close()


def test_replica_answers_clicks_of_another(replicated: Team) -> None:
    team = replicated
    other, monitor = team.start_another()
    try:
        until(lambda: team.slack.workspace.sockets.connections == 2)
        for _ in range(8):
            channel = team.person.channel()
            answer = team.person.command(channel, "/findimg animal")
            team.person.click(channel, answer, "next")
            answer = team.person.wait(channel, lambda each: "9 to 12" in words(each))
            assert len(images(answer)) == 4
        for address in (team.monitor, monitor):
            with urllib.request.urlopen(f"{address}/metrics") as figures:
                counts = re.findall(r"^findimg_queries_total\{.*\} ([\d.]+)$", figures.read().decode(), re.MULTILINE)
            assert sum(map(float, counts)) > 0
    finally:
        other.terminate()
        assert other.wait(30) == 0
    until(lambda: team.slack.workspace.sockets.connections == 1)


def test_buttons_work_after_their_bot_ended(replicated: Team) -> None:
    team = replicated
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg animal")
    other, _ = team.start_another()
    try:
        team.kill()
        team.person.choose(channel, answer, "similar")
        assert "Images like" in words(team.person.wait(channel, lambda each: "Images like" in words(each)))
    finally:
        other.terminate()
        other.wait(30)
        team.start()


@pytest.mark.long
@pytest.mark.parametrize("replicated", ["postgresql"], indirect=True)
def test_fifty_people_get_one_answer_each_while_a_replica_stops(replicated: Team, samples: Path) -> None:
    team, people, rounds = replicated, 50, 4
    other, _ = team.start_another()
    try:
        until(lambda: team.slack.workspace.sockets.connections == 2)
        image = samples / "dalmatian.jpg"
        ask_many(team, "/findimg animal", image, 4, 1)  # thumbnails are uploaded, and both encoders are warm
        stop = threading.Timer(1.5, other.terminate)
        stop.start()
        seen = ask_many(team, "/findimg animal", image, people, rounds)
        assert other.wait(60) == 0
    finally:
        other.kill()
    assert (seen.asked, seen.failed) == (people * rounds, 0)
    assert seen.tagged > 0
    messages = team.slack.workspace.team.messages
    answers = [
        sum(bool(images(each.content)) for each in messages[channel.id].values())
        for channel in team.slack.workspace.team.channels.values()
        if re.fullmatch(r"load\d+", channel.name)
    ]
    assert sum(answers) == people * rounds + 4
    assert set(answers) <= {1, rounds, rounds + 1}
