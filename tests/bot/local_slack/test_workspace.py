import asyncio
from typing import Any

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk import WebClient
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.local_slack.actions.interactions import ElementPlace
from findimg_bot.local_slack.actions.services import UserActionError
from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import read_manifest
from tests.bot.local_slack.conftest import button, modal, png
from tests.bot.person import BrowserUser, until
from tests.bot.team import WorkspaceThread

MANIFEST = read_manifest()


def test_bolts_asynchronous_handler_connects() -> None:
    async def scenario() -> None:
        workspace = Workspace(MANIFEST)
        await workspace.start()
        app = AsyncApp(client=AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url))
        handled = asyncio.Queue[str]()

        @app.command("/findimg")
        async def find(ack: Any, respond: Any, command: Any) -> None:
            await ack()
            blocks = [{"type": "actions", "block_id": "b", "elements": [button("next", value="1")]}]
            await respond(text=f"found {command['text']}", blocks=blocks)
            await handled.put("command")

        @app.action("next")
        async def next_page(ack: Any, respond: Any) -> None:
            await ack()
            await respond(text="page 2", replace_original=True)
            await handled.put("action")

        @app.event("app_mention")
        async def mentioned(say: Any, event: Any) -> None:
            await say(text="an answer", thread_ts=event["ts"])
            await handled.put("event")

        @app.event("app_home_opened")
        async def opened(client: Any, event: Any) -> None:
            await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": []})
            await handled.put("home")

        @app.shortcut("tag_image")
        async def tag(ack: Any, client: Any, body: Any) -> None:
            await ack()
            await client.views_open(trigger_id=body["trigger_id"], view=modal(callback_id="image"))
            await handled.put("shortcut")

        @app.view("image")
        async def chosen(ack: Any) -> None:
            await ack(response_action="errors", errors={"b": "no"})

        handler = AsyncSocketModeHandler(app, workspace.app_token)
        await handler.connect_async()
        await asyncio.to_thread(until, lambda: workspace.sockets.connections)
        person, general = workspace.person(), workspace.team.channel("general").id

        async def done(what: str) -> None:
            assert await asyncio.wait_for(handled.get(), 10) == what

        await person.send(general, "/findimg cat")
        await done("command")
        [found] = person.state()["messages"][general]
        assert found["text"] == "found cat"
        await person.act(ElementPlace("b", "next", general, found["ts"]))
        await done("action")
        assert [message["text"] for message in person.state()["messages"][general]] == ["page 2"]
        ts = await person.send(general, f"<@{workspace.team.bot.id}> what is this?")
        await done("event")
        assert person.state()["messages"][general][-1]["thread_ts"] == ts
        person.open_home()
        await done("home")
        assert person.state()["home"]["type"] == "home"
        await person.shortcut("tag_image", general, ts)
        await done("shortcut")
        with pytest.raises(Exception, match="no"):
            await person.submit(person.state()["modal"]["id"], {})
        file = await app.client.files_upload_v2(file=png(), filename="cat.png", channel=general)
        assert file["file"]["mimetype"] == "image/png"
        await handler.close_async()
        await workspace.stop()

    asyncio.run(scenario())


def test_bolts_built_in_handler_connects(slack: WorkspaceThread, person: BrowserUser) -> None:
    workspace = slack.workspace
    app = App(client=WebClient(token=workspace.bot_token, base_url=workspace.api_url))

    @app.command("/findimg")
    def find(ack: Any, command: Any) -> None:
        ack(f"found {command['text']}")

    handler = SocketModeHandler(app, workspace.app_token)
    handler.connect()
    until(lambda: workspace.sockets.connections)
    general = workspace.team.channel("general").id
    person.ask("send", channel=general, text="/findimg cat")
    assert [message["text"] for message in person.messages(general)] == ["found cat"]
    handler.close()


def test_workspace_posts_in_the_bots_name(slack: WorkspaceThread, person: BrowserUser) -> None:
    workspace = slack.workspace
    ts = slack.call(workspace.post, "general", "welcome", [{"type": "divider"}])
    [message] = person.messages(workspace.team.channel("general").id)
    assert (message["ts"], message["text"], message["user"]) == (ts, "welcome", workspace.team.bot.id)
    with pytest.raises(ValueError, match="There is no channel 'nowhere' in findimg"):
        slack.call(workspace.post, "nowhere", "welcome")


def test_teams_do_not_see_each_others_messages(slack: WorkspaceThread, client: WebClient) -> None:
    workspace = slack.workspace
    other = slack.call(workspace.add_team, "others")
    [user] = [user for user in other.users.values() if not user.is_bot]
    theirs = WebClient(token=other.bot_token, base_url=workspace.api_url)
    assert theirs.auth_test()["team_id"] == other.id
    theirs.chat_postMessage(channel="general", text="for the others")
    client.chat_postMessage(channel="general", text="for us")
    texts = {
        token: [message["text"] for messages in person.state()["messages"].values() for message in messages]
        for token in (workspace.token, user.token)
        for person in [BrowserUser(workspace.address, token)]
    }
    assert texts == {workspace.token: ["for us"], user.token: ["for the others"]}


def test_port_in_use_is_an_error(workspace: Workspace) -> None:
    late = Workspace(MANIFEST, port=int(workspace.address.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        asyncio.run(late.start())
    asyncio.run(late.stop())


def test_acting_before_the_start_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        Workspace(MANIFEST).person()


def test_workspace_stops_while_pages_and_connections_are_open() -> None:
    async def scenario() -> None:
        workspace = Workspace(MANIFEST)
        await workspace.start()
        client = AsyncWebClient(token=workspace.bot_token, base_url=workspace.api_url)
        handler = AsyncSocketModeHandler(AsyncApp(client=client), workspace.app_token)
        await handler.connect_async()
        workspace.faults.ready_after = 3600.0
        workspace.person().upload("cat.png", png())
        workspace.person().open_home()
        await asyncio.wait_for(workspace.stop(), 10)
        await handler.close_async()
        with pytest.raises(UserActionError, match="dispatch_failed"):
            await workspace.person().send("general", "/findimg cat")

    asyncio.run(scenario())
