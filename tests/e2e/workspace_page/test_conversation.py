"""Test the page in a real browser: threads, the Home tab, scrolling, updates and the connection."""

import re

from playwright.sync_api import Page, WebSocketRoute, expect
from slack_bolt.kwargs_injection.async_args import AsyncArgs

from tests.bot.team import WorkspaceThread
from tests.e2e.workspace_page.parts import (
    Room,
    TinyBot,
    actions,
    button,
    field,
    is_painted,
    messages,
    modal,
    picture,
    plain,
    section,
)


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


def test_new_messages_are_announced_and_counted(opened: Page, room: Room, slack: WorkspaceThread) -> None:
    room.post("Found *a fox*")
    expect(opened.get_by_role("log")).to_contain_text("findimg: Found a fox")
    other = Room(slack)
    other.post("elsewhere")
    expect(opened.get_by_role("link", name=f"{other.name} 1 new")).to_be_visible()
    expect(opened).to_have_title(f"(1) #{room.name} · findimg workspace")
    opened.get_by_role("link", name=other.name).click()
    expect(messages(opened)).to_contain_text(["elsewhere"])
    expect(opened).to_have_title(f"#{other.name} · findimg workspace")


def test_page_follows_edited_and_deleted_messages(opened: Page, room: Room, slack: WorkspaceThread) -> None:
    kept, gone = room.post("first"), room.post("second")
    expect(messages(opened)).to_have_count(2)
    store, team = room.workspace.services.messages, room.workspace.team
    slack.call(store.change, team, team.message(room.id, kept), "changed", None)
    slack.call(store.delete, team, team.message(room.id, gone))
    expect(messages(opened)).to_have_count(1)
    expect(messages(opened)).to_contain_text(["changed (edited)"])


def test_file_is_shown_once_it_is_ready(opened: Page, room: Room, slack: WorkspaceThread) -> None:
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
