"""Test messages of real chats: forwards, several pictures, workflows, threads, direct messages, small talk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from slack_sdk import WebClient

from tests.bot.person import Json, elements, images, until, words
from tests.bot.team import Team

pytestmark = pytest.mark.slow
GOOGLE_DOC = {
    "id": "F0DRIVE",
    "mode": "external",
    "external_type": "gdrive",
    "is_external": True,
    "mimetype": "application/vnd.google-apps.document",
    "url_private": "https://docs.google.com/document/d/1",
}


def send_event(team: Team, name: str, event: Json, **envelope: Any) -> None:
    """Let Slack send an event as it is."""
    workspace = team.slack.workspace
    team.slack.call(workspace.services.events.send, workspace.team, name, event, **envelope)


def mention(team: Team, channel: str, text: str, **more: Any) -> str:
    """Let Slack send a mention of the bot; return its timestamp."""
    workspace = team.slack.workspace
    ts = team.slack.call(workspace.team.next_ts)
    content = {"text": f"<@{workspace.team.bot.id}> {text}", "user": workspace.me.id, **more}
    content = {name: value for name, value in content.items() if value is not None}
    send_event(team, "app_mention", {"type": "app_mention", "channel": channel, "ts": ts, "event_ts": ts, **content})
    return str(ts)


def shared_file(team: Team, channel: str, path: Path) -> Json:
    """Return a file in a channel, as in a message."""
    workspace = team.slack.workspace
    file = team.person.share(channel, path)["files"][0]["id"]
    client = WebClient(workspace.bot_token, base_url=workspace.api_url)
    return dict(client.files_info(file=file)["file"])


def test_forwarded_picture_is_answered(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    file = shared_file(team, team.person.channel(), samples / "dalmatian.jpg")
    mention(team, channel, "", attachments=[{"is_share": True, "text": "look", "files": [file]}])
    team.person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))


def test_file_that_must_be_requested_is_answered(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    file = shared_file(team, channel, samples / "dalmatian.jpg")
    mention(team, channel, "", files=[{"id": file["id"], "file_access": "check_file_info"}])
    team.person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))


@pytest.mark.parametrize(("mode", "reason"), [("tombstone", "was deleted"), ("hidden_by_limit", "storage limit")])
def test_unusable_file_is_explained(team: Team, mode: str, reason: str) -> None:
    channel = team.person.channel()
    mention(team, channel, "", files=[{"id": "F0GONE", "mode": mode}])
    team.person.wait(channel, lambda each: reason in words(each))


def test_every_picture_of_a_message_is_tagged(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    files = [shared_file(team, channel, samples / name) for name in ("dalmatian.jpg", "cat.png")]
    mention(team, channel, "what is this?", files=files)
    answer = team.person.wait(channel, lambda each: "Tags of *cat.png*" in words(each))
    assert "Tags of *dalmatian.jpg*" in words(answer)


def test_pictures_beside_one_that_cannot_be_read_are_tagged(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    file = shared_file(team, channel, samples / "dalmatian.jpg")
    broken = team.person.upload("broken.jpg", b"\xff\xd8\xff no picture")
    team.person.ask("send", channel=channel, text="", files=[broken["id"]])
    external = GOOGLE_DOC | {"mimetype": "image/png", "name": "drive.png"}
    mention(team, channel, "tag", files=[file, {"id": broken["id"]}, external])
    answer = team.person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))
    assert "*broken.jpg*: " in words(answer)
    assert "*drive.png*: That image is not stored in Slack" in words(answer)


@pytest.mark.parametrize(
    "more", [{"mimetype": "application/octet-stream"}, {"mimetype": "IMAGE/JPEG"}, {"url_private": None}]
)
def test_picture_without_its_type_or_address_is_answered(team: Team, samples: Path, more: Json) -> None:
    channel = team.person.channel()
    mention(team, channel, "tag", files=[shared_file(team, channel, samples / "dalmatian.jpg") | more])
    team.person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))


def test_similar_asks_which_of_several_pictures(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    files = [shared_file(team, channel, samples / name) for name in ("dalmatian.jpg", "cat.png")]
    mention(team, channel, "similar", files=files)
    question = team.person.wait(channel, lambda each: "Similar images to which picture?" in words(each))
    ((block, menu),) = elements(question["blocks"])
    (group,) = menu["option_groups"]
    assert [option["text"]["text"] for option in group["options"]] == ["dalmatian.jpg", "cat.png"]
    ids = {"block_id": block["block_id"], "action_id": menu["action_id"]}
    value = group["options"][1]["value"]
    team.person.ask("action", channel=channel, ts=question["ts"], value=value, **ids)
    team.person.wait(channel, lambda each: "Images like *cat.png*" in words(each))


def test_filters_beside_a_picture_narrow_the_similar_images(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    file = shared_file(team, channel, samples / "cat.png")
    mention(team, channel, "type:png", files=[file])
    answer = team.person.wait(channel, lambda each: "Images like *cat.png*" in words(each))
    names = [image["alt_text"].split(":")[0] for image in images(answer)]
    assert {Path(name).suffix for name in names[1:]} == {".png"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("what is this?", "Tags of *dalmatian.jpg*"), ("tag", "Tags of *dalmatian.jpg*"), ("similar", "Images like")],
)
def test_words_in_a_pictures_thread_are_about_the_picture(team: Team, samples: Path, text: str, said: str) -> None:
    channel = team.person.channel()
    first = team.person.share(channel, samples / "dalmatian.jpg")
    mention(team, channel, text, thread_ts=first["ts"])
    answer = team.person.wait(channel, lambda each: said in words(each) and each.get("thread_ts") == first["ts"])
    assert "dalmatian.jpg" in words(answer)


def test_words_outside_of_a_thread_are_about_the_newest_picture(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    mention(team, channel, "What’s this?")
    team.person.wait(channel, lambda each: "There is no picture here" in words(each))
    team.person.share(channel, samples / "dalmatian.jpg")
    mention(team, channel, "What’s this?")
    team.person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))


def test_picture_in_a_reply_is_found(team: Team, samples: Path) -> None:
    channel = team.person.channel()
    team.person.ask("send", channel=channel, text="Look what I found")
    first = team.person.messages(channel)[-1]["ts"]
    team.person.share(channel, samples / "cat.png", thread_ts=first)
    mention(team, channel, "tag please", thread_ts=first)
    answer = team.person.wait(channel, lambda each: "Tags of *cat.png*" in words(each))
    # A modal that is opened in a thread answers in it.
    team.person.click(channel, answer, "choose_to_tag")
    modal = until(lambda: team.person.state()["modal"])
    file = team.person.upload("dalmatian.jpg", (samples / "dalmatian.jpg").read_bytes())
    values = {"image": {"file": {"type": "file_input", "files": [file["id"]]}}}
    team.person.ask("submit", view_id=modal["id"], values=values)
    chosen = team.person.wait(channel, lambda each: "Tags of *dalmatian.jpg*" in words(each))
    assert (chosen["ephemeral"], chosen["thread_ts"]) == (True, first)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({"id": "F0PDF", "mimetype": "application/pdf", "mode": "hosted"}, "That file is not an image"),
        ({"id": "F0OTHER", "file_access": "check_file_info"}, "not visible to findimg"),
        ({"id": "F0DENIED", "file_access": "access_denied"}, "not visible to findimg"),
        ({"id": "F0DENIED", "file_access": "access_denied", "mimetype": "image/jpeg"}, "not visible to findimg"),
        ({"id": "F0CANVAS", "mimetype": "application/vnd.slack-docs", "mode": "quip"}, "That file is not an image"),
        ({"id": "F0POST", "mimetype": "text/plain", "mode": "space"}, "That file is not an image"),
        ({"id": "F0SNIPPET", "mimetype": "text/plain", "mode": "snippet"}, "That file is not an image"),
        ({"id": "F0VIDEO", "mimetype": "video/mp4", "mode": "hosted"}, "That file is not an image"),
        (GOOGLE_DOC, "That file is not an image"),
        (GOOGLE_DOC | {"mimetype": "image/jpeg"}, "not stored in Slack"),
        (GOOGLE_DOC | {"mimetype": "", "filetype": "jpg", "external_type": "box"}, "not stored in Slack"),
    ],
)
def test_file_that_cannot_be_used_is_named(team: Team, file: Json, said: str) -> None:
    channel = team.person.channel()
    mention(team, channel, "what is this?", files=[file])
    team.person.wait(channel, lambda each: said in words(each))


def test_forwarded_answer_asks_which_picture(team: Team) -> None:
    channel = team.person.channel()
    mention(team, channel, "animal")
    answer = team.person.wait(channel, lambda each: "Images for *animal*" in words(each))
    workspace = team.slack.workspace
    ts = team.slack.call(workspace.person().forward, channel, answer["ts"], channel)
    team.person.ask("shortcut", callback_id="find_similar", channel=channel, ts=ts)
    question = team.person.wait(channel, lambda each: "Which picture of this answer?" in words(each))
    assert len(next(elements(question["blocks"]))[1]["option_groups"][0]["options"]) == 8


def test_failing_home_tab_leaves_no_traceback(team: Team, failing: Callable[..., None]) -> None:
    failing("views.publish", "internal_error")
    team.person.ask("home")
    until(lambda: "The Home tab could not be shown" in team.log.read_text())
    assert "Traceback" not in team.log.read_text()


def test_shortcut_on_an_answer_asks_which_picture(team: Team) -> None:
    channel = team.person.channel()
    ts = mention(team, channel, "animal")
    answer = team.person.wait(channel, lambda each: "Images for *animal*" in words(each))
    assert answer["thread_ts"] == ts
    team.person.ask("shortcut", callback_id="tag_image", channel=channel, ts=answer["ts"])
    question = team.person.wait(channel, lambda each: "Which picture of this answer?" in words(each))
    ((block, menu),) = elements(question["blocks"])
    option = menu["option_groups"][0]["options"][2]
    ids = {"block_id": block["block_id"], "action_id": menu["action_id"]}
    team.person.ask("action", channel=channel, ts=question["ts"], value=option["value"], **ids)
    team.person.wait(channel, lambda each: f"Tags of *{option['text']['text']}*" in words(each))


def test_mention_by_a_workflow_is_answered_in_its_thread(team: Team) -> None:
    channel = team.person.channel()
    ts = mention(team, channel, "dalmatian", user=None, bot_id="B0WORKFLOW", subtype="bot_message")
    answer = team.person.wait(channel, lambda each: "Images for *dalmatian*" in words(each))
    assert answer["thread_ts"] == ts
    assert "Traceback" not in team.log.read_text()


def test_group_direct_message_is_answered_in_its_thread(team: Team, samples: Path) -> None:
    workspace = team.slack.workspace
    other = team.slack.call(workspace.team.add_user, f"friend-{team.mode}")
    group = team.slack.call(workspace.team.group_direct, [workspace.me, other]).id
    bot = f"<@{workspace.team.bot.id}>"
    question = team.person.ask("send", channel=group, text=f"{bot} animal")["ts"]
    answer = team.person.wait(group, lambda each: "Images for *animal*" in words(each))
    assert answer["thread_ts"] == question
    team.person.share(group, samples / "dalmatian.jpg")
    team.person.ask("send", channel=group, text=f"{bot} what is this?")
    team.person.wait(group, lambda each: "Tags of *dalmatian.jpg*" in words(each))
    assert "cat.png" in words(team.person.command(group, "/findimg cat"))


def test_direct_message_is_answered_in_the_conversation(team: Team) -> None:
    channel = team.person.direct()
    team.person.ask("send", channel=channel, text="bird")
    answer = team.person.wait(channel, lambda each: "Images for *bird*" in words(each))
    assert "thread_ts" not in answer
    following = len(team.person.messages(channel))
    team.person.choose(channel, answer, "similar")
    until(lambda: len(team.person.messages(channel)) > following)
    assert "thread_ts" not in team.person.messages(channel)[-1]


def test_reply_that_is_also_sent_to_the_channel_is_answered(team: Team) -> None:
    workspace, channel = team.slack.workspace, team.person.direct()
    ts = team.slack.call(workspace.team.next_ts)
    content = {"text": "eagle", "user": workspace.me.id, "channel": channel, "channel_type": "im"}
    event = {"type": "message", "subtype": "thread_broadcast", "ts": ts, "event_ts": ts, **content}
    send_event(team, "message.im", event)
    team.person.wait(channel, lambda each: "Images for *eagle*" in words(each))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hi", "Find any of *31 images* here"),
        ("thanks!", "Type what a picture shows to find it"),
        ("help!", "Find images by what they show"),
        ("?", "Find images by what they show"),
        ("https://example.com/cat.jpg", "only at pictures in Slack"),
    ],
)
def test_small_talk_and_help_get_one_friendly_answer(team: Team, text: str, said: str) -> None:
    channel = team.person.channel()
    mention(team, channel, text)
    team.person.wait(channel, lambda each: said in words(each))


@pytest.mark.parametrize("error", ["restricted_action", "is_archived"])
def test_answer_is_private_where_posting_is_restricted(team: Team, error: str, failing: Callable[..., None]) -> None:
    channel = team.person.channel()
    failing("chat.postMessage", error)
    mention(team, channel, "dalmatian")
    answer = team.person.wait(channel, lambda each: "Images for *dalmatian*" in words(each))
    assert answer["ephemeral"]
    assert "Only you see this, because" in words(answer)


def test_rate_limit_is_named(team: Team, samples: Path, failing: Callable[..., None]) -> None:
    channel = team.person.channel()
    failing("files.info", "ratelimited")
    mention(team, channel, "", files=[{"id": "F0STUB", "file_access": "check_file_info"}])
    team.person.wait(channel, lambda each: "Slack limits how often findimg may call it" in words(each))


@pytest.fixture
def failing(team: Team) -> Any:
    """Let a method of the Web API fail until the end of the test."""

    def fail(method: str, error: str) -> None:
        team.faults.failing[method] = error

    yield fail
    team.faults.failing.clear()


def test_expired_trigger_is_explained(team: Team, failing: Callable[..., None]) -> None:
    channel = team.person.channel()
    failing("views.open", "expired_trigger_id")
    team.person.ask("send", channel=channel, text="/tag")
    team.person.wait(channel, lambda each: "Slack allows only 3 seconds" in words(each))
