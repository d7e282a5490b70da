"""Test every limit of Slack's reference: a message at the limit is sent, one beyond it is not."""

from collections.abc import Callable
from typing import Any

import pytest

from findimg_bot.slack.limits import LimitError, check_message, check_view, clip

Block = dict[str, Any]


def plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def section(text: str = "x", **more: Any) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def image(alt_text: str = "x", **more: Any) -> Block:
    return {"type": "image", "image_url": "https://example.com/a.png", "alt_text": alt_text} | more


def button(text: str = "x", action_id: str = "x", **more: Any) -> Block:
    return {"type": "button", "text": plain_text(text), "action_id": action_id, **more}


def actions(*elements: Block) -> Block:
    return {"type": "actions", "elements": list(elements)}


def context(*elements: Block) -> Block:
    return {"type": "context", "elements": list(elements)}


def file_input(block: str = "b", label: str = "x", **more: Any) -> Block:
    element = {"type": "file_input", "action_id": "x"} | more
    return {"type": "input", "block_id": block, "label": plain_text(label), "element": element}


def check_boxes(count: int = 1, **more: Any) -> Block:
    option = {"text": plain_text("x"), "value": "x"} | more
    return in_input({"type": "checkboxes", "action_id": "x", "options": [option] * count})


def text_field(**more: Any) -> Block:
    return in_input({"type": "plain_text_input", "action_id": "x"} | more)


def in_input(element: Block) -> Block:
    return modal([{"type": "input", "block_id": "b", "label": plain_text("x"), "element": element}])


def confirmed(**more: Any) -> Block:
    parts = {name: plain_text("x") for name in ("title", "text", "confirm", "deny")}
    return actions(button(confirm=parts | more))


def modal(blocks: list[Block], **more: Any) -> Block:
    return {"type": "modal", "title": plain_text("x"), "blocks": blocks} | more


def check(block: Block) -> None:
    """Check a message of one block."""
    check_message("x", [block])


def check_modal(**more: Any) -> None:
    """Check a modal with an input."""
    check_view(modal([file_input()], **more))


AT_MOST: dict[str, tuple[int, Callable[[int], None]]] = {
    "blocks in a message": (50, lambda n: check_message("x", [section()] * n)),
    "blocks in a modal": (100, lambda n: check_view(modal([section()] * n))),
    "blocks in a Home tab": (100, lambda n: check_view({"type": "home", "blocks": [section()] * n})),
    "a message's text": (4000, lambda n: check_message("x" * n, [])),
    "a section's text": (3000, lambda n: check(section("x" * n))),
    "a section's fields": (10, lambda n: check(section(fields=[plain_text("x")] * n))),
    "a field's text": (2000, lambda n: check(section(fields=[plain_text("x" * n)]))),
    "a header": (150, lambda n: check({"type": "header", "text": plain_text("x" * n)})),
    "a context's elements": (10, lambda n: check(context(*[plain_text("x")] * n))),
    "an actions block's elements": (25, lambda n: check(actions(*[button(action_id=str(i)) for i in range(n)]))),
    "a button's text": (75, lambda n: check(actions(button("x" * n)))),
    "a button's value": (2000, lambda n: check(actions(button(value="x" * n)))),
    "a button's address": (3000, lambda n: check(actions(button(url="x" * n)))),
    "an action_id": (255, lambda n: check(actions(button(action_id="x" * n)))),
    "a block_id": (255, lambda n: check(section(block_id="x" * n))),
    "a callback_id": (255, lambda n: check_modal(callback_id="x" * n)),
    "an image's alt text": (2000, lambda n: check(image("x" * n))),
    "an image's title": (2000, lambda n: check(image(title=plain_text("x" * n)))),
    "an image's address": (3000, lambda n: check(image(image_url="x" * n))),
    "the alt text of an image in a context": (2000, lambda n: check(context(image("x" * n)))),
    "the text of a section's button": (75, lambda n: check(section(accessory=button("x" * n)))),
    "a modal's title": (24, lambda n: check_modal(title=plain_text("x" * n))),
    "a modal's submit button": (24, lambda n: check_modal(submit=plain_text("x" * n))),
    "a modal's close button": (24, lambda n: check_modal(close=plain_text("x" * n))),
    "a modal's private metadata": (3000, lambda n: check_modal(private_metadata="x" * n)),
    "a label": (2000, lambda n: check_view(modal([file_input(label="x" * n)]))),
    "check boxes": (10, lambda n: check_view(check_boxes(n))),
    "a check box's text": (75, lambda n: check_view(check_boxes(text=plain_text("x" * n)))),
    "a check box's value": (150, lambda n: check_view(check_boxes(value="x" * n))),
    "a text field's initial value": (3000, lambda n: check_view(text_field(initial_value="x" * n))),
    "a confirmation's title": (100, lambda n: check(confirmed(title=plain_text("x" * n)))),
    "a confirmation's text": (300, lambda n: check(confirmed(text=plain_text("x" * n)))),
    "a confirmation's buttons": (30, lambda n: check(confirmed(confirm=plain_text("x" * n)))),
    "the files of an input": (10, lambda n: check_view(modal([file_input(max_files=n)]))),
}


@pytest.mark.parametrize("what", AT_MOST)
def test_limits_are_inclusive(what: str) -> None:
    most, check_with = AT_MOST[what]
    check_with(most)
    with pytest.raises(LimitError):
        check_with(most + 1)


AT_LEAST_ONE = [
    "a message's text",
    "a section's text",
    "a field's text",
    "a header",
    "a context's elements",
    "an actions block's elements",
    "a button's text",
    "an action_id",
    "a block_id",
    "an image's alt text",
    "an image's title",
    "an image's address",
    "a modal's title",
    "a label",
    "check boxes",
    "the files of an input",
]


@pytest.mark.parametrize("what", AT_LEAST_ONE)
def test_required_text_may_not_be_empty(what: str) -> None:
    _, check_with = AT_MOST[what]
    check_with(1)
    with pytest.raises(LimitError):
        check_with(0)


@pytest.mark.parametrize(
    "source",
    [
        {"image_url": "https://example.com/a.png"},
        {"slack_file": {"id": "F1"}},
        {"slack_file": {"url": "https://files.slack.com/a.png"}},
    ],
)
def test_image_with_one_source_is_valid(source: Block) -> None:
    check_message("x", [{"type": "image", "alt_text": "x", **source}])


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"image_url": "https://example.com/a.png", "slack_file": {"id": "F1"}},
        {"slack_file": {}},
        {"slack_file": {"id": "F1", "url": "https://files.slack.com/a.png"}},
    ],
)
def test_image_without_exactly_one_source_is_invalid(source: Block) -> None:
    with pytest.raises(LimitError, match="both or neither"):
        check_message("x", [{"type": "image", "alt_text": "x", **source}])


def test_section_needs_text_or_fields() -> None:
    check({"type": "section", "fields": [plain_text("x")]})
    with pytest.raises(LimitError, match="neither text nor fields"):
        check({"type": "section"})


def test_duplicate_ids_are_invalid() -> None:
    check(actions(button(action_id="a"), button(action_id="b")))
    with pytest.raises(LimitError, match="action_id occurs twice"):
        check(actions(button(action_id="a"), button(action_id="a")))
    check_message("x", [section(block_id="a"), section(block_id="b")])
    with pytest.raises(LimitError, match="block_id occurs twice"):
        check_message("x", [section(block_id="a"), section(block_id="a")])


def test_two_rows_may_hold_the_same_actions() -> None:
    check_message("x", [actions(button()), actions(button())])


@pytest.mark.parametrize("block", [{"type": "video"}, actions({"type": "rich_text_input", "action_id": "x"})])
def test_unknown_blocks_are_invalid(block: Block) -> None:
    with pytest.raises(LimitError, match="are not known"):
        check(block)


@pytest.mark.parametrize(
    ("text", "most", "clipped"),
    [
        ("", 5, ""),
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("abc def", 5, "abc…"),
        ("🏖" * 6, 5, "🏖🏖🏖🏖…"),
    ],
)
def test_long_text_is_clipped_with_an_ellipsis(text: str, most: int, clipped: str) -> None:
    assert clip(text, most) == clipped
    assert len(clipped) <= most
