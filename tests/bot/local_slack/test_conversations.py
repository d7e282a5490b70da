from slack_sdk import WebClient

from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import refused
from tests.bot.person import BrowserUser
from tests.bot.team import WorkspaceThread


def texts(answer: object) -> list[str]:
    return [message["text"] for message in answer["messages"]]  # type: ignore[index]


def test_history_is_paged_newest_first(client: WebClient, workspace: Workspace) -> None:
    channel = workspace.team.channel("general").id
    sent = [client.chat_postMessage(channel=channel, text=f"message {number}")["ts"] for number in range(5)]
    client.chat_postMessage(channel=channel, text="a reply", thread_ts=sent[4])
    first = client.conversations_history(channel=channel, limit=3)
    assert texts(first) == ["message 4", "message 3", "message 2"]
    assert (first["messages"][0]["reply_count"], first["has_more"]) == (1, True)
    rest = client.conversations_history(channel=channel, cursor=first["response_metadata"]["next_cursor"])
    assert texts(rest) == ["message 1", "message 0"]
    assert texts(client.conversations_history(channel=channel, oldest=sent[1], latest=sent[3])) == ["message 2"]
    between = client.conversations_history(channel=channel, oldest=sent[1], latest=sent[3], inclusive=True)
    assert texts(between) == ["message 3", "message 2", "message 1"]
    assert refused(client.conversations_history, channel=channel, cursor="x")["error"] == "invalid_cursor"


def test_replies_are_listed_oldest_first(client: WebClient, workspace: Workspace, person: BrowserUser) -> None:
    channel = workspace.team.channel("general").id
    ts = person.ask("send", channel=channel, text="a question")["ts"]
    client.chat_postMessage(channel=channel, text="an answer", thread_ts=ts)
    client.chat_postMessage(channel=channel, text="something else")
    answer = client.conversations_replies(channel=channel, ts=ts)
    assert texts(answer) == ["a question", "an answer"]
    assert answer["messages"][1]["parent_user_id"] == workspace.me.id
    one = client.conversations_replies(channel=channel, ts=ts, latest=ts, inclusive=True, limit=1)
    assert texts(one) == ["a question"]
    assert refused(client.conversations_replies, channel=channel, ts="1.2")["error"] == "thread_not_found"


def test_bot_reads_only_its_own_channels(slack: WorkspaceThread, client: WebClient) -> None:
    team = slack.workspace.team
    public = slack.call(team.add_channel, "public", bot=False)
    secret = slack.call(team.add_channel, "secret", private=True, bot=False)
    assert refused(client.conversations_history, channel=public.id)["error"] == "not_in_channel"
    assert refused(client.conversations_history, channel=secret.id)["error"] == "channel_not_found"
    assert refused(client.conversations_replies, channel="C0NOWHERE", ts="1.2")["error"] == "channel_not_found"


def test_private_channels_need_the_groups_scope(slack: WorkspaceThread, client: WebClient) -> None:
    team = slack.workspace.team
    team.scopes -= {"groups:history"}
    secret = slack.call(team.add_channel, "secret", private=True)
    assert refused(client.conversations_history, channel=secret.id)["needed"] == "groups:history"
    assert client.conversations_history(channel=team.channel("general").id)["ok"]


def test_channels_and_users_are_described(slack: WorkspaceThread, client: WebClient) -> None:
    workspace, team = slack.workspace, slack.workspace.team
    team.scopes |= {"channels:read", "groups:read", "im:read", "im:write", "users:read"}
    slack.call(team.add_channel, "public", bot=False)
    slack.call(team.add_channel, "secret", private=True, bot=False)
    listed = client.conversations_list(types="public_channel,private_channel")["channels"]
    assert {channel["name"]: channel["is_member"] for channel in listed} == {"general": True, "public": False}
    assert refused(client.conversations_list, types="no_such_type")["error"] == "invalid_types"
    assert refused(client.conversations_list, types="mpim")["needed"] == "mpim:read"
    opened = client.conversations_open(users=workspace.me.id)["channel"]
    assert (opened["is_im"], opened["user"]) == (True, workspace.me.id)
    assert client.conversations_info(channel=opened["id"])["channel"]["id"] == opened["id"]
    assert refused(client.conversations_info, channel="secret")["error"] == "channel_not_found"
    assert refused(client.conversations_open, users="U0NOBODY")["error"] == "user_not_found"
    assert client.users_info(user=workspace.me.id)["user"]["name"] == "you"
    assert refused(client.users_info, user="U0NOBODY")["error"] == "user_not_found"
    assert client.bots_info(bot=team.bot_id)["bot"]["user_id"] == team.bot.id
