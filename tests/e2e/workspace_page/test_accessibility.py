"""Test the page of the local workspace in a real browser: phones, contrast and names of controls."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import DARK, PHONE, Screen
from tests.e2e.workspace_page.parts import (
    Room,
    TinyBot,
    actions,
    asking,
    button,
    field,
    is_painted,
    messages,
    modal,
    mrkdwn,
    opening,
    options,
    picture,
    plain,
    section,
    use_tag_shortcut,
)

NARROWEST = Screen(360, 740, touch=True)


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
