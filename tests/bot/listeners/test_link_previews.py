"""Previews of links to the library's images, in Socket Mode and over HTTP."""

from urllib.parse import quote

import pytest

from tests.bot.conftest import IMAGE_BASE_URL as BASE
from tests.bot.person import Json, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow


@pytest.fixture
def team(equipped: Team) -> Team:
    """Return a workspace whose app has all surfaces."""
    return equipped


def link(name: str) -> str:
    return BASE + quote(name)


def say(team: Team, channel: str, text: str) -> str:
    """Send a message and return its ts."""
    return str(team.person.ask("send", channel=channel, text=text)["ts"])


def previews(team: Team, channel: str, ts: str) -> list[Json]:
    """Return the blocks of a message's previews."""
    message = next(each for each in team.person.messages(channel) if each["ts"] == ts)
    return [attachment["blocks"] for attachment in message.get("attachments", ())]


def test_link_to_an_image_gets_a_preview(team: Team) -> None:
    channel = team.person.channel()
    ts = say(team, channel, f"Use {link('cat.png')} or {link('dalmatian.jpg')}?")
    cat, dog = until(lambda: previews(team, channel, ts))
    assert "*cat.png*" in words({"blocks": cat})
    assert "*dalmatian.jpg*" in words({"blocks": dog})
    assert cat[0]["accessory"]["type"] == "image"
    assert "slack_file" in cat[0]["accessory"]


def test_button_of_a_preview_finds_similar_images(team: Team) -> None:
    person, channel = team.person, team.person.channel()
    ts = say(team, channel, link("dalmatian.jpg"))
    blocks = until(lambda: previews(team, channel, ts))[0]
    person.ask("action", channel=channel, ts=ts, block_id=blocks[1]["block_id"], action_id="more_like_this")
    answer = person.wait(channel, lambda each: "Images like *dalmatian.jpg*" in words(each))
    assert answer["ephemeral"]


def test_shortcut_is_about_the_image_of_a_preview(team: Team) -> None:
    person, channel = team.person, team.person.channel()
    ts = say(team, channel, link("dalmatian.jpg"))
    until(lambda: previews(team, channel, ts))
    person.ask("shortcut", callback_id="tag_image", channel=channel, ts=ts)
    choice = person.wait(channel, lambda each: "Which picture of this answer?" in words(each))
    person.choose(channel, choice, "tag")
    person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))


@pytest.mark.parametrize(
    "text",
    [
        f"{BASE}none.jpg",
        f"{BASE}../cat.png",
        "https://images.example.com/elsewhere/cat.png",
        "https://images.example.com.evil.example/photos/cat.png",
        "https://user@images.example.com/photos/cat.png",
        "no link",
    ],
)
def test_other_links_get_no_preview(team: Team, text: str) -> None:
    channel = team.person.channel()
    ts = say(team, channel, text)
    shown = say(team, channel, link("cat.png"))
    until(lambda: previews(team, channel, shown))
    assert previews(team, channel, ts) == []


def test_channel_without_the_bot_gets_a_preview(team: Team) -> None:
    channel = team.slack.call(team.slack.workspace.team.add_channel, f"nobot-{team.mode}", bot=False).id
    ts = say(team, channel, link("cat.png"))
    until(lambda: previews(team, channel, ts))


def test_link_in_the_message_field_gets_a_preview(team: Team) -> None:
    workspace = team.slack.workspace
    event = {
        "type": "link_shared",
        "channel": "COMPOSER",
        "user": workspace.me.id,
        "message_ts": "gryl3kb80b3wm49ihzoo35fyqoq08n2y",
        "unfurl_id": "gryl3kb80b3wm49ihzoo35fyqoq08n2y",
        "source": "composer",
        "links": [{"domain": "images.example.com", "url": link("cat.png")}],
    }
    team.faults.calls.clear()
    team.slack.call(workspace.services.events.send, workspace.team, "link_shared", event)
    call = until(lambda: dict(team.faults.calls).get("chat.unfurl"))
    assert (call["unfurl_id"], call["source"]) == (event["unfurl_id"], "composer")
    assert list(call["unfurls"]) == [link("cat.png")]
    assert "channel" not in call


def test_refused_thumbnail_leaves_a_preview_in_words(team: Team) -> None:
    channel = team.person.channel()
    team.faults.failing["files.getUploadURLExternal"] = "internal_error"
    try:
        ts = say(team, channel, link("coffee.png"))
        blocks = until(lambda: previews(team, channel, ts))[0]
    finally:
        team.faults.failing.clear()
    assert "*coffee.png*" in words({"blocks": blocks})
    assert "accessory" not in blocks[0]


def test_shared_channel_gets_no_preview(team: Team) -> None:
    workspace = team.slack.workspace
    channel = team.slack.call(workspace.team.add_channel, f"shared-{team.mode}")
    team.slack.call(workspace.team.add_stranger, "stranger", channel)
    ts = say(team, channel.id, link("cat.png"))
    other = team.person.channel()
    shown = say(team, other, link("cat.png"))
    until(lambda: previews(team, other, shown))
    assert previews(team, channel.id, ts) == []
    assert not [each for each in team.person.messages(channel.id) if each.get("ephemeral")]
