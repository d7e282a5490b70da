"""The assistant panel (`agent_view`), in Socket Mode and over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from findimg_bot.slack.manifest import Surfaces
from tests.bot.conftest import MODES
from tests.bot.person import Json, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=MODES)
def team(
    request: pytest.FixtureRequest, library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Team]:
    """A workspace whose app declares the panel, and the bot."""
    team = Team(request.param, tmp_path_factory.mktemp("team"), cache, library, surfaces=Surfaces(assistant=True))
    yield team
    team.close()


def panel(team: Team) -> Json:
    """Return what the panel shows beside the messages."""
    shown: Json = team.person.state()["panels"][team.person.direct()]
    return shown


def prompts(team: Team, **opened: str) -> list[Json]:
    """Open the app's messages and return the suggestions that the bot then makes."""
    team.slack.call(team.slack.workspace.team.panel(team.person.direct()).prompts.clear)
    team.person.ask("home", tab="messages", **opened)
    made: list[Json] = until(lambda: panel(team)["prompts"])
    return made


def test_panel_suggests_words_that_the_library_shows(team: Team) -> None:
    suggested = prompts(team)
    assert 2 <= len(suggested) <= 4
    person, channel = team.person, team.person.direct()
    person.ask("send", channel=channel, text=suggested[0]["message"])
    answer = person.wait(channel, lambda each: f"Images for *{suggested[0]['message']}*" in words(each))
    assert images(answer)


def test_answer_is_in_the_thread_of_its_message_and_ends_the_status(team: Team) -> None:
    person, channel = team.person, team.person.direct()
    team.faults.delays["files.getUploadURLExternal"] = team.faults.delays["chat.postMessage"] = 1.0
    try:
        person.ask("send", channel=channel, text="motorcycle")
        asked = person.messages(channel)[-1]["ts"]
        assert until(lambda: panel(team)["statuses"].get(asked)) == "is looking through the pictures…"
    finally:
        team.faults.delays.clear()
    answer = person.wait(channel, lambda each: "Images for *motorcycle*" in words(each))
    assert answer["thread_ts"] == asked
    assert panel(team)["statuses"] == {}
    assert not [each for each in person.messages(channel) if "Searching" in each["text"]]


def test_question_about_a_picture_is_about_the_channel_beside_the_panel(team: Team, samples: Path) -> None:
    person, channel = team.person, team.person.channel()
    person.share(channel, samples / "dalmatian.jpg")
    suggested = prompts(team, beside=channel)
    assert suggested[0]["message"] == "What is this?"
    person.ask("send", channel=person.direct(), text=suggested[0]["message"])
    person.wait(person.direct(), lambda each: "Tags of *dalmatian.jpg*" in words(each))
    # The person goes to another channel while the panel is open.
    other = person.channel()
    person.share(other, samples / "cat.png")
    person.ask("look", channel=other)
    person.ask("send", channel=person.direct(), text="What is this?")
    person.wait(person.direct(), lambda each: "Tags of *cat.png*" in words(each))


def test_suggestions_follow_the_channel_beside_the_panel(team: Team) -> None:
    person = team.person
    assert "What is this?" not in [each["message"] for each in prompts(team)]
    person.ask("look", channel=person.channel())
    until(lambda: "What is this?" in [each["message"] for each in panel(team)["prompts"]])


def test_reply_is_about_the_answer_above_it(team: Team) -> None:
    person, channel = team.person, team.person.direct()
    person.ask("send", channel=channel, text="animal")
    asked = person.messages(channel)[-1]["ts"]
    person.wait(channel, lambda each: each.get("thread_ts") == asked and bool(images(each)))
    person.ask("send", channel=channel, text="more like this", thread_ts=asked)
    choice = person.wait(channel, lambda each: "Which picture of this answer?" in words(each))
    assert choice["thread_ts"] == asked
    person.choose(channel, choice, "similar")
    person.wait(channel, lambda each: each.get("thread_ts") == asked and "Images like" in words(each))


def test_channel_where_the_bot_may_not_answer_stays_out_of_sight(
    library: str, cache: Path, tmp_path: Path, samples: Path
) -> None:
    team = Team("http", tmp_path, cache, library, surfaces=Surfaces(assistant=True))
    try:
        person, channel = team.person, team.person.channel()
        team.environment["FINDIMG_ALLOW_CHANNELS"] = person.direct()
        team.restart()
        person.share(channel, samples / "dalmatian.jpg")
        assert "What is this?" not in [each["message"] for each in prompts(team, beside=channel)]
        person.ask("send", channel=person.direct(), text="What is this?")
        person.wait(person.direct(), lambda each: "There is no picture here" in words(each))
    finally:
        team.close()
