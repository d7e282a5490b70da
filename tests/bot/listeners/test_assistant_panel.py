"""The assistant panel (`agent_view`), in Socket Mode and over HTTP."""

from pathlib import Path

import pytest

from tests.bot.person import Json, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture
def team(equipped: Team) -> Team:
    """Return a workspace whose app has all surfaces."""
    return equipped


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


def test_failing_panel_leaves_the_answer(team: Team) -> None:
    person, channel = team.person, team.person.direct()
    for method in ("setStatus", "setSuggestedPrompts"):
        team.faults.failing[f"assistant.threads.{method}"] = "internal_error"
    try:
        person.ask("home", tab="messages")
        person.ask("send", channel=channel, text="rocket")
        person.wait(channel, lambda each: "Images for *rocket*" in words(each))
        until(lambda: "The assistant panel shows no suggestions: Slack answered internal_error" in team.log.read_text())
    finally:
        team.faults.failing.clear()
    assert "Traceback" not in team.log.read_text()


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
