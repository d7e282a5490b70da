"""Test the page of the local workspace in a real browser: the message field: commands, mentions and files."""

import pytest
from playwright.sync_api import FilePayload, Page, expect
from slack_bolt.kwargs_injection.async_args import AsyncArgs

from tests.bot.team import WorkspaceThread
from tests.e2e.workspace_page.parts import Room, TinyBot, field, give, is_painted, messages, picture


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
    opened: Page, slack: WorkspaceThread, bot: TinyBot, monkeypatch: pytest.MonkeyPatch
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
