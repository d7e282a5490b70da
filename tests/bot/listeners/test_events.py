from pathlib import Path

import pytest

from tests.bot.person import Json, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


def mention(team: Team, text: str = "") -> str:
    return f"<@{team.person.state()['bot']['id']}> {text}".strip()


def test_mention_is_answered_in_its_thread(team: Team) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text=mention(team, "animal"))
    question = team.person.messages(channel)[-1]
    answer = team.person.wait(channel, lambda each: "Images for *animal*" in words(each))
    assert answer["thread_ts"] == question["ts"]
    assert not answer.get("ephemeral")
    assert len(images(answer)) == 8
    assert not [each for each in team.person.messages(channel) if "Searching" in each["text"]]


def test_mention_with_an_image_gets_tags_and_similar_images(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.share(channel, samples / "motorcycle-left.png", mention(team))
    answer = team.person.wait(channel, lambda each: "Images like *motorcycle-left.png*" in words(each))
    assert "Tags of *motorcycle-left.png*" in words(answer)
    assert "1 near-duplicate" in words(answer)


def test_mention_without_words_uses_the_image_of_its_thread(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    first = team.person.share(channel, samples / "dalmatian.jpg")
    team.person.ask("send", channel=channel, text=mention(team), thread_ts=first["ts"])
    answer = team.person.wait(channel, lambda each: "Images like *dalmatian.jpg*" in words(each))
    assert answer["thread_ts"] == first["ts"]


def test_empty_mention_gets_help(team: Team) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text=mention(team))
    team.person.wait(channel, lambda each: "Find images by what they show" in words(each))


def test_direct_message_starts_a_search(team: Team) -> None:
    channel = team.person.direct()
    team.person.ask("send", channel=channel, text="dalmatian")
    answer = team.person.wait(channel, lambda each: "Images for *dalmatian*" in words(each))
    assert "dalmatian.jpg" in words(answer)


def test_direct_message_with_an_image_gets_tags_and_similar_images(team: Team, samples: Path) -> None:
    channel = team.person.direct()
    team.person.share(channel, samples / "cat.png")
    team.person.wait(channel, lambda each: "Tags of *cat.png*" in words(each) and len(images(each)) >= 5)


def test_error_is_reported_in_the_thread(team: Team) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text=mention(team, "elephhhantx"))
    team.person.wait(channel, lambda each: "'elephhhantx' is unknown" in words(each) and "thread_ts" in each)


def home(team: Team) -> Json:
    """Open the Home tab again and return it."""
    before = team.person.state()["home"]
    team.person.ask("home")
    return dict(until(lambda: (now := team.person.state()["home"]) != before and now))


def test_home_tab_shows_index_and_commands(team: Team) -> None:
    shown = words(home(team))
    assert "images* are indexed, as of <!date^" in shown
    for command in ("/findimg", "/tag", "/similar", "/words"):
        assert command in shown


def test_image_from_the_home_tab_is_answered_in_the_direct_message(team: Team, samples: Path) -> None:
    person, view = team.person, home(team)
    block = next(block for block in view["blocks"] if block["type"] == "actions")
    person.ask("action", view_id=view["id"], block_id=block["block_id"], action_id="choose_to_tag")
    modal = until(lambda: person.state()["modal"])
    file = person.upload("dalmatian.jpg", (samples / "dalmatian.jpg").read_bytes())
    values = {"image": {"file": {"type": "file_input", "files": [file["id"]]}}}
    person.ask("submit", view_id=modal["id"], values=values)
    person.wait(person.direct(), lambda each: "Tags of *dalmatian.jpg*" in words(each))
