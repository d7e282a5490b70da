import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import button, refused, section
from tests.bot.person import BrowserUser
from tests.bot.team import WorkspaceThread


def test_message_is_posted_changed_linked_and_deleted(
    workspace: Workspace, client: WebClient, person: BrowserUser
) -> None:
    posted = client.chat_postMessage(channel="#general", text="hello", blocks=[section("hello")])
    channel = posted["channel"]
    [seen] = person.messages(channel)
    assert (seen["user"], seen["text"], seen["ts"]) == (workspace.team.bot.id, "hello", posted["ts"])
    assert seen["blocks"][0]["block_id"]

    client.chat_update(channel=channel, ts=posted["ts"], text="goodbye")
    [seen] = person.messages(channel)
    assert seen["text"] == "goodbye"
    assert "blocks" not in seen
    assert seen["edited"]["user"] == workspace.team.bot.id

    link = client.chat_getPermalink(channel=channel, message_ts=posted["ts"])["permalink"]
    assert link == f"https://findimg.slack.com/archives/{channel}/p{posted['ts'].replace('.', '')}"

    client.chat_delete(channel=channel, ts=posted["ts"])
    assert person.messages(channel) == []
    assert refused(client.chat_update, channel=channel, ts=posted["ts"], text="x")["error"] == "message_not_found"
    assert refused(client.chat_getPermalink, channel=channel, message_ts="1.2")["error"] == "message_not_found"


def test_blocks_and_elements_without_an_id_get_one(client: WebClient) -> None:
    action = {"type": "button", "text": {"type": "plain_text", "text": "x"}}
    blocks = [{"type": "actions", "elements": [action]}, section("x", accessory=action, block_id="mine")]
    first, second = client.chat_postMessage(channel="general", text="x", blocks=blocks)["message"]["blocks"]
    assert first["block_id"]
    assert first["elements"][0]["action_id"]
    assert second["block_id"] == "mine"
    assert second["accessory"]["action_id"]


def test_reply_to_a_reply_joins_the_same_thread(client: WebClient) -> None:
    first = client.chat_postMessage(channel="general", text="first")["ts"]
    second = client.chat_postMessage(channel="general", text="second", thread_ts=first)
    third = client.chat_postMessage(channel="general", text="third", thread_ts=second["ts"])
    assert third["message"]["thread_ts"] == first
    link = client.chat_getPermalink(channel=third["channel"], message_ts=third["ts"])["permalink"]
    assert link.endswith(f"?thread_ts={first}&cid={third['channel']}")


def test_message_to_a_user_id_opens_the_direct_message(
    workspace: Workspace, client: WebClient, person: BrowserUser
) -> None:
    posted = client.chat_postMessage(channel=workspace.me.id, text="hello")
    assert posted["channel"] == person.direct()
    assert [message["text"] for message in person.messages(person.direct())] == ["hello"]


def test_ephemeral_message_is_visible_to_one_person_only(
    slack: WorkspaceThread, client: WebClient, person: BrowserUser
) -> None:
    workspace = slack.workspace
    other = slack.call(workspace.team.add_user, "ann")
    channel = workspace.team.channel("general").id
    ts = client.chat_postEphemeral(channel=channel, user=workspace.me.id, text="psst")["message_ts"]
    assert [message["ephemeral"] for message in person.messages(channel)] == [True]
    assert BrowserUser(workspace.address, other.token).messages(channel) == []
    assert client.conversations_history(channel=channel)["messages"] == []
    for call in (client.chat_update, client.chat_delete):
        assert refused(call, channel=channel, ts=ts, text="x")["error"] == "message_not_found"


def test_ephemeral_message_needs_person_and_bot_in_the_channel(slack: WorkspaceThread, client: WebClient) -> None:
    team, me = slack.workspace.team, slack.workspace.me
    other = slack.call(team.add_user, "ann")
    small = slack.call(team.add_channel, "small", members=[me.id])
    foreign = slack.call(team.add_channel, "foreign", bot=False)

    def error(channel: str, user: str) -> str:
        return str(refused(client.chat_postEphemeral, channel=channel, user=user, text="x")["error"])

    assert error(small.id, other.id) == "user_not_in_channel"
    assert error(foreign.id, me.id) == "not_in_channel"
    assert error("C0NOWHERE", me.id) == "channel_not_found"


def test_bot_posts_only_in_its_own_channels(slack: WorkspaceThread, client: WebClient) -> None:
    team = slack.workspace.team
    slack.call(team.add_channel, "public", bot=False)
    slack.call(team.add_channel, "secret", private=True, bot=False)
    stranger = slack.call(slack.workspace.add_team, "strangers")
    errors = {
        name: refused(client.chat_postMessage, channel=name, text="x")["error"]
        for name in ("public", "secret", "nowhere", stranger.channel("general").id)
    }
    assert list(errors.values()) == ["not_in_channel", "channel_not_found", "channel_not_found", "channel_not_found"]


def test_bot_changes_only_its_own_messages(workspace: Workspace, client: WebClient, person: BrowserUser) -> None:
    channel = workspace.team.channel("general").id
    ts = person.ask("send", channel=channel, text="mine")["ts"]
    assert refused(client.chat_update, channel=channel, ts=ts, text="x")["error"] == "cant_update_message"
    assert refused(client.chat_delete, channel=channel, ts=ts)["error"] == "cant_delete_message"


def test_message_text_has_a_minimum_and_a_maximum_length(client: WebClient) -> None:
    assert refused(client.api_call, "chat.postMessage", json={"channel": "general"})["error"] == "no_text"
    assert refused(client.chat_postMessage, channel="general", text="x" * 40_001)["error"] == "msg_too_long"
    posted = client.chat_postMessage(channel="general", text="x" * 40_000)
    target = {"channel": posted["channel"], "ts": posted["ts"]}
    assert refused(client.chat_update, **target, text="x" * 4001)["error"] == "msg_too_long"


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.postEphemeral", "chat.update"])
def test_error_for_blocks_has_a_json_pointer(workspace: Workspace, client: WebClient, method: str) -> None:
    posted = client.chat_postMessage(channel="general", text="x")
    arguments = {"channel": posted["channel"], "ts": posted["ts"], "user": workspace.me.id, "text": "x"}
    blocks = [{"type": "actions", "elements": [button("a", value="x" * 2001)]}]
    answer = refused(client.api_call, method, json=arguments | {"blocks": blocks})
    problem = "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == [problem]
    assert answer["response_metadata"]["messages"] == [f"[ERROR] {problem}"]
