"""Fixtures: a local workspace without the bot, and slack-sdk's own clients for it."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.local_slack.workspace import Workspace
from findimg_bot.slack.manifest import read_manifest
from tests.bot.person import BrowserUser, Json, until
from tests.bot.team import WorkspaceThread

Answer = Callable[[SocketModeRequest], Json | None]


class Bot:
    """slack-sdk's Socket Mode client. It records requests and acknowledges them with given payloads."""

    def __init__(self, workspace: Workspace, answer: Answer = lambda request: {}):
        """Args:
        answer: what to send with the acknowledgement; None sends none.
        """
        self.seen: list[SocketModeRequest] = []
        self.frames: list[Json] = []  # as received
        self._workspace = workspace
        self._answer = answer

    async def connect(self) -> None:
        """Connect. Must run in the workspace's thread."""
        web = AsyncWebClient(base_url=self._workspace.api_url)
        self.client = SocketModeClient(self._workspace.app_token, web_client=web, ping_interval=0.5)
        self.client.message_listeners.append(self._note)
        self.client.socket_mode_request_listeners.append(self._take)
        self.client.wss_uri = await self.client.issue_new_wss_url()
        await self.client.connect()

    def wait(self, count: int = 1) -> SocketModeRequest:
        """Return the newest request, after waiting for `count` of them."""
        until(lambda: len(self.seen) >= count)
        return self.seen[-1]

    async def _note(self, client: AsyncBaseSocketModeClient, frame: Json, raw: str | None = None) -> None:
        self.frames.append(frame)

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.seen.append(request)
        payload = self._answer(request)
        if payload is not None:
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload or None))


@pytest.fixture
def slack() -> Iterator[WorkspaceThread]:
    """Return a new workspace in its own thread."""
    threaded = WorkspaceThread(read_manifest())
    yield threaded
    threaded.stop()


@pytest.fixture
def workspace(slack: WorkspaceThread) -> Workspace:
    """Return the new workspace itself."""
    return slack.workspace


@pytest.fixture
def client(workspace: Workspace) -> WebClient:
    """Return a Web API client with the bot's token."""
    return WebClient(token=workspace.bot_token, base_url=workspace.api_url)


@pytest.fixture
def person(workspace: Workspace) -> BrowserUser:
    """Return the workspace's first member, who uses the page."""
    return BrowserUser(workspace.address, workspace.token)


@pytest.fixture
def connect(slack: WorkspaceThread) -> Iterator[Callable[..., Bot]]:
    """Return a function that connects a bot by Socket Mode."""
    bots: list[Bot] = []

    def connected(*arguments: Any) -> Bot:
        bots.append(Bot(slack.workspace, *arguments))
        slack.run(bots[-1].connect())
        until(lambda: slack.workspace.sockets.connections == len(bots))
        return bots[-1]

    yield connected
    for bot in bots:
        slack.run(bot.client.close())


def refused(call: Callable[..., object], *arguments: Any, **more: Any) -> Json:
    """Return the response to a call that Slack refuses."""
    with pytest.raises(SlackApiError) as caught:
        call(*arguments, **more)
    return dict(caught.value.response.data)


def png(width: int = 30, height: int = 20) -> bytes:
    """Return a small PNG image."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


def section(text: str, **more: Any) -> Json:
    """Return a section block."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action: str, **more: Any) -> Json:
    """Return a button element."""
    return {"type": "button", "text": {"type": "plain_text", "text": action}, "action_id": action, **more}


def modal(*blocks: Json, **more: Any) -> Json:
    """Return a modal view."""
    title, submit = {"type": "plain_text", "text": "A modal"}, {"type": "plain_text", "text": "Go"}
    return {"type": "modal", "title": title, "submit": submit, "blocks": list(blocks), **more}
