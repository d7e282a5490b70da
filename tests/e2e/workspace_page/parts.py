"""A small Bolt app, a channel, and the blocks and places of the page that its tests use."""

import base64
import io
import itertools
import queue
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from PIL import Image
from playwright.sync_api import Locator, Page, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.kwargs_injection.async_args import AsyncArgs
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.local_slack.model.messages import NewMessage
from tests.bot.team import WorkspaceThread

Json = dict[str, Any]
Answer = Callable[[AsyncArgs], Awaitable[Any]]


NUMBERS = itertools.count(1)


# Gives files to an element as the browser does when somebody pastes or drops them.
GIVE = """(place, [kinds, name, type, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, {type}));
  for (const kind of kinds) {
    const event = kind === "paste" ? new ClipboardEvent(kind, {clipboardData: data, bubbles: true, cancelable: true})
      : new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true});
    place.dispatchEvent(event);
  }
}"""


async def acknowledge(args: AsyncArgs) -> None:
    """Acknowledge without a payload."""
    await args.ack()


class TinyBot:
    """A Bolt app that records its requests and answers as configured."""

    def __init__(self, slack: WorkspaceThread):
        self.told: queue.Queue[Json] = queue.Queue()
        self.answer: Answer = acknowledge
        self._workspace = slack.workspace
        self._handler: AsyncSocketModeHandler | None = None

    async def connect(self) -> None:
        """Connect to the workspace, in the running event loop."""
        client = AsyncWebClient(self._workspace.bot_token, base_url=self._workspace.api_url)
        app = AsyncApp(client=client, signing_secret=self._workspace.signing_secret)
        for listen in (app.command, app.action, app.shortcut, app.view):
            listen(re.compile(""))(self._listen)
        for event in ("app_mention", "message", "app_home_opened"):
            app.event(event)(self._listen)
        self._handler = AsyncSocketModeHandler(app, self._workspace.app_token)
        await self._handler.connect_async()

    async def close(self) -> None:
        """Close the connection."""
        assert self._handler
        await self._handler.close_async()

    def heard(self) -> Json:
        """Return the next request that the bot received."""
        return self.told.get(timeout=20)

    async def _listen(self, args: AsyncArgs) -> None:
        self.told.put(args.body)
        await self.answer(args)


class Room:
    """A channel of one test."""

    def __init__(self, slack: WorkspaceThread):
        self._slack = slack
        self.workspace = slack.workspace
        self.name = f"room-{next(NUMBERS)}"
        self.channel = slack.call(self.workspace.person().new_channel, self.name)
        self.id = str(self.channel.id)

    @property
    def address(self) -> str:
        """Return the address of the page at this channel, with the person's token."""
        return f"{self.workspace.address}/?token={self.workspace.token}#{self.id}"

    def post(self, text: str, blocks: Sequence[Json] = (), thread: str = "", only_for: str | None = None) -> str:
        """Post a message as the bot and return its ts."""
        messages, new = self.workspace.services.messages, NewMessage(text, blocks, thread)
        return str(self._slack.call(messages.post, self.workspace.team, self.channel, new, only_for).ts)

    def say(self, text: str, **more: Any) -> str:
        """Post a message as the person, from another window."""
        return self._slack.run(self.workspace.person().send(self.id, text, **more))

    def upload(self, name: str, data: bytes | None = None) -> str:
        """Upload a file as the person, without sharing it, and return its id."""
        return str(self._slack.call(self.workspace.person().upload, name, data or picture()).id)

    def texts(self) -> list[str]:
        """Return the texts of the channel's messages, oldest first."""
        return [str(each.content["text"]) for each in self.workspace.team.messages[self.id].values()]


def picture(colour: str = "orange", size: tuple[int, int] = (60, 40)) -> bytes:
    """Return a small photograph."""
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, "JPEG")
    return data.getvalue()


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(text: str, action: str, **more: Any) -> Json:
    return {"type": "button", "text": plain(text), "action_id": action, **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "block_id": "actions", "elements": list(elements)}


def options(*texts: str) -> list[Json]:
    return [{"text": plain(text), "value": text.lower()} for text in texts]


def asking(name: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": name, "label": plain(name), "element": {"action_id": "it", **element}, **more}


def modal(*blocks: Json, title: str = "A question") -> Json:
    return {
        "type": "modal",
        "callback_id": "asked",
        "title": plain(title),
        "submit": plain("Send it"),
        "close": plain("Leave it"),
        "blocks": list(blocks),
    }


def opening(view: Json) -> Answer:
    """Return the response that opens a modal."""

    async def answer(args: AsyncArgs) -> None:
        await args.ack()
        if "trigger_id" in args.body and args.body.get("type") != "view_submission":
            await args.client.views_open(trigger_id=args.body["trigger_id"], view=view)

    return answer


def messages(page: Page) -> Locator:
    """Return the messages of the channel, oldest first."""
    return page.locator("#main article")


def field(page: Page) -> Locator:
    """Return the message field."""
    return page.get_by_role("combobox", name=re.compile("^Message "))


def is_painted(image: Locator) -> None:
    """Wait until an image has pixels."""
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalWidth") > 0


def give(place: Locator, kinds: list[str], name: str, kind: str, data: bytes) -> None:
    """Paste or drop a file."""
    place.evaluate(GIVE, [kinds, name, kind, base64.b64encode(data).decode()])


def use_tag_shortcut(page: Page, bot: TinyBot) -> None:
    """Use the message shortcut and return the modal that the bot opens."""
    field(page).fill("a message")
    field(page).press("Enter")
    mine = messages(page).filter(has_text="a message")
    mine.hover()
    mine.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Tag this image").click()
    bot.heard()
    expect(page.get_by_role("dialog")).to_be_visible()
