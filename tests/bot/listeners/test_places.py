"""Test that an answer comes where the question was: in a channel, in a thread, in a direct message."""

import io
from pathlib import Path

import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from tests.bot.listeners.test_conversations import mention
from tests.bot.person import BrowserUser, Json, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow

# Texts as they arrive, and the words of which each must find pictures. The tables of texts are in tests/bot/slack.
ARRIVING = [
    ("“dalmatian”?", '"dalmatian"'),
    ("animal －leopard", "animal -leopard"),
    ("*dalmatian*, please!", "dalmatian"),
    ("&gt; dalmatian", "dalmatian"),
    (":dog: thanks!", "dog"),
    ("@findimg: dalmatian", "dalmatian"),
    ("show me 「dalmatian」", '"dalmatian"'),
    ("• dalmatian/eagle", "dalmatian or eagle"),
]


def thread_of_picture(team: Team, path: Path) -> tuple[str, str, Json]:
    """Return a channel, the start of a thread in it, and a reply with a picture."""
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text="a thread")
    first = team.person.messages(channel)[-1]["ts"]
    return channel, first, team.person.share(channel, path, thread_ts=first)


@pytest.mark.parametrize("place", ["command", "mention", "direct"])
def test_texts_as_they_arrive_are_understood_everywhere(team: Team, place: str) -> None:
    person = team.person
    channel = person.direct() if place == "direct" else person.channel()
    for text, meant in ARRIVING:
        typed = text.replace("&gt;", ">")
        before = {each["ts"] for each in person.messages(channel)}
        if place == "mention":
            mention(team, channel, text)
        else:
            person.ask("send", channel=channel, text=f"/findimg {typed}" if place == "command" else typed)
        answer = person.wait(channel, lambda each, before=before: each["ts"] not in before and "blocks" in each)
        expected = words(person.command(person.channel(), f"/findimg {meant}"))
        assert [line for line in words(answer).splitlines() if "match" in line] == [
            line for line in expected.splitlines() if "match" in line
        ], text


def test_first_greeting_in_a_direct_message_introduces_the_bot(team: Team) -> None:
    channel = team.person.direct()
    before = {each["ts"] for each in team.person.messages(channel)}
    team.person.ask("send", channel=channel, text="hi")
    answer = team.person.wait(channel, lambda each: each["ts"] not in before and "Find any of" in words(each))
    assert "thread_ts" not in answer


@pytest.mark.parametrize("shortcut", ["tag_image", "find_similar"])
def test_shortcut_on_a_reply_answers_in_its_thread(team: Team, samples: Path, shortcut: str) -> None:
    channel, first, reply = thread_of_picture(team, samples / "dalmatian.jpg")
    team.person.ask("shortcut", callback_id=shortcut, channel=channel, ts=reply["ts"])
    answer = team.person.wait(channel, lambda each: "*dalmatian.jpg*" in words(each))
    assert (answer["thread_ts"], answer["ephemeral"]) == (first, True)


def test_shortcut_on_a_reply_without_an_image_says_so_in_its_thread(team: Team) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text="a thread")
    first = team.person.messages(channel)[-1]["ts"]
    team.person.ask("send", channel=channel, text="no picture", thread_ts=first)
    reply = team.person.messages(channel)[-1]
    team.person.ask("shortcut", callback_id="tag_image", channel=channel, ts=reply["ts"])
    answer = team.person.wait(channel, lambda each: "That message has no image" in words(each))
    assert answer["thread_ts"] == first


def test_answer_that_has_expired_is_explained_in_the_thread_of_the_click(team: Team) -> None:
    channel = team.person.channel()
    question = mention(team, channel, "animal")
    answer = team.person.wait(channel, lambda each: "Images for *animal*" in words(each))
    kept = team.slack.workspace.team.message(channel, answer["ts"]).content["blocks"]
    for block in kept:
        for element in block.get("elements", ()):
            if element.get("action_id") == "next":
                team.slack.call(element.update, value="unknown")
    team.person.click(channel, answer, "next")
    told = team.person.wait(channel, lambda each: "That answer has expired" in words(each))
    assert told["thread_ts"] == question


def test_pictures_whose_event_names_only_their_id_are_answered(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    file = team.person.upload("dalmatian.jpg", (samples / "dalmatian.jpg").read_bytes())
    team.faults.file_stubs = True
    try:
        text = f"<@{team.slack.workspace.team.bot.id}> tag"
        team.person.ask("send", channel=channel, text=text, files=[file["id"]])
        team.person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))
    finally:
        team.faults.file_stubs = False


def test_heic_picture_of_a_phone_is_answered(team: Team, samples: Path) -> None:
    register_heif_opener()
    data = io.BytesIO()
    Image.open(samples / "dalmatian.jpg").convert("RGB").resize((1200, 1200)).save(data, "HEIF", quality=50)
    channel = team.person.channel()
    file = team.person.upload("IMG_1.HEIC", data.getvalue())
    text = f"<@{team.slack.workspace.team.bot.id}> what is this?"
    team.person.ask("send", channel=channel, text=text, files=[file["id"]])
    answer = team.person.wait(channel, lambda each: "Tags of *IMG_1.HEIC*" in words(each))
    assert "*dalmatian*" in words(answer)


def test_edit_of_a_question_is_not_answered_again(team: Team) -> None:
    channel = team.person.direct()
    ts = team.person.ask("send", channel=channel, text="dalmatian")["ts"]
    team.person.wait(channel, lambda each: "Images for *dalmatian*" in words(each) and each["ts"] > ts)
    count = len(team.person.messages(channel))
    team.slack.call(team.slack.workspace.person().edit, channel, ts, "eagle")
    team.person.ask("send", channel=channel, text="strawberry")
    team.person.wait(channel, lambda each: "*strawberry*" in words(each) and each["ts"] > ts)
    assert len(team.person.messages(channel)) == count + 2


def test_answer_reaches_its_person_in_an_archived_channel(team: Team) -> None:
    channel = team.person.channel()
    answer = team.person.command(channel, "/findimg animal")
    archived = team.slack.workspace.team.channel(channel)
    archived.is_archived = True
    try:
        team.person.choose(channel, answer, "similar")
        team.person.wait(channel, lambda each: "Images like" in words(each))
    finally:
        archived.is_archived = False


def test_click_of_another_organisation_is_refused(team: Team) -> None:
    workspace = team.slack.workspace
    shared = team.slack.call(workspace.team.add_channel, f"partners-{team.mode}", members=[workspace.me.id], bot=True)
    stranger = team.slack.call(workspace.team.add_stranger, f"stranger-{team.mode}", shared)
    guest = BrowserUser(workspace.address, stranger.token)
    team.person.ask("send", channel=shared.id, text=f"<@{workspace.team.bot.id}> animal")
    answer = team.person.wait(shared.id, lambda each: "Images for *animal*" in words(each))
    count = len(guest.messages(shared.id))
    guest.choose(shared.id, answer, "similar")
    until(lambda: [each for each in guest.messages(shared.id) if "only people of the workspace" in each["text"]])
    assert len(guest.messages(shared.id)) == count + 1
    assert not [each for each in guest.messages(shared.id) if "Images like" in words(each)]
