from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg_bot.local_slack.model.limits import is_too_large, message_problems, view_problems
from tests.bot.local_slack.conftest import button, modal, section

IMAGE = {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a cat"}


def is_known(slack_file: Mapping[str, Any]) -> bool:
    return slack_file.get("id") == "F1"


def problems(*blocks: Any) -> list[str]:
    return message_problems(list(blocks), is_known)


def plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


@pytest.mark.parametrize(
    "block",
    [
        section("x" * 3000),
        {"type": "section", "fields": [plain("x" * 2000)] * 10},
        section("x", accessory=button("a")),
        {"type": "divider"},
        {"type": "header", "text": plain("x" * 150)},
        IMAGE | {"alt_text": "x" * 2000, "title": plain("x" * 2000), "block_id": "b" * 255},
        {"type": "image", "slack_file": {"id": "F1"}, "alt_text": "a cat"},
        {"type": "context", "elements": [plain("x"), IMAGE] * 5},
        {"type": "actions", "elements": [button(f"a{number}") for number in range(25)]},
        {"type": "actions", "elements": [button("a" * 75, value="x" * 2000, style="primary")]},
        {"type": "input", "label": plain("x"), "element": {"type": "plain_text_input", "action_id": "a"}},
    ],
)
def test_blocks_at_their_limits_are_accepted(block: Any) -> None:
    assert problems(block) == []


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (section("x" * 3001), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
        (section(""), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
        ({"type": "section"}, "missing required field: text [json-pointer:/blocks/0]"),
        (
            {"type": "section", "fields": [plain("x")] * 11},
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        (
            {"type": "section", "fields": [plain("x" * 2001)]},
            "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
        ),
        ({"type": "sections"}, "unsupported type: sections [json-pointer:/blocks/0/type]"),
        ({"type": "carousel", "elements": []}, "must provide at least 1 items [json-pointer:/blocks/0/elements]"),
        ("text", "unsupported type:  [json-pointer:/blocks/0/type]"),
        (
            {"type": "header", "text": plain("x" * 151)},
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            {"type": "header", "text": {"type": "mrkdwn", "text": "x"}},
            "must be one of plain_text [json-pointer:/blocks/0/text/type]",
        ),
        ({"type": "divider", "text": "x"}, "invalid additional property: text [json-pointer:/blocks/0]"),
        (IMAGE | {"alt_text": "x" * 2001}, "must be less than 2001 characters [json-pointer:/blocks/0/alt_text]"),
        (IMAGE | {"alt_text": None}, "must be a string [json-pointer:/blocks/0/alt_text]"),
        (IMAGE | {"image_url": "cat.png"}, "must be a valid URL [json-pointer:/blocks/0/image_url]"),
        (
            IMAGE | {"image_url": f"https://example.com/{'x' * 3000}"},
            "must be less than 3001 characters [json-pointer:/blocks/0/image_url]",
        ),
        (
            IMAGE | {"slack_file": {"id": "F1"}},
            "must provide exactly one of image_url and slack_file [json-pointer:/blocks/0]",
        ),
        (
            {"type": "image", "alt_text": "a cat"},
            "must provide exactly one of image_url and slack_file [json-pointer:/blocks/0]",
        ),
        (
            {"type": "image", "alt_text": "a", "slack_file": {"id": "F1", "url": "https://x.y"}},
            "must provide exactly one of id and url [json-pointer:/blocks/0/slack_file]",
        ),
        (
            {"type": "image", "alt_text": "a", "slack_file": {"id": "F2"}},
            "invalid slack file [json-pointer:/blocks/0/slack_file]",
        ),
        (
            {"type": "context", "elements": [plain("x")] * 11},
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        ),
        ({"type": "context", "elements": []}, "must provide at least 1 items [json-pointer:/blocks/0/elements]"),
        (
            {"type": "context", "elements": [button("a")]},
            "unsupported type: button [json-pointer:/blocks/0/elements/0/type]",
        ),
        (
            {"type": "actions", "elements": [button(f"a{number}") for number in range(26)]},
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
        ),
        ({"type": "actions", "elements": [button("a")] * 2}, "action_id must be unique: a [json-pointer:/blocks/0]"),
        (
            {"type": "actions", "elements": [button("a", value="x" * 2001)]},
            "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
        ),
        (
            {"type": "actions", "elements": [button("a") | {"text": plain("x" * 76)}]},
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        ),
        (
            {"type": "actions", "elements": [button("a" * 256) | {"text": plain("x")}]},
            "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
        ),
        (
            {"type": "actions", "elements": [button("a", style="blue")]},
            "must be one of primary, danger [json-pointer:/blocks/0/elements/0/style]",
        ),
        (section("x", block_id="b" * 256), "must be less than 256 characters [json-pointer:/blocks/0/block_id]"),
    ],
)
def test_invalid_block_is_reported_with_its_json_pointer(block: Any, problem: str) -> None:
    assert problems(block) == [problem]


def test_message_has_at_most_50_blocks_and_view_100() -> None:
    divider = {"type": "divider"}
    assert problems(*[divider] * 50) == []
    assert problems(*[divider] * 51) == ["no more than 50 items allowed [json-pointer:/blocks]"]
    assert view_problems(modal(*[divider] * 100), is_known) == []
    too_many = ["no more than 100 items allowed [json-pointer:/view/blocks]"]
    assert view_problems(modal(*[divider] * 101), is_known) == too_many
    assert view_problems({"type": "home", "blocks": [divider] * 101}, is_known) == too_many


def test_duplicate_block_id_is_refused() -> None:
    assert problems(section("x", block_id="a"), section("y", block_id="a")) == [
        "block_id must be unique: a [json-pointer:/blocks]"
    ]


def test_blocks_must_be_a_list() -> None:
    assert message_problems({"type": "divider"}, is_known) == ["must be an array [json-pointer:/blocks]"]


KINDS = ["section", "image", "actions", "context", "input", "button", "static_select", "mrkdwn", "plain_text"]
WORDS = ["type", "text", "elements", "slack_file", "id", "action_id", "block_id", "options", "modal", "blocks"]
INPUT = {"type": "input", "label": plain("File"), "element": {"type": "file_input", "action_id": "f", "max_files": 10}}


@pytest.mark.parametrize(
    ("view", "problem"),
    [
        (
            modal(title=plain("x" * 25)),
            "must be less than 25 characters [json-pointer:/view/title/text]",
        ),
        (modal(submit=plain("x" * 25)), "must be less than 25 characters [json-pointer:/view/submit/text]"),
        (
            modal(private_metadata="x" * 3001),
            "must be less than 3001 characters [json-pointer:/view/private_metadata]",
        ),
        (
            modal(INPUT | {"element": {"type": "file_input", "max_files": 11}}),
            "must be a number from 1 to 10 [json-pointer:/view/blocks/0/element/max_files]",
        ),
        ({"type": "modal", "blocks": []}, "missing required field: title [json-pointer:/view]"),
        ({"type": "page", "blocks": []}, "unsupported type: page [json-pointer:/view/type]"),
        ("modal", "unsupported type:  [json-pointer:/view/type]"),
    ],
)
def test_invalid_view_is_reported_with_its_json_pointer(view: Any, problem: str) -> None:
    assert view_problems(view, is_known) == [problem]


def test_modal_with_an_input_needs_a_submit_button() -> None:
    view = modal({"type": "divider"}, INPUT)
    assert view_problems(view, is_known) == []
    del view["submit"]
    assert view_problems(view, is_known) == [
        "must define `submit` to use an `input` block in modals [json-pointer:/view/blocks/1/input]"
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(KINDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_any_json_value_gives_problems_and_no_exception(value: Any) -> None:
    for said in (value, [value], [{"type": "section", "accessory": value}], [{"type": "input", "element": value}]):
        assert all(isinstance(each, str) for each in message_problems(said, is_known))
    for view in (value, modal(value), {"type": "home", "blocks": value}):
        assert all(isinstance(each, str) for each in view_problems(view, is_known))


def test_view_has_at_most_250_kb() -> None:
    assert not is_too_large(modal(*[section("x" * 2000)] * 100))
    assert is_too_large(modal(*[section("x" * 3000)] * 100))
