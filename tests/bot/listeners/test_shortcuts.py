from pathlib import Path

import pytest

from tests.bot.person import words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("shortcut", "said"), [("tag_image", "Tags of *dalmatian.jpg*"), ("find_similar", "Images like *dalmatian.jpg*")]
)
def test_shortcut_uses_the_messages_image(team: Team, samples: Path, shortcut: str, said: str) -> None:
    channel = team.person.channel()
    message = team.person.share(channel, samples / "dalmatian.jpg")
    team.person.ask("shortcut", callback_id=shortcut, channel=channel, ts=message["ts"])
    assert team.person.wait(channel, lambda each: said in words(each))["ephemeral"]


def test_shortcut_on_a_message_without_an_image(team: Team) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text="no picture")
    message = team.person.messages(channel)[-1]
    team.person.ask("shortcut", callback_id="tag_image", channel=channel, ts=message["ts"])
    team.person.wait(channel, lambda each: "That message has no image" in words(each))
