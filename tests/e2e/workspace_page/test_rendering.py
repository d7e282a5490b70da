"""Test the page of the local workspace in a real browser: blocks, markup and images."""

from playwright.sync_api import Page, expect

from tests.e2e.workspace_page.parts import (
    Room,
    actions,
    asking,
    button,
    is_painted,
    messages,
    mrkdwn,
    options,
    plain,
    section,
)

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


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
