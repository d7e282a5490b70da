"""Test the page of the local workspace in a real browser: modals."""

from playwright.sync_api import Page, Route, expect
from slack_bolt.kwargs_injection.async_args import AsyncArgs

from tests.e2e.workspace_page.parts import (
    TinyBot,
    actions,
    asking,
    button,
    give,
    is_painted,
    modal,
    opening,
    options,
    picture,
    plain,
    section,
    use_tag_shortcut,
)


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
