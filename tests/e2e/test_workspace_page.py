"""Test the workspace's page in a real browser, with a small Bolt app behind it."""

import asyncio
import base64
import io
import itertools
import queue
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, WebSocketRoute, expect
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.kwargs_injection.async_args import AsyncArgs
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.slack.manifest import read_manifest
from tests.bot.team import Threaded
from tests.e2e.conftest import DARK, PHONE, Screen, new_page, shoot_if_failed

Json = dict[str, Any]
Answer = Callable[[AsyncArgs], Awaitable[Any]]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
NARROWEST = Screen(360, 740, touch=True)
NUMBERS = itertools.count(1)

# What is written, and what it becomes.
MRKDWN = {
    "*bold* _it_ ~no~ `a*b*`": "<strong>bold</strong> <em>it</em> <s>no</s> <code>a*b*</code>",
    "*bold _and it_*": "<strong>bold <em>and it</em></strong>",
    "snake_case_name 2*3*4 a ~ b": "snake_case_name 2*3*4 a ~ b",
    "\u2060*\u2060plain\u2060*\u2060": "\u2060*\u2060plain\u2060*\u2060",
    "&lt;b&gt; &amp;amp;": "&lt;b&gt; &amp;amp;",
    "&gt; said\nso": "<blockquote>said</blockquote>so",
    "```a\n  *b*```": "<pre>a\n  *b*</pre>",
    "<!date^86400^{date_num}|then>": '<time datetime="1970-01-02T00:00:00.000Z">02/01/1970</time>',
    "<!here> :tada: :no_such:": '<span class="mention">@here</span> 🎉 :no_such:',
}

# What every text that can be seen has for a contrast to what is behind it, where that is too little.
CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, below) => [0, 1, 2].map((i) => (top[i] * top[3] + below[i] * (255 - top[3])) / 255);
  const behind = (node) => {
    const own = node ? rgba(getComputedStyle(node).backgroundColor) : [255, 255, 255, 255];
    return own[3] === 255 ? own : over(own, behind(node.parentElement));
  };
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => {
    const c = colour[i] / 255;
    return sum + part * (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  }, 0);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  let seen = 0;
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !node.checkVisibility({visibilityProperty: true})) continue;
    if (node.closest(".unseen, .skip, :disabled")) continue;
    seen += 1;
    const ground = behind(node);
    const [one, other] = [light(over(rgba(getComputedStyle(node).color), ground)), light(ground)];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) found.push(`${texts.currentNode.data.trim().slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return [seen, found];
}"""

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

    def __init__(self, slack: Threaded):
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

    def __init__(self, slack: Threaded):
        self._slack = slack
        self.workspace = slack.workspace
        self.name = f"room-{next(NUMBERS)}"
        self.channel = slack.call(self.workspace.person().new_channel, self.name)
        self.id = str(self.channel.id)

    @property
    def address(self) -> str:
        """Return the address of the page at this channel, with the person's token."""
        return f"{self.workspace.address}/?token={self.workspace.token}#{self.id}"

    def post(self, text: str, blocks: list[Json] | None = None, **more: Any) -> str:
        """Post a message as the bot and return its ts."""
        messages = self.workspace.services.messages
        said = self._slack.call(messages.post, self.workspace.team, self.channel, text, blocks or [], **more)
        return str(said.ts)

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


@pytest.fixture(scope="module")
def slack() -> Iterator[Threaded]:
    """Yield one workspace for all tests of this module."""
    slack = Threaded(read_manifest())
    yield slack
    slack.stop()


@pytest.fixture(scope="module")
def connected(slack: Threaded) -> Iterator[TinyBot]:
    """Yield the bot of this workspace."""
    bot = TinyBot(slack)
    slack.run(bot.connect())
    yield bot
    slack.run(bot.close())


@pytest.fixture
def bot(slack: Threaded, connected: TinyBot) -> Iterator[TinyBot]:
    """Yield the bot without recorded requests. Close its modals afterwards."""
    slack.run(slack.workspace.settle())
    connected.answer = acknowledge
    connected.told = queue.Queue()
    yield connected
    slack.workspace.team.modals.clear()


@pytest.fixture
def room(slack: Threaded) -> Room:
    """Return an empty channel."""
    return Room(slack)


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page that most tests share, because a new one takes a second, and its complaints."""
    complaints: list[str] = []
    with new_page(browser, Screen(), complaints) as page:
        yield page, complaints


@pytest.fixture
def opened(
    window: tuple[Page, list[str]], room: Room, request: pytest.FixtureRequest, pictures: Path
) -> Iterator[Page]:
    """Yield the page, loaded again, at the empty channel."""
    page, complaints = window
    complaints.clear()
    page.goto(room.address)
    expect(page.get_by_role("heading", name=room.name)).to_be_visible()
    yield page
    shoot_if_failed(page, request, pictures)
    assert complaints == []


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


def test_page_without_token_shows_nothing(page: Page, room: Room, complaints: list[str]) -> None:
    answer = page.goto(room.workspace.address)
    assert answer
    assert answer.status == 403
    expect(page.locator("body")).to_contain_text("findimg-bot try printed")
    complaints.clear()  # the browser's console names the 403


def test_every_kind_of_block_is_drawn(opened: Page, room: Room) -> None:
    file = {"slack_file": {"id": room.upload("fox.jpg")}}
    room.post(
        "all kinds",
        [
            {"type": "header", "text": plain("A header")},
            section("A *section* with `code`", fields=[mrkdwn("*one*"), plain("*two*")]),
            section("beside", accessory={"type": "image", "alt_text": "a small fox", **file}),
            {"type": "divider"},
            {"type": "image", "title": plain("A title"), "alt_text": "a fox", **file},
            {"type": "context", "elements": [{"type": "image", "alt_text": "tiny", **file}, mrkdwn("_context_")]},
            actions(button("Go", "go", style="primary"), button("Stop", "stop", style="danger"), button("Hm", "hm")),
            asking("Which?", {"type": "static_select", "options": options("This", "That")}),
            {
                "type": "rich_text",
                "elements": [
                    {
                        "type": "rich_text_section",
                        "elements": [{"type": "text", "text": "rich", "style": {"bold": True}}],
                    },
                    {
                        "type": "rich_text_list",
                        "style": "ordered",
                        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "first"}]}],
                    },
                ],
            },
            {"type": "video"},
        ],
    )
    message = messages(opened)
    expect(message.get_by_role("heading", name="A header")).to_be_visible()
    expect(message.locator(".section strong").first).to_have_text("section")
    expect(message.locator(".section code")).to_have_text("code")
    expect(message.locator(".fields .text")).to_have_text(["one", "*two*"])
    expect(message.locator(".fields strong")).to_have_count(1)
    for alt in ("a small fox", "a fox", "tiny"):
        is_painted(message.get_by_role("img", name=alt, exact=True))
    expect(message.locator("figcaption")).to_have_text("A title")
    expect(message.locator(".context em")).to_have_text("context")
    expect(message.get_by_role("separator")).to_have_count(1)
    look = "buttons => buttons.map((button) => getComputedStyle(button).backgroundColor)"
    colours = message.locator(".actions .button").evaluate_all(look)
    assert len(set(colours)) == 3
    expect(message.get_by_role("combobox", name="Which?")).to_be_visible()
    expect(message.locator(".rich_text strong")).to_have_text("rich")
    expect(message.locator(".rich_text ol li")).to_have_text("first")
    expect(message.get_by_text("does not draw “video”")).to_be_visible()


def test_mrkdwn_renders_as_in_slack(opened: Page, room: Room) -> None:
    for written in MRKDWN:
        room.post(written)
    expect(messages(opened)).to_have_count(len(MRKDWN))
    shown = messages(opened).locator(".text").evaluate_all("texts => texts.map((text) => text.innerHTML)")
    assert shown == list(MRKDWN.values())


def test_links_open_in_new_tab_and_only_for_safe_schemes(opened: Page, room: Room) -> None:
    room.post(
        "<https://example.com/a?b=1&amp;c=2|there> <javascript:alert(1)|click> <data:text/html,x> https://a.example/."
    )
    links = messages(opened).locator(".text a")
    expect(links).to_have_text(["there", "https://a.example/"])
    assert links.first.get_attribute("href") == "https://example.com/a?b=1&c=2"
    assert links.first.get_attribute("target") == "_blank"
    assert links.first.get_attribute("rel") == "noopener noreferrer"
    expect(messages(opened).locator(".text")).to_contain_text("<javascript:alert(1)|click> <data:text/html,x>")


def test_hostile_text_is_not_interpreted_as_html(opened: Page, room: Room) -> None:
    room.post(
        HOSTILE,
        [
            {"type": "header", "text": plain(HOSTILE[:150])},
            section(HOSTILE, fields=[plain(HOSTILE)]),
            {"type": "image", "image_url": "javascript:alert(3)", "alt_text": HOSTILE},
            actions(button(HOSTILE, "go", url="javascript:alert(4)")),
        ],
    )
    room.say(HOSTILE, files=[room.upload(f"{HOSTILE}.jpg")])
    expect(messages(opened)).to_have_count(2)
    expect(opened.locator("script")).to_have_count(1)
    expect(opened.locator("img[onerror], img[src='x']")).to_have_count(0)
    expect(messages(opened).get_by_text(HOSTILE).first).to_be_visible()
    messages(opened).first.get_by_role("button", name=HOSTILE).click()


def test_image_of_another_host_is_shown_as_link(opened: Page, room: Room) -> None:
    room.post("far", [{"type": "image", "image_url": "https://far.example/fox.jpg", "alt_text": "a far fox"}])
    expect(messages(opened).locator(".elsewhere")).to_have_text("a far fox (opens elsewhere)")
    expect(messages(opened).get_by_role("link", name="opens elsewhere")).to_have_attribute(
        "href", "https://far.example/fox.jpg"
    )


def test_broken_image_shows_its_alt_text(page: Page, room: Room, complaints: list[str]) -> None:
    room.post("gone", [{"type": "image", "slack_file": {"id": "F0000000000"}, "alt_text": "a fox"}])
    page.goto(room.address)
    expect(messages(page).locator(".elsewhere")).to_have_text("a fox (this image cannot be shown)")
    complaints.clear()  # the browser's console names the 404


def test_command_is_completed_and_sent_by_keyboard(opened: Page, room: Room, bot: TinyBot) -> None:
    async def answer(args: AsyncArgs) -> None:
        await args.ack(text="Nothing found.")

    bot.answer = answer
    expect(field(opened)).to_be_focused()
    opened.keyboard.type("/")
    offers = opened.get_by_role("option")
    expect(offers).to_have_count(5)
    opened.keyboard.press("ArrowDown")
    expect(offers.nth(1)).to_have_attribute("aria-selected", "true")
    expect(field(opened)).to_have_attribute("aria-activedescendant", str(offers.nth(1).get_attribute("id")))
    opened.keyboard.press("ArrowUp")
    opened.keyboard.type("fi")
    expect(offers).to_have_count(1)
    opened.keyboard.press("Enter")
    expect(field(opened)).to_have_value("/findimg ")
    expect(opened.locator(".usage")).to_contain_text("Find images by what is on them")
    opened.keyboard.type("cat sofa")
    opened.keyboard.press("Enter")
    told = bot.heard()
    assert (told["command"], told["text"]) == ("/findimg", "cat sofa")
    expect(messages(opened)).to_contain_text(["Nothing found."])
    expect(messages(opened)).to_contain_text(["Only visible to you"])
    expect(field(opened)).to_have_value("")
    assert room.texts() == ["Nothing found."]


def test_complete_command_is_sent_at_once(opened: Page, bot: TinyBot) -> None:
    opened.keyboard.type("/tag")
    expect(opened.get_by_role("listbox")).to_be_visible()
    opened.keyboard.press("Enter")
    assert bot.heard()["command"] == "/tag"
    expect(field(opened)).to_have_value("")


def test_escape_closes_the_suggestions_and_keeps_the_text(opened: Page) -> None:
    opened.keyboard.type("/t")
    expect(opened.get_by_role("listbox")).to_be_visible()
    opened.keyboard.press("Escape")
    expect(opened.get_by_role("listbox")).to_be_hidden()
    expect(field(opened)).to_have_value("/t")


def test_unknown_command_is_reported_and_can_be_corrected(opened: Page, room: Room) -> None:
    opened.keyboard.type("/nonsense at all")
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("alert")).to_have_text("/nonsense is not a valid command.")
    expect(field(opened)).to_have_value("/nonsense at all")
    assert room.texts() == []


def test_unacknowledged_command_shows_an_error(
    opened: Page, slack: Threaded, bot: TinyBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(args: AsyncArgs) -> None:
        pass

    bot.answer = silence
    monkeypatch.setattr(slack.workspace.timing, "acknowledge", 0.2)
    opened.keyboard.type("/words dog")
    opened.keyboard.press("Enter")
    expect(messages(opened)).to_contain_text(['/words failed with the error "operation_timeout"'])
    expect(field(opened)).to_have_value("/words dog")
    expect(opened.get_by_role("alert")).to_be_hidden()


def test_mention_reaches_the_bot_and_typed_markup_stays_text(opened: Page, room: Room, bot: TinyBot) -> None:
    opened.keyboard.type("hey @f")
    opened.keyboard.press("Tab")
    expect(field(opened)).to_have_value("hey @findimg ")
    opened.keyboard.type(f"a < b <@{room.workspace.me.id}>")
    opened.keyboard.press("Shift+Enter")
    opened.keyboard.type("bye")
    opened.keyboard.press("Enter")
    me, it = room.workspace.me.id, room.workspace.team.bot.id
    text = f"hey <@{it}> a &lt; b &lt;@{me}&gt;\nbye"
    assert bot.heard()["event"]["text"] == text
    expect(messages(opened).locator(".mention")).to_have_text(["@findimg"])
    expect(messages(opened).locator(".text")).to_have_text(f"hey @findimg a < b <@{me}>\nbye")


@pytest.mark.parametrize("way", ["button", "paste", "drop"])
def test_image_is_uploaded_by_button_paste_or_drop(opened: Page, room: Room, way: str) -> None:
    data = picture()
    if way == "button":
        with opened.expect_file_chooser() as chooser:
            opened.get_by_role("button", name="Attach files").click()
        chooser.value.set_files(FilePayload(name="fox.jpg", mimeType="image/jpeg", buffer=data))
    elif way == "paste":
        give(field(opened), ["paste"], "fox.jpg", "image/jpeg", data)
    else:
        place = opened.locator("#main .conversation")
        give(place, ["dragenter", "dragover"], "fox.jpg", "image/jpeg", data)
        expect(opened.get_by_text(f"Drop it to send it to #{room.name}")).to_be_visible()
        give(place, ["drop"], "fox.jpg", "image/jpeg", data)
        expect(opened.get_by_text(f"Drop it to send it to #{room.name}")).to_be_hidden()
    files = opened.get_by_role("list", name="Files to send").get_by_role("listitem")
    expect(files).to_contain_text(["fox.jpg"])
    is_painted(files.locator("img"))
    expect(field(opened)).to_be_focused()
    opened.keyboard.type("a fox")
    expect(opened.get_by_role("button", name="Send")).to_be_enabled()
    opened.keyboard.press("Enter")
    expect(messages(opened)).to_contain_text(["a fox"])
    is_painted(messages(opened).get_by_role("img", name="fox.jpg"))
    expect(files).to_have_count(0)


def test_file_dropped_beside_the_conversation_does_not_replace_the_page(opened: Page) -> None:
    drop = "new DragEvent('drop', {bubbles: true, cancelable: true})"
    assert opened.evaluate(f"!document.getElementById('sidebar').dispatchEvent({drop})")


def test_refused_file_shows_the_reason_and_can_be_removed(opened: Page) -> None:
    give(field(opened), ["paste"], "nothing.jpg", "image/jpeg", b"")
    files = opened.get_by_role("list", name="Files to send")
    expect(files).to_contain_text("nothing.jpg is empty.")
    expect(opened.get_by_role("button", name="Send")).to_be_disabled()
    opened.get_by_role("button", name="Remove nothing.jpg").click()
    expect(files).to_be_hidden()


def test_command_cannot_carry_a_file(opened: Page, room: Room) -> None:
    give(field(opened), ["paste"], "fox.jpg", "image/jpeg", picture())
    expect(opened.get_by_role("button", name="Send")).to_be_enabled()
    opened.keyboard.type("/tag ")
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("alert")).to_contain_text("A command carries no file.")
    assert room.texts() == []


def test_shortcut_opens_a_modal_by_keyboard(opened: Page, room: Room, bot: TinyBot) -> None:
    ts = room.say("a fox", files=[room.upload("fox.jpg")])
    expect(messages(opened)).to_have_count(1)
    bot.answer = opening(modal(section("What now?")))
    messages(opened).focus()
    opened.keyboard.press("Shift+F10")
    items = opened.get_by_role("menuitem")
    expect(items.first).to_be_focused()
    opened.keyboard.press("End")
    opened.keyboard.press("ArrowDown")
    expect(items.first).to_be_focused()
    opened.keyboard.press("f")
    expect(items.nth(1)).to_be_focused()
    opened.keyboard.press("Enter")
    told = bot.heard()
    assert (told["callback_id"], told["message_ts"]) == ("find_similar", ts)
    expect(opened.get_by_role("dialog", name="A question")).to_be_visible()
    opened.keyboard.press("Escape")
    expect(opened.get_by_role("dialog")).to_have_count(0)
    expect(messages(opened)).to_be_focused()
    expect(messages(opened)).not_to_have_attribute("aria-busy", "true")


def test_links_to_an_image_and_to_its_message_are_copied(opened: Page, room: Room) -> None:
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ts = room.say("a fox", files=[room.upload("fox.jpg")])
    for name, part in (("the image", "/fox.jpg"), ("the message", f"archives/{room.id}/p{ts.replace('.', '')}")):
        messages(opened).hover()
        messages(opened).get_by_role("button", name="More actions").click()
        opened.get_by_role("menuitem", name=f"Copy link to {name}").click()
        expect(opened.get_by_text("The link is copied.")).to_be_visible()
        copied = opened.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(room.workspace.team.url)
        assert copied.endswith(part)


def test_modal_shows_errors_at_inputs_and_sends_the_values(opened: Page, bot: TinyBot) -> None:
    view = modal(
        section("Choose well."),
        asking("Picture", {"type": "file_input", "filetypes": ["jpg"], "max_files": 1}),
        asking("Name", {"type": "plain_text_input", "max_length": 20}, hint=plain("As on the door.")),
        asking("Colour", {"type": "static_select", "options": options("Red", "Green")}, optional=True),
        asking("Size", {"type": "radio_buttons", "options": options("S", "L")}, optional=True),
        asking("Extras", {"type": "checkboxes", "options": options("Salt", "Oil")}, optional=True),
        asking("Day", {"type": "datepicker", "initial_date": "2024-02-29"}, optional=True),
    )

    async def answer(args: AsyncArgs) -> None:
        if args.body["type"] != "view_submission":
            await opening(view)(args)
        elif args.body["view"]["state"]["values"]["Name"]["it"]["value"] == "fox":
            await args.ack(response_action="errors", errors={"Name": "There is a fox already."})
        else:
            await args.ack()

    bot.answer = answer
    use_tag_shortcut(opened, bot)
    dialog = opened.get_by_role("dialog", name="A question")
    expect(dialog.get_by_role("button", name="Choose a file…")).to_be_focused()
    dialog.get_by_role("button", name="Send it").click()
    expect(dialog.locator(".error:visible")).to_have_text(["Please fill this in.", "Please fill this in."])
    expect(dialog.get_by_role("button", name="Choose a file…")).to_be_focused()

    give(dialog.locator(".file-input"), ["drop"], "fox.png", "image/png", picture())
    expect(dialog.get_by_role("listitem")).to_contain_text("Only jpg files are taken.")
    dialog.get_by_role("button", name="Remove fox.png").click()
    give(dialog.get_by_label("Name"), ["paste"], "fox.jpg", "image/jpeg", picture())
    is_painted(dialog.get_by_role("listitem").locator("img"))
    dialog.get_by_label("Name").fill("fox")
    dialog.get_by_label("Colour").select_option("green")
    dialog.get_by_label("L", exact=True).check()
    dialog.get_by_label("Oil").check()
    dialog.get_by_role("button", name="Send it").click()
    expect(dialog.locator(".error:visible")).to_have_text(["There is a fox already."])
    expect(dialog.get_by_label("Name")).to_be_focused()
    expect(dialog.get_by_label("Name")).to_have_accessible_description("There is a fox already.")
    bot.heard()
    opened.keyboard.type("y")
    opened.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    values = {name: value["it"] for name, value in bot.heard()["view"]["state"]["values"].items()}
    assert [file["name"] for file in values["Picture"]["files"]] == ["fox.jpg"]
    assert values["Name"]["value"] == "foxy"
    assert values["Colour"]["selected_option"]["value"] == "green"
    assert values["Size"]["selected_option"]["value"] == "l"
    assert [each["value"] for each in values["Extras"]["selected_options"]] == ["oil"]
    assert values["Day"]["selected_date"] == "2024-02-29"


def test_focus_stays_in_a_modal(opened: Page, bot: TinyBot) -> None:
    bot.answer = opening(modal(asking("Name", {"type": "plain_text_input"})))
    use_tag_shortcut(opened, bot)
    expect(opened.get_by_role("dialog").get_by_label("Name")).to_be_focused()
    for _ in range(8):
        opened.keyboard.press("Tab")
        assert opened.evaluate("document.activeElement.closest('dialog') || document.activeElement === document.body")


def test_updated_modal_keeps_the_entered_values(opened: Page, bot: TinyBot) -> None:
    name = asking("Name", {"type": "plain_text_input"})
    age = asking("Age", {"type": "number_input", "is_decimal_allowed": False})
    view = modal(name, actions(button("More", "more")))

    async def answer(args: AsyncArgs) -> None:
        if args.body["type"] == "block_actions":
            await args.ack()
            more = modal(section("There is more."), name, age)
            await args.client.views_update(view_id=args.body["view"]["id"], view=more)
        else:
            await opening(view)(args)

    bot.answer = answer
    use_tag_shortcut(opened, bot)
    dialog = opened.get_by_role("dialog")
    dialog.get_by_label("Name").fill("fox")
    dialog.get_by_role("button", name="More").click()
    expect(dialog.get_by_label("Age")).to_be_visible()
    expect(dialog.get_by_label("Name")).to_have_value("fox")
    opened.keyboard.press("Escape")


def test_cancelled_file_dialog_does_not_close_the_modal(opened: Page, bot: TinyBot) -> None:
    bot.answer = opening(modal(asking("Picture", {"type": "file_input"})))
    use_tag_shortcut(opened, bot)
    opened.locator("dialog input[type=file]").dispatch_event("cancel", {"bubbles": True})
    expect(opened.get_by_role("dialog")).to_be_visible()
    opened.get_by_role("button", name="Leave it").click()
    expect(opened.get_by_role("dialog")).to_have_count(0)


def test_modal_is_sent_when_its_upload_is_done(opened: Page, bot: TinyBot) -> None:
    bot.answer = opening(modal(asking("Picture", {"type": "file_input"})))
    use_tag_shortcut(opened, bot)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    opened.route("**/page/upload", hold)
    dialog = opened.get_by_role("dialog")
    give(dialog.locator(".file-input"), ["drop"], "fox.jpg", "image/jpeg", picture())
    send = dialog.get_by_role("button", name="Send it")
    send.click()
    expect(send).to_have_attribute("aria-busy", "true")
    held[0].continue_()
    expect(dialog).to_have_count(0)
    opened.unroute("**/page/upload")
    values = bot.heard()["view"]["state"]["values"]
    assert [file["name"] for file in values["Picture"]["it"]["files"]] == ["fox.jpg"]


def test_button_shows_progress_until_the_answer_arrives(opened: Page, room: Room, bot: TinyBot) -> None:
    go_on = threading.Event()

    def page(number: int) -> list[Json]:
        return [section(f"Page {number}"), actions(button("Next", "next", value="kept"))]

    async def answer(args: AsyncArgs) -> None:
        await args.ack()
        while not go_on.is_set():
            await asyncio.sleep(0.02)
        await args.respond(
            text="Page 2", blocks=[section("Page 2"), actions(button("Next", "next"))], replace_original=True
        )

    bot.answer = answer
    room.post(
        "Page 1", [section("Page 1"), actions(button("Next", "next", value="kept"))], only_for=room.workspace.me.id
    )
    following = messages(opened).get_by_role("button", name="Next")
    following.click()
    assert bot.heard()["actions"][0]["value"] == "kept"
    expect(following).to_have_attribute("aria-busy", "true")
    following.click()
    go_on.set()
    expect(messages(opened)).to_contain_text(["Page 2"])
    expect(following).not_to_have_attribute("aria-busy", "true")
    expect(messages(opened)).to_be_focused()
    assert bot.told.empty(), "a button that is working was clicked again"


def test_confirmation_dialog_comes_before_the_action(opened: Page, room: Room, bot: TinyBot) -> None:
    question = {"title": plain("Sure?"), "text": mrkdwn("*All* of it"), "confirm": plain("Yes"), "deny": plain("No")}
    room.post("dangerous", [actions(button("Delete", "delete", style="danger", confirm=question))])
    for answer in ("No", "Yes"):
        messages(opened).get_by_role("button", name="Delete").click()
        dialog = opened.get_by_role("alertdialog", name="Sure?")
        expect(dialog.locator("strong")).to_have_text("All")
        dialog.get_by_role("button", name=answer).click()
        expect(dialog).to_have_count(0)
    assert bot.heard()["actions"][0]["action_id"] == "delete"
    assert bot.told.empty()


def test_chosen_option_reaches_the_bot(opened: Page, room: Room, bot: TinyBot) -> None:
    room.post(
        "choices",
        [
            actions(
                {"type": "static_select", "action_id": "select", "options": options("Here", "There")},
                {"type": "overflow", "action_id": "overflow", "options": options("One", "Two")},
                {"type": "checkboxes", "action_id": "checks", "options": options("Salt", "Oil")},
                {"type": "datepicker", "action_id": "day"},
                {"type": "users_select", "action_id": "who", "placeholder": plain("Who")},
            )
        ],
    )
    place = messages(opened)
    place.get_by_label("Choose…").select_option("there")
    assert bot.heard()["actions"][0]["selected_option"]["value"] == "there"
    place.get_by_role("button", name="More", exact=True).click()
    opened.get_by_role("menuitem", name="Two").click()
    assert bot.heard()["actions"][0]["selected_option"]["value"] == "two"
    place.get_by_label("Oil").check()
    assert [each["value"] for each in bot.heard()["actions"][0]["selected_options"]] == ["oil"]
    place.locator("input[type=date]").fill("2024-02-29")
    assert bot.heard()["actions"][0]["selected_date"] == "2024-02-29"
    place.get_by_label("Who").select_option(label="findimg")
    assert bot.heard()["actions"][0]["selected_user"] == room.workspace.team.bot.id


def test_thread_is_opened_answered_and_closed_by_keyboard(opened: Page, room: Room, bot: TinyBot) -> None:
    async def answer(args: AsyncArgs) -> None:
        event = args.body["event"]
        await args.client.chat_postMessage(channel=event["channel"], thread_ts=event["thread_ts"], text="A fox.")

    bot.answer = answer
    room.say("what is it?")
    expect(messages(opened)).to_have_count(1)
    messages(opened).focus()
    opened.keyboard.press("Tab")
    expect(opened.get_by_role("link", name="Reply in thread")).to_be_focused()
    opened.keyboard.press("Enter")
    thread = opened.get_by_role("complementary", name="Thread")
    expect(thread.get_by_role("combobox")).to_be_focused()
    opened.keyboard.type("@findimg say")
    opened.keyboard.press("Enter")
    expect(thread.locator("article")).to_have_count(3)
    expect(thread.locator("article").last).to_contain_text("A fox.")
    expect(messages(opened).get_by_role("link", name="2 replies")).to_be_visible()
    expect(messages(opened)).to_have_count(1)
    opened.keyboard.press("Escape")
    expect(thread).to_be_hidden()
    expect(field(opened)).to_be_focused()
    opened.get_by_role("link", name="2 replies").click()
    expect(thread.locator("article")).to_have_count(3)


def test_thread_neither_suggests_nor_accepts_commands(opened: Page, room: Room) -> None:
    ts = room.say("here")
    opened.goto(f"{room.workspace.address}/#{room.id}/{ts}")
    thread = opened.get_by_role("complementary", name="Thread")
    thread.get_by_role("combobox").fill("/findimg cat")
    expect(thread.get_by_role("listbox")).to_be_hidden()
    opened.keyboard.press("Enter")
    expect(thread.get_by_role("alert")).to_have_text("/findimg is not supported in threads. Sorry!")


def test_home_tab_is_shown_and_its_buttons_work(opened: Page, room: Room, bot: TinyBot) -> None:
    async def answer(args: AsyncArgs) -> None:
        await args.ack()
        if args.body.get("type") == "block_actions":
            hello = modal(section("Hello."), title="From home")
            await args.client.views_open(trigger_id=args.body["trigger_id"], view=hello)
        else:
            blocks = [{"type": "header", "text": plain("At home")}, actions(button("Open", "open"))]
            await args.client.views_publish(user_id=args.body["event"]["user"], view={"type": "home", "blocks": blocks})

    bot.answer = answer
    opened.get_by_role("navigation", name="Channels and apps").get_by_role("link", name="findimg").click()
    opened.get_by_role("link", name="Home").click()
    expect(opened.get_by_role("heading", name="At home")).to_be_visible()
    opened.get_by_role("button", name="Open").click()
    expect(opened.get_by_role("dialog", name="From home")).to_be_visible()
    opened.keyboard.press("Escape")


def test_a_click_enlarges_an_image_and_escape_closes_it(opened: Page, room: Room) -> None:
    room.say("a fox", files=[room.upload("fox.jpg", picture(size=(400, 300)))])
    small = messages(opened).get_by_role("button", name="fox.jpg")
    small.click()
    large = opened.get_by_role("dialog", name="fox.jpg")
    is_painted(large.get_by_role("img"))
    opened.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(small).to_be_focused()


def test_page_scrolls_to_new_messages_unless_the_reader_scrolled_up(opened: Page, room: Room) -> None:
    for number in range(40):
        room.post(f"message {number}")
    expect(messages(opened).last).to_be_in_viewport()
    scroller = opened.locator("#main .scroller")
    scroller.evaluate("scroller => { scroller.scrollTop = 100; }")
    opened.wait_for_timeout(100)
    room.post("the newest")
    newer = opened.get_by_role("button", name="New messages")
    expect(newer).to_be_visible()
    assert scroller.evaluate("scroller => scroller.scrollTop") == 100
    newer.click()
    expect(messages(opened).last).to_be_in_viewport()
    expect(newer).to_be_hidden()


def test_answer_to_own_command_scrolls_into_view(opened: Page, room: Room, bot: TinyBot) -> None:
    async def answer(args: AsyncArgs) -> None:
        await args.ack()
        await args.say("Here it is.")

    bot.answer = answer
    room.post("ask", [actions(button("Ask", "ask"))])
    for number in range(40):
        room.post(f"message {number}")
    expect(messages(opened)).to_have_count(41)
    messages(opened).first.get_by_role("button", name="Ask").click()
    expect(messages(opened).filter(has_text="Here it is.")).to_be_in_viewport()


def test_long_answer_is_shown_from_its_beginning(opened: Page, room: Room) -> None:
    room.post("before")
    file = {"slack_file": {"id": room.upload("tall.jpg", picture(size=(300, 300)))}}
    image = {"type": "image", "alt_text": "tall", **file}
    room.post("long", [section("The first line"), *[image] * 6, section("The last line")])
    is_painted(messages(opened).get_by_role("img", name="tall").first)
    expect(opened.get_by_text("The first line")).to_be_in_viewport()
    expect(opened.get_by_text("The last line")).not_to_be_in_viewport()


def test_arrow_keys_move_between_messages(opened: Page, room: Room) -> None:
    for number in range(3):
        room.post(f"message {number}")
    expect(messages(opened)).to_have_count(3)
    messages(opened).last.focus()
    opened.keyboard.press("ArrowUp")
    expect(messages(opened).nth(1)).to_be_focused()
    opened.keyboard.press("Home")
    expect(messages(opened).first).to_be_focused()


def test_new_messages_are_announced_and_counted(opened: Page, room: Room, slack: Threaded) -> None:
    room.post("Found *a fox*")
    expect(opened.get_by_role("log")).to_contain_text("findimg: Found a fox")
    other = Room(slack)
    other.post("elsewhere")
    expect(opened.get_by_role("link", name=f"{other.name} 1 new")).to_be_visible()
    expect(opened).to_have_title(f"(1) #{room.name} · findimg workspace")
    opened.get_by_role("link", name=other.name).click()
    expect(messages(opened)).to_contain_text(["elsewhere"])
    expect(opened).to_have_title(f"#{other.name} · findimg workspace")


def test_page_follows_edited_and_deleted_messages(opened: Page, room: Room, slack: Threaded) -> None:
    kept, gone = room.post("first"), room.post("second")
    expect(messages(opened)).to_have_count(2)
    store, team = room.workspace.services.messages, room.workspace.team
    slack.call(store.change, team, team.message(room.id, kept), "changed", None)
    slack.call(store.delete, team, team.message(room.id, gone))
    expect(messages(opened)).to_have_count(1)
    expect(messages(opened)).to_contain_text(["changed (edited)"])


def test_file_is_shown_once_it_is_ready(opened: Page, room: Room, slack: Threaded) -> None:
    room.workspace.faults.ready_after = 0.4
    try:
        room.say("soon", files=[room.upload("fox.jpg")])
    finally:
        room.workspace.faults.ready_after = 0.0
    expect(messages(opened).get_by_role("link", name="fox.jpg")).to_be_visible()
    is_painted(messages(opened).get_by_role("img", name="fox.jpg"))


def test_page_reconnects_and_misses_no_message(page: Page, room: Room) -> None:
    routes: list[WebSocketRoute] = []
    refuse = False

    def route(socket: WebSocketRoute) -> None:
        if refuse:
            socket.close()
        else:
            routes.append(socket)
            socket.connect_to_server()

    page.route_web_socket(re.compile("/page/live"), route)
    page.goto(room.address)
    field(page).fill("half a sentence")
    refuse = True
    routes[-1].close()
    expect(page.get_by_text("The connection to the workspace is lost.")).to_be_visible()
    room.post("said meanwhile")
    refuse = False
    expect(messages(page)).to_contain_text(["said meanwhile"])
    expect(page.get_by_text("The connection to the workspace is lost.")).to_be_hidden()
    expect(field(page)).to_have_value("half a sentence")


def test_restarted_workspace_tells_the_page_to_reload(page: Page, room: Room, complaints: list[str]) -> None:
    routes: list[WebSocketRoute] = []

    def route(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        routes.append(socket)

    page.route_web_socket(re.compile("/page/live"), route)
    page.goto(room.address)
    expect(field(page)).to_be_visible()
    page.context.clear_cookies()
    routes[-1].close()
    expect(page.get_by_text("Open the address that findimg-bot printed.")).to_be_visible()
    complaints.clear()  # the browser's console names the 403


@pytest.mark.parametrize("screen", [NARROWEST])
def test_phone_width_shows_channels_in_a_drawer_without_overflow(page: Page, room: Room) -> None:
    file = {"slack_file": {"id": room.upload("wide.jpg", picture(size=(900, 300)))}}
    room.post(
        "wide",
        [
            {"type": "image", "alt_text": "wide", **file},
            section("w" * 200, fields=[mrkdwn("*one*"), mrkdwn("two")], accessory=button("Press this button", "go")),
            actions(*[button(f"Button number {number}", f"b{number}") for number in range(6)]),
            section("```" + "x" * 300 + "```"),
        ],
    )
    page.goto(room.address)
    is_painted(messages(page).get_by_role("img", name="wide"))
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.locator("#main .scroller").evaluate("it => it.scrollWidth - it.clientWidth") == 0
    drawer = page.get_by_role("navigation", name="Channels and apps")
    expect(drawer).to_be_hidden()
    page.get_by_role("button", name="Channels and apps").click()
    expect(drawer.get_by_role("link", name=room.name)).to_be_focused()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.get_by_role("button", name="Channels and apps").click()
    drawer.get_by_role("link", name="findimg").click()
    expect(page.get_by_role("heading", name="findimg", exact=True)).to_be_visible()
    expect(drawer).to_be_hidden()


@pytest.mark.parametrize("screen", [Screen(), DARK, PHONE], ids=["light", "dark", "phone"])
def test_every_text_has_enough_contrast(
    page: Page, room: Room, bot: TinyBot, shoot: Callable[[str], Any], screen: Screen
) -> None:
    room.say("look at `this` <https://example.com|link>", files=[room.upload("fox.jpg")])
    ts = room.post("Whose is it?")
    room.say("mine", thread_ts=ts)
    room.post(
        "only you",
        [
            section("Hello <@U1>", fields=[plain("a field")]),
            {"type": "context", "elements": [mrkdwn("a context")]},
            actions(button("Go", "go", style="primary"), button("Stop", "stop", style="danger"), button("Hm", "hm")),
            {"type": "image", "image_url": "https://far.example/x.jpg", "alt_text": "far"},
        ],
        only_for=room.workspace.me.id,
    )
    page.goto(room.address)
    expect(messages(page)).to_have_count(3)
    field(page).fill("/")
    states = [page.evaluate(CONTRASTS)]
    shoot(f"messages-{screen.scheme}-{screen.width}")
    field(page).fill("")
    bot.answer = opening(modal(section("Choose."), asking("Name", {"type": "plain_text_input"}, hint=plain("a hint"))))
    use_tag_shortcut(page, bot)
    page.get_by_role("button", name="Send it").click()
    states.append(page.evaluate(CONTRASTS))
    shoot(f"modal-{screen.scheme}-{screen.width}")
    page.keyboard.press("Escape")
    background = page.locator("#main").evaluate("main => getComputedStyle(main).backgroundColor")
    assert (int(re.findall(r"\d+", background)[0]) < 80) == (screen.scheme == "dark")
    assert [found for _, found in states] == [[], []]
    assert min(seen for seen, _ in states) > 20


def test_every_control_has_an_accessible_name(opened: Page, room: Room) -> None:
    room.say("a fox", files=[room.upload("fox.jpg")])
    room.post("and", [actions({"type": "overflow", "action_id": "o", "options": options("One", "Two")})])
    expect(messages(opened)).to_have_count(2)
    for role in ("button", "link", "combobox", "img"):
        for one in opened.get_by_role(role).all():
            expect(one).to_have_accessible_name(re.compile(r"\S"))
    for landmark in ("main", "navigation"):
        expect(opened.get_by_role(landmark)).to_have_count(1)
    opened.keyboard.press("Tab")
    assert opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


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
