"""Test the page of the local workspace in a real browser: buttons, menus and shortcuts of messages."""

import asyncio
import threading

from playwright.sync_api import Page, expect
from slack_bolt.kwargs_injection.async_args import AsyncArgs

from tests.e2e.workspace_page.parts import (
    Json,
    Room,
    TinyBot,
    actions,
    button,
    messages,
    modal,
    mrkdwn,
    opening,
    options,
    plain,
    section,
)


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
