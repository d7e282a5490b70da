import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable

import aiohttp
import pytest
from slack_sdk import WebClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.workspace.server import Workspace
from bot.workspace.sockets import CONNECTIONS
from tests.bot.person import Json, Person, until
from tests.bot.team import Threaded
from tests.bot.workspace.conftest import Bot


def test_a_connection_is_greeted(workspace: Workspace, connect: Callable[..., Bot]) -> None:
    greetings: list[Json] = []
    bot = connect()
    bot.client.message_listeners.append(lambda client, message, raw: greetings.append(message))  # type: ignore[arg-type]
    bot.client.connect_to_new_endpoint(force=True)
    until(lambda: greetings)
    assert greetings[0]["type"] == "hello"
    assert greetings[0]["connection_info"] == {"app_id": workspace.app_id}


def test_an_address_takes_one_connection(workspace: Workspace) -> None:
    client = WebClient(base_url=workspace.api_url)
    url = str(client.apps_connections_open(app_token=workspace.app_token)["url"]).replace("ws", "http", 1)
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    request = urllib.request.Request(url, headers=headers)
    with pytest.raises(urllib.error.HTTPError, match="101"):
        urllib.request.urlopen(request, timeout=10)
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=10)


def test_each_thing_goes_to_one_connection_and_all_get_their_share(connect: Callable[..., Bot], person: Person) -> None:
    bots = [connect() for _ in range(3)]
    for _ in range(6):
        person.ask("send", channel="general", text="/findimg cat")
    assert [len(bot.seen) for bot in bots] == [2, 2, 2]


def test_one_connection_too_many_is_sent_away(workspace: Workspace, connect: Callable[..., Bot]) -> None:
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


def test_what_is_not_acknowledged_in_time_is_a_notice_to_that_person(
    workspace: Workspace, connect: Callable[..., Bot], person: Person
) -> None:
    workspace.timing.acknowledge = 0.2
    connect(lambda request: None)
    answer = person.try_to("send", channel="general", text="/findimg cat")
    assert answer == {"ok": False, "error": '/findimg failed with the error "operation_timeout"'}


def test_without_a_connection_nothing_is_dispatched(person: Person) -> None:
    answer = person.try_to("send", channel="general", text="/findimg cat")
    assert answer["error"] == '/findimg failed with the error "dispatch_failed"'


def test_a_cut_connection_is_made_again(slack: Threaded, connect: Callable[..., Bot], person: Person) -> None:
    bot = connect()
    slack.call(slack.workspace.faults.drop_sockets)
    until(lambda: slack.workspace.sockets.connections == 0)
    until(lambda: slack.workspace.sockets.connections == 1)
    person.ask("send", channel="general", text="/findimg cat")
    assert bot.wait().payload["command"] == "/findimg"


def test_slack_asks_for_new_connections_now_and_then(
    slack: Threaded, connect: Callable[..., Bot], person: Person
) -> None:
    bot = connect()
    first = bot.client.wss_uri
    slack.run(slack.workspace.sockets.refresh())
    until(lambda: bot.client.wss_uri != first and slack.workspace.sockets.connections == 1)
    person.ask("send", channel="general", text="/findimg cat")
    assert bot.wait().payload["command"] == "/findimg"


def test_envelopes_say_what_they_carry(workspace: Workspace, connect: Callable[..., Bot], person: Person) -> None:
    frames: list[Json] = []
    bot = connect()
    bot.client.message_listeners.append(lambda client, message, raw: frames.append(json.loads(raw)))  # type: ignore[arg-type]
    person.ask("send", channel="general", text="/findimg cat")
    person.ask("home")
    until(lambda: len(frames) == 2)
    assert [(frame["type"], frame["accepts_response_payload"]) for frame in frames] == [
        ("slash_commands", True),
        ("events_api", False),
    ]
    assert (frames[1]["retry_attempt"], frames[1]["retry_reason"]) == (0, "")
    assert len({frame["envelope_id"] for frame in frames}) == 2


def test_an_acknowledgement_that_is_none_is_no_harm(connect: Callable[..., Bot], person: Person) -> None:
    def strange(request: SocketModeRequest) -> Json:
        for text in ("{", "[]", '{"envelope_id": "made-up"}'):
            bot.client.send_message(text)
        return {}

    bot = connect(strange)
    person.ask("send", channel="general", text="/findimg cat")
