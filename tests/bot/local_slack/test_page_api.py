import asyncio
import urllib.error
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from slack_sdk import WebClient

from findimg_bot.local_slack.model.files import FILE_BYTES
from findimg_bot.local_slack.workspace import Workspace
from tests.bot.local_slack.conftest import Bot, modal, png, section
from tests.bot.person import BrowserUser, Json
from tests.bot.team import WorkspaceThread


class Page:
    """An open page that receives the workspace's updates one after the other."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse):
        self._socket = socket

    async def told(self) -> Json:
        return dict(await self._socket.receive_json(timeout=10))


@asynccontextmanager
async def page(workspace: Workspace) -> AsyncIterator[Page]:
    """Open the page and receive the initial state."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(f"{workspace.address}/?token={workspace.token}") as answer:
            assert answer.status == 200
        async with session.ws_connect(f"{workspace.address}/page/live", origin=workspace.address) as socket:
            opened = Page(socket)
            assert (await opened.told())["type"] == "state"
            yield opened


def test_state_contains_only_what_the_person_may_see(
    slack: WorkspaceThread, client: WebClient, person: BrowserUser
) -> None:
    workspace, team = slack.workspace, slack.workspace.team
    hidden = slack.call(team.add_channel, "hidden", members=[])
    general = team.channel("general").id
    state = person.state()
    assert state["type"] == "state"
    assert state["team"] == {"id": team.id, "name": "findimg", "url": "https://findimg.slack.com/"}
    assert state["me"] == {"id": workspace.me.id, "name": "you"}
    assert state["bot"] == {"id": team.bot.id, "name": "findimg"}
    assert state["users"][team.bot.id] == {"id": team.bot.id, "name": "findimg", "is_bot": True}
    assert [(channel["name"], channel["is_im"]) for channel in state["channels"]] == [
        ("general", False),
        ("findimg", True),
    ]
    assert set(state["messages"]) == {general, person.direct()}
    assert hidden.id not in state["messages"]
    assert [command["command"] for command in state["commands"]] == ["/findimg", "/tag", "/similar", "/teach", "/words"]
    assert all(command["description"] and command["usage_hint"] for command in state["commands"])
    assert state["shortcuts"][0] == {"name": "Tag this image", "callback_id": "tag_image"}
    assert (state["home"], state["modal"]) == (None, None)
    assert state["limits"] == {"file_bytes": FILE_BYTES}


def test_images_in_bot_messages_get_an_address_for_the_page(client: WebClient, person: BrowserUser) -> None:
    file = client.files_upload_v2(file=png(), filename="cat.png")["file"]["id"]
    element = {"type": "image", "slack_file": {"id": file}, "alt_text": "a cat"}
    blocks = [element, section("x", accessory=element), {"type": "context", "elements": [element]}]
    posted = client.chat_postMessage(channel="general", text="x", blocks=blocks)
    [message] = person.messages(posted["channel"])
    image, with_accessory, context = message["blocks"]
    for painted in (image, with_accessory["accessory"], context["elements"][0]):
        assert painted["page_url"] == f"/page/file/{file}"
    assert "page_url" not in str(posted["message"])


def test_uploaded_file_appears_with_its_message(person: BrowserUser, workspace: Workspace) -> None:
    file = person.upload("cat & dog.png", png())
    assert {name: file[name] for name in ("name", "mimetype", "size", "width", "height")} == {
        "name": "cat _ dog.png",
        "mimetype": "image/png",
        "size": len(png()),
        "width": 30,
        "height": 20,
    }
    general = workspace.team.channel("general").id
    assert person.messages(general) == []
    person.ask("send", channel=general, text="", files=[file["id"]])
    assert [message["files"] for message in person.messages(general)] == [[file]]


def test_open_page_receives_each_change_at_once(slack: WorkspaceThread, client: WebClient, person: BrowserUser) -> None:
    workspace = slack.workspace
    general = workspace.team.channel("general").id

    async def scenario() -> None:
        async with page(workspace) as first, page(workspace) as second:

            async def told() -> Json:
                one, two = await first.told(), await second.told()
                assert one == two
                return one

            posted = await asyncio.to_thread(client.chat_postMessage, channel=general, text="hello")
            new = await told()
            assert (new["type"], new["channel"], new["message"]["ts"]) == ("message", general, posted["ts"])
            await asyncio.to_thread(client.chat_update, channel=general, ts=posted["ts"], text="goodbye")
            assert (await told())["message"]["text"] == "goodbye"
            await asyncio.to_thread(client.chat_delete, channel=general, ts=posted["ts"])
            assert await told() == {"type": "deleted", "channel": general, "ts": posted["ts"]}
            home = {"type": "home", "blocks": [section("hello")]}
            view = await asyncio.to_thread(client.views_publish, user_id=workspace.me.id, view=home)
            shown = await told()
            assert (shown["type"], shown["view"]["id"]) == ("home", view["view"]["id"])
            await asyncio.to_thread(person.channel, "pets")
            again = await told()
            assert (again["type"], again["channels"][-1]["name"]) == ("state", "pets")
            await asyncio.to_thread(person.try_to, "send", channel=general, text="/findimg cat")
            assert await told() == {
                "type": "notice",
                "channel": general,
                "text": '/findimg failed with the error "dispatch_failed"',
            }

    asyncio.run(scenario())


def test_modal_opens_and_closes_on_the_page(
    workspace: Workspace, client: WebClient, person: BrowserUser, connect: Callable[..., Bot]
) -> None:
    bot = connect()

    async def scenario() -> None:
        async with page(workspace) as shown:
            await asyncio.to_thread(person.ask, "send", channel="general", text="/tag")
            trigger = bot.wait().payload["trigger_id"]
            view = (await asyncio.to_thread(client.views_open, trigger_id=trigger, view=modal()))["view"]
            assert (await shown.told())["view"]["id"] == view["id"]
            await asyncio.to_thread(person.ask, "close", view_id=view["id"])
            assert await shown.told() == {"type": "modal", "view": None}

    asyncio.run(scenario())


def test_open_page_is_notified_when_a_file_is_ready(workspace: Workspace, person: BrowserUser) -> None:
    workspace.faults.ready_after = 0.1

    async def scenario() -> None:
        async with page(workspace) as shown:
            file = await asyncio.to_thread(person.upload, "cat.png", png())
            assert file["mimetype"] == ""
            told = await shown.told()
            assert (told["type"], told["file"]["id"], told["file"]["mimetype"]) == ("file", file["id"], "image/png")

    asyncio.run(scenario())


def test_ephemeral_message_reaches_one_page_only(slack: WorkspaceThread, client: WebClient) -> None:
    workspace = slack.workspace
    other = slack.call(workspace.team.add_user, "ann")
    general = workspace.team.channel("general").id

    async def scenario() -> None:
        async with page(workspace) as shown:
            for user in (other.id, workspace.me.id):
                await asyncio.to_thread(client.chat_postEphemeral, channel=general, user=user, text=user)
            told = (await shown.told())["message"]
            assert (told["text"], told["ephemeral"]) == (workspace.me.id, True)

    asyncio.run(scenario())


def test_invalid_upload_is_refused_with_a_sentence(workspace: Workspace, person: BrowserUser) -> None:
    with pytest.raises(AssertionError, match=r"empty\.png is empty"):
        person.upload("empty.png", b"")
    with pytest.raises(AssertionError, match="The file is empty"):
        person.upload("", b"")
    with pytest.raises(AssertionError, match="larger than this workspace accepts"):
        person.upload("large.png", b"x" * (FILE_BYTES + 1))
    assert person.try_to("upload")["error"] == "Send the file as a form."


@pytest.mark.parametrize(
    ("body", "kind", "error"),
    [
        (b"{}", "text/plain", "The request must be JSON."),
        (b"{", "application/json", "The request is not a JSON object."),
        (b"[]", "application/json", "The request is not a JSON object."),
        (b'{"channel": 7, "text": ["x"]}', "application/json", "There is no channel '' that you are in."),
    ],
)
def test_invalid_request_is_refused_with_a_sentence(
    workspace: Workspace, person: BrowserUser, body: bytes, kind: str, error: str
) -> None:
    assert person._post("/page/send", body, kind) == {"ok": False, "error": error}


def test_invalid_or_taken_channel_name_is_refused(person: BrowserUser) -> None:
    for name in ("general", "Two Words", ""):
        assert person.try_to("channel", name=name)["error"].startswith(f"A channel cannot be called {name!r}")


def test_files_of_another_team_are_not_found(slack: WorkspaceThread, person: BrowserUser) -> None:
    workspace = slack.workspace
    stranger = slack.call(workspace.add_team, "strangers")
    [user] = [user for user in stranger.users.values() if not user.is_bot]
    file = person.upload("cat.png", png())
    other = BrowserUser(workspace.address, user.token)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        other._opener.open(workspace.address + file["url"])
    assert person._opener.open(workspace.address + file["url"]).read() == png()


def test_page_and_its_scripts_are_served(workspace: Workspace, person: BrowserUser) -> None:
    with person._opener.open(workspace.address) as answer:
        assert answer.headers.get_content_type() == "text/html"
        assert b"/page/static/app.js" in answer.read()
    with person._opener.open(f"{workspace.address}/page/static/app.js") as answer:
        assert answer.headers.get_content_type() == "text/javascript"
        assert answer.headers["Cache-Control"] == "no-cache"
