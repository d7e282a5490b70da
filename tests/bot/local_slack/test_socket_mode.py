import asyncio
from collections.abc import Callable

import aiohttp
from slack_sdk import WebClient

from findimg_bot.local_slack.delivery.socket_mode import CONNECTIONS
from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import Bot
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import WorkspaceThread


def test_new_connection_receives_hello(workspace: Workspace, connect: Callable[..., Bot]) -> None:
    bot = connect()
    until(lambda: bot.frames)
    assert (bot.frames[0]["type"], bot.frames[0]["num_connections"]) == ("hello", 1)
    assert bot.frames[0]["connection_info"] == {"app_id": workspace.app_id}


def test_connection_address_works_once(slack: WorkspaceThread, connect: Callable[..., Bot]) -> None:
    used = connect().client.wss_uri

    async def status(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(url.replace("ws", "http", 1)) as answer:
            return answer.status

    assert [asyncio.run(status(str(url))) for url in (used, f"{slack.workspace.address}/link/")] == [403, 403]


def test_requests_are_spread_over_connections(connect: Callable[..., Bot], person: BrowserUser) -> None:
    bots = [connect() for _ in range(3)]
    for _ in range(6):
        person.ask("send", channel="general", text="/findimg cat")
    assert [len(bot.seen) for bot in bots] == [2, 2, 2]


def test_connection_beyond_the_maximum_is_disconnected(workspace: Workspace, connect: Callable[..., Bot]) -> None:
    for _ in range(CONNECTIONS):
        connect()
    client = WebClient(base_url=workspace.api_url)
    url = client.apps_connections_open(app_token=workspace.app_token)["url"]

    async def first_frame() -> Json:
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            return dict(await socket.receive_json())

    frame = asyncio.run(first_frame())
    assert (frame["type"], frame["reason"]) == ("disconnect", "too_many_websockets")
    assert workspace.sockets.connections == CONNECTIONS


def test_unacknowledged_command_is_reported_to_the_person(
    workspace: Workspace, connect: Callable[..., Bot], person: BrowserUser
) -> None:
    workspace.timing.acknowledge = 0.2
    connect(lambda request: None)
    answer = person.try_to("send", channel="general", text="/findimg cat")
    assert answer == {"ok": False, "error": '/findimg failed with the error "operation_timeout"'}


def test_command_without_a_connection_is_an_error(person: BrowserUser) -> None:
    answer = person.try_to("send", channel="general", text="/findimg cat")
    assert answer["error"] == '/findimg failed with the error "dispatch_failed"'


def test_lost_connection_is_opened_again(
    slack: WorkspaceThread, connect: Callable[..., Bot], person: BrowserUser
) -> None:
    bot = connect()
    slack.call(slack.workspace.faults.drop_sockets)
    until(lambda: slack.workspace.sockets.connections == 0)
    until(lambda: slack.workspace.sockets.connections == 1)
    person.ask("send", channel="general", text="/findimg cat")
    assert bot.wait().payload["command"] == "/findimg"


def test_refreshed_connection_replaces_the_old_one(
    slack: WorkspaceThread, connect: Callable[..., Bot], person: BrowserUser
) -> None:
    bot = connect()
    first = bot.client.wss_uri
    slack.run(slack.workspace.sockets.refresh())
    until(lambda: bot.client.wss_uri != first and slack.workspace.sockets.connections == 1)
    person.ask("send", channel="general", text="/findimg cat")
    assert bot.wait().payload["command"] == "/findimg"


def test_envelopes_have_type_and_retry_fields(connect: Callable[..., Bot], person: BrowserUser) -> None:
    bot = connect()
    person.ask("send", channel="general", text="/findimg cat")
    person.ask("home")
    until(lambda: len(bot.frames) == 3)
    assert [(frame["type"], frame["accepts_response_payload"]) for frame in bot.frames[1:]] == [
        ("slash_commands", True),
        ("events_api", False),
    ]
    assert (bot.frames[2]["retry_attempt"], bot.frames[2]["retry_reason"]) == (0, "")
    assert len({frame["envelope_id"] for frame in bot.frames[1:]}) == 2


def test_malformed_acknowledgement_is_ignored(
    slack: WorkspaceThread, connect: Callable[..., Bot], person: BrowserUser
) -> None:
    bot = connect()
    for text in ("{", "[]", '{"envelope_id": "made-up"}'):
        slack.run(bot.client.send_message(text))
    person.ask("send", channel="general", text="/findimg cat")
    assert bot.wait().type == "slash_commands"
