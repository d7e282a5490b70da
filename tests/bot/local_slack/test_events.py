from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import Surfaces, read_manifest
from tests.bot.local_slack.conftest import Bot, png
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import WorkspaceThread


def events(bot: Bot) -> list[Json]:
    return [dict(request.payload["event"]) for request in bot.seen if request.type == "events_api"]


def kinds(bot: Bot) -> list[tuple[Any, Any]]:
    return [(event["type"], event.get("subtype")) for event in events(bot)]


@pytest.fixture
def bot(connect: Callable[..., Bot]) -> Bot:
    return connect()


def test_mention_event_has_its_thread_and_files(
    slack: WorkspaceThread, bot: Bot, person: BrowserUser, client: WebClient
) -> None:
    team = slack.workspace.team
    channel = team.channel("general").id
    ts = person.ask("send", channel=channel, text="no event for this")["ts"]
    file = person.upload("cat.png", png())
    text = f"<@{team.bot.id}> what is <this>?"
    sent = person.ask("send", channel=channel, text=text, thread_ts=ts, files=[file["id"]])
    event = bot.wait().payload["event"]
    slack.run(slack.workspace.settle())
    assert kinds(bot) == [("app_mention", None)]
    assert (event["user"], event["channel"]) == (slack.workspace.me.id, channel)
    assert (event["ts"], event["thread_ts"]) == (sent["ts"], ts)
    assert event["text"] == f"<@{team.bot.id}> what is &lt;this&gt;?"
    assert event["files"][0] == client.files_info(file=file["id"])["file"]


def test_event_names_its_team_app_and_bot(workspace: Workspace, bot: Bot, person: BrowserUser) -> None:
    person.ask("home")
    payload = bot.wait().payload
    assert payload["type"] == "event_callback"
    assert (payload["team_id"], payload["api_app_id"]) == (workspace.team.id, workspace.app_id)
    assert payload["event_id"].startswith("Ev")
    [authorization] = payload["authorizations"]
    assert (authorization["team_id"], authorization["user_id"]) == (workspace.team.id, workspace.team.bot.id)


def test_direct_messages_are_events_including_the_bots_own(
    slack: WorkspaceThread, bot: Bot, person: BrowserUser, client: WebClient
) -> None:
    direct, team = person.direct(), slack.workspace.team
    person.ask("send", channel=direct, text=f"<@{team.bot.id}> cat")
    person.ask("send", channel=direct, text="", files=[person.upload("cat.png", png())["id"]])
    posted = client.chat_postMessage(channel=direct, text="hello")
    client.chat_update(channel=direct, ts=posted["ts"], text="goodbye")
    client.chat_delete(channel=direct, ts=posted["ts"])
    client.chat_postEphemeral(channel=direct, user=slack.workspace.me.id, text="psst")
    slack.run(slack.workspace.settle())
    assert sorted(kinds(bot), key=str) == sorted(
        [
            ("message", None),
            ("message", "file_share"),
            ("message", None),
            ("message", "message_changed"),
            ("message", "message_deleted"),
        ],
        key=str,
    )
    assert {event["channel_type"] for event in events(bot)} == {"im"}
    own = [event for event in events(bot) if event.get("bot_id")]
    assert [event["text"] for event in own] == ["hello"]
    [changed] = [event for event in events(bot) if event.get("subtype") == "message_changed"]
    assert (changed["previous_message"]["text"], changed["message"]["text"]) == ("hello", "goodbye")


def test_mention_outside_the_bots_channels_is_no_event(slack: WorkspaceThread, bot: Bot, person: BrowserUser) -> None:
    team = slack.workspace.team
    channel = slack.call(team.add_channel, "foreign", bot=False)
    person.ask("send", channel=channel.id, text=f"<@{team.bot.id}> cat")
    slack.run(slack.workspace.settle())
    assert bot.seen == []


def test_changes_of_channels_and_files_are_events() -> None:
    slack = WorkspaceThread(read_manifest(surfaces=Surfaces(live=True)))
    workspace = slack.workspace
    bot = Bot(workspace)
    slack.run(bot.connect())
    until(lambda: workspace.sockets.connections == 1)
    try:
        channel = slack.call(workspace.team.add_channel, "photos")
        private = slack.call(workspace.team.add_channel, "board", private=True)
        person, actions = workspace.person(), workspace.channel_actions()
        file = slack.call(person.upload, "cat.png", png())
        ts = slack.run(person.send(channel.id, "", files=[file.id]))
        slack.call(actions.delete_message, channel, ts)
        slack.call(actions.delete_file, file)  # no event: it is in no channel of the bot any more
        second = slack.call(person.upload, "cat.png", png())
        slack.run(person.send(private.id, "", files=[second.id]))
        slack.call(actions.delete_file, second)
        for act in (actions.leave, actions.join, actions.remove_bot, actions.invite_bot):
            slack.call(act, private)
        slack.call(actions.archive, channel)
        slack.call(actions.unarchive, channel)
        slack.run(workspace.settle())
    finally:
        slack.run(bot.client.close())
        slack.stop()
    happened = [
        (event["type"], event.get("subtype"), event.get("channel", event.get("channel_id"))) for event in events(bot)
    ]
    assert sorted(happened, key=str) == sorted(
        [
            ("file_shared", None, channel.id),
            ("message", "file_share", channel.id),
            ("message", "message_deleted", channel.id),
            ("file_shared", None, private.id),
            ("message", "file_share", private.id),
            ("file_deleted", None, None),
            ("member_left_channel", None, private.id),
            ("member_joined_channel", None, private.id),
            ("group_left", None, private.id),
            ("member_joined_channel", None, private.id),
            ("channel_archive", None, channel.id),
            ("channel_unarchive", None, channel.id),
        ],
        key=str,
    )


@pytest.mark.parametrize(("scope", "subscription"), [("app_mentions:read", ""), ("", "app_mention")])
def test_event_needs_its_scope_and_subscription(
    person: BrowserUser, slack: WorkspaceThread, connect: Callable[..., Bot], scope: str, subscription: str
) -> None:
    team = slack.workspace.team
    team.scopes -= {scope}
    slack.workspace.services.events._subscribed -= {subscription}
    bot = connect()
    person.ask("send", channel="general", text=f"<@{team.bot.id}> cat")
    slack.run(slack.workspace.settle())
    assert bot.seen == []


def test_unacknowledged_event_is_retried_with_the_same_event_id(
    slack: WorkspaceThread, connect: Callable[..., Bot], person: BrowserUser
) -> None:
    slack.workspace.timing.acknowledge = 0.1
    slack.workspace.timing.retries = (0.0, 0.0, 0.0)
    bot = connect(lambda request: None)
    person.ask("home")
    slack.run(slack.workspace.settle())
    assert [(request.retry_attempt, request.retry_reason) for request in bot.seen] == [
        (0, ""),
        (1, "timeout"),
        (2, "timeout"),
        (3, "timeout"),
    ]
    assert len({request.payload["event_id"] for request in bot.seen}) == 1
    assert len({request.envelope_id for request in bot.seen}) == 4


def test_undelivered_event_goes_to_the_next_connection(
    slack: WorkspaceThread, connect: Callable[..., Bot], person: BrowserUser
) -> None:
    slack.workspace.timing.retries = (0.0, 1.0)
    person.ask("home")
    bot = connect()
    assert bot.wait().payload["event"]["type"] == "app_home_opened"
    assert bot.seen[0].retry_reason == "error"


def test_home_tab_event_contains_the_published_view(
    workspace: Workspace, bot: Bot, person: BrowserUser, client: WebClient
) -> None:
    person.ask("home")
    first = bot.wait().payload["event"]
    assert (first["tab"], first["user"], first["channel"]) == ("home", workspace.me.id, person.direct())
    assert "view" not in first
    view = client.views_publish(user_id=workspace.me.id, view={"type": "home", "blocks": []})["view"]
    person.ask("home")
    assert bot.wait(2).payload["event"]["view"]["id"] == view["id"]
    person.ask("home", tab="messages")
    assert bot.wait(3).payload["event"]["tab"] == "messages"


def test_uninstalled_app_gets_two_events_and_no_more(
    slack: WorkspaceThread, bot: Bot, person: BrowserUser, client: WebClient
) -> None:
    slack.call(slack.workspace.uninstall)
    until(lambda: {kind for kind, _ in kinds(bot)} == {"tokens_revoked", "app_uninstalled"})
    [revoked] = [event for event in events(bot) if event["type"] == "tokens_revoked"]
    assert revoked["tokens"] == {"oauth": [], "bot": [slack.workspace.team.bot.id]}
    person.ask("home")
    assert person.try_to("send", channel="general", text="/findimg cat")["error"] == "/findimg is not a valid command."
    slack.run(slack.workspace.settle())
    assert len(bot.seen) == 2
