"""Test edits, forwards, workflows, other organisations and group messages."""

from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.actions.services import UserActionError
from findimg_bot.local_slack.model.messages import rich_text
from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import read_manifest
from tests.bot.local_slack.conftest import Bot, png, refused
from tests.bot.person import BrowserUser, Json
from tests.bot.team import WorkspaceThread

Connect = Callable[..., Bot]


@pytest.fixture
def slack() -> Any:
    """Return a workspace with an app that subscribes to every kind of message."""
    manifest = read_manifest()
    kinds = ("channels", "groups", "mpim")
    manifest["settings"]["event_subscriptions"]["bot_events"] += [f"message.{kind}" for kind in kinds]
    manifest["oauth_config"]["scopes"]["bot"] += ["mpim:history"]
    threaded = WorkspaceThread(manifest)
    yield threaded
    threaded.stop()


def events(bot: Bot, count: int) -> list[Json]:
    """Return the payloads of the received events, after waiting for `count` of them."""
    bot.wait(count)
    return [each.payload for each in bot.seen]


def test_edit_is_sent_with_the_text_before(slack: WorkspaceThread, workspace: Workspace, connect: Connect) -> None:
    me = workspace.person()
    ts = slack.run(me.send("general", "cat"))
    bot = connect()
    slack.call(me.edit, "general", ts, "dog & cat")
    event = events(bot, 1)[0]["event"]
    assert (event["subtype"], event["message"]["text"], event["previous_message"]["text"]) == (
        "message_changed",
        "dog &amp; cat",
        "cat",
    )
    assert event["message"]["edited"]["user"] == workspace.me.id


def test_forwarded_message_carries_its_files(
    slack: WorkspaceThread, workspace: Workspace, connect: Connect, person: BrowserUser
) -> None:
    me, target = workspace.person(), person.channel("target")
    file = slack.call(me.upload, "cat.png", png())
    ts = slack.run(me.send("general", "look", files=[file.id]))
    bot = connect()
    slack.call(me.forward, "general", ts, "target", f"<@{workspace.team.bot.id}>")
    mention = next(each["event"] for each in events(bot, 2) if each["event"]["type"] == "app_mention")
    assert "files" not in mention
    attachment = mention["attachments"][0]
    assert (attachment["is_share"], attachment["text"]) == (True, "look")
    assert [each["id"] for each in attachment["files"]] == [file.id]
    shown = person.messages(target)[-1]["attachments"][0]
    assert [each["name"] for each in shown["files"]] == ["cat.png"]


def test_workflow_message_has_no_user(
    slack: WorkspaceThread, workspace: Workspace, connect: Connect, person: BrowserUser
) -> None:
    bot = connect()
    general = workspace.team.channel("general")
    assert general
    slack.call(workspace.post_as_workflow, general, f"<@{workspace.team.bot.id}> cat")
    for payload in events(bot, 2):
        assert "user" not in payload["event"]
        assert payload["event"]["subtype"] == "bot_message"
    assert person.messages(general.id)[-1]["username"] == "Workflow"


def test_other_organisation_is_named_in_events(slack: WorkspaceThread, workspace: Workspace, connect: Connect) -> None:
    general = workspace.team.channel("general")
    assert general
    stranger = slack.call(workspace.team.add_stranger, "guest", general)
    bot = connect()
    slack.run(workspace.person(stranger).send("general", f"<@{workspace.team.bot.id}> cat"))
    for payload in events(bot, 2):
        assert payload["is_ext_shared_channel"]
        assert payload["event"]["user_team"] == stranger.home_team != workspace.team.id


def test_other_organisation_has_no_commands(slack: WorkspaceThread, workspace: Workspace, connect: Connect) -> None:
    general = workspace.team.channel("general")
    stranger = workspace.person(slack.call(workspace.team.add_stranger, "visitor", general))
    connect()
    with pytest.raises(UserActionError, match="/findimg is not a valid command"):
        slack.run(stranger.send("general", "/findimg cat"))
    with pytest.raises(UserActionError, match="gives no results to searches"):
        slack.run(stranger.search("cat"))
    with pytest.raises(UserActionError, match="There is no step"):
        slack.run(stranger.run_step("find_pictures", {"words": "cat"}))


def test_group_direct_message_is_an_mpim(
    slack: WorkspaceThread, workspace: Workspace, connect: Connect, client: WebClient, person: BrowserUser
) -> None:
    friend = slack.call(workspace.team.add_user, "friend")
    group = slack.call(workspace.team.group_direct, [workspace.me, friend])
    bot = connect()
    slack.run(workspace.person().send(group.id, "cat"))
    event = events(bot, 1)[0]["event"]
    assert (event["channel_type"], event["channel"]) == ("mpim", group.id)
    assert client.chat_postMessage(channel=group.id, text="found")["ok"]
    assert "friend, you" in [each["name"] for each in person.state()["channels"]]


def test_archived_channel_refuses_messages(
    slack: WorkspaceThread, workspace: Workspace, client: WebClient, person: BrowserUser
) -> None:
    channel = person.channel("old")
    workspace.team.channels[channel].is_archived = True
    assert refused(client.chat_postMessage, channel=channel, text="cat")["error"] == "is_archived"
    assert person.try_to("send", channel=channel, text="cat")["error"] == "This channel is archived."
    assert channel not in [each["id"] for each in person.state()["channels"]]


def test_file_stub_leads_to_files_info(
    slack: WorkspaceThread, workspace: Workspace, connect: Connect, client: WebClient
) -> None:
    me, bot = workspace.person(), connect()
    workspace.faults.file_stubs = True
    file = slack.call(me.upload, "cat.png", png())
    slack.run(me.send("general", "look", files=[file.id]))
    stub = events(bot, 1)[0]["event"]["files"][0]
    assert stub["file_access"] == "check_file_info"
    assert not stub.keys() & {"mimetype", "url_private"}
    assert client.files_info(file=stub["id"])["file"]["mimetype"] == "image/png"


def test_disabled_socket_mode_is_reported(slack: WorkspaceThread, workspace: Workspace) -> None:
    web = WebClient(base_url=workspace.api_url)
    url = str(web.apps_connections_open(app_token=workspace.app_token)["url"])

    async def last_frames() -> list[Json]:
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            hello = await socket.receive_json()
            await workspace.sockets.switch_off()
            return [hello, await socket.receive_json()]

    hello, disconnect = slack.run(last_frames())
    assert (hello["type"], disconnect["type"], disconnect["reason"]) == ("hello", "disconnect", "link_disabled")
    assert refused(web.apps_connections_open, app_token=workspace.app_token)["error"] == "link_disabled"


@pytest.mark.parametrize(
    ("typed", "sent"), [("🍕", ":pizza:"), ("a 🍕!", "a :pizza:!"), (":pizza:", ":pizza:"), ("10:30:15", "10:30:15")]
)
def test_emoji_are_sent_as_names(
    slack: WorkspaceThread, workspace: Workspace, connect: Connect, typed: str, sent: str
) -> None:
    bot = connect()
    slack.run(workspace.person().send("general", typed))
    assert events(bot, 1)[0]["event"]["text"] == sent


def test_command_gets_ids_only_with_should_escape(
    slack: WorkspaceThread, workspace: Workspace, connect: Connect, person: BrowserUser
) -> None:
    bot = connect()
    person.ask("send", channel="general", text="/findimg @you in #general 🍕")
    assert bot.wait().payload["text"] == "@you in #general :pizza:"
    for command in workspace.manifest["features"]["slash_commands"]:
        command["should_escape"] = True
    person.ask("send", channel="general", text="/findimg @you in #general @nobody")
    general = workspace.team.channel("general")
    assert general
    expected = f"<@{workspace.me.id}|you> in <#{general.id}|general> @nobody"
    assert bot.wait(2).payload["text"] == expected


def test_rich_text_has_an_element_for_each_kind() -> None:
    block = rich_text("see <@U1> in <#C1|general> &amp; <https://example.org/|site> :pizza: <!here>")
    assert block["elements"][0]["elements"] == [
        {"type": "text", "text": "see "},
        {"type": "user", "user_id": "U1"},
        {"type": "text", "text": " in "},
        {"type": "channel", "channel_id": "C1"},
        {"type": "text", "text": " & "},
        {"type": "link", "url": "https://example.org/", "text": "site"},
        {"type": "text", "text": " "},
        {"type": "emoji", "name": "pizza"},
        {"type": "text", "text": " "},
        {"type": "broadcast", "range": "here"},
    ]
