"""Slack's limits for blocks and views, with Slack's error messages.

The rules come from Slack's reference of blocks, elements and composition objects. They share nothing with the bot's own
checks, because they test the bot. Block types that the bot does not use, such as video, are refused as unknown.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from findimg_bot.local_slack.model.json_checks import (
    Check,
    Report,
    anything,
    boolean,
    choice,
    distinct,
    list_of,
    number,
    object_with,
    one_of_types,
    string,
    url,
)

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000


def message_problems(blocks: object, slack_file: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    """Return the problems for which Slack refuses a message's blocks.

    Args:
        slack_file: whether a block's `slack_file` names a file that the app may see and that is ready.

    Returns:
        One sentence for each problem. The list is empty when Slack accepts the blocks.
    """
    report = Report(slack_file)
    _blocks(MESSAGE_BLOCKS, _MESSAGE_BLOCKS)(blocks, "/blocks", report)
    return report.messages


def view_problems(view: Any, slack_file: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    """Return the problems for which Slack refuses a view, as `message_problems` does."""
    report = Report(slack_file)
    kind = str(view.get("type")) if isinstance(view, dict) else ""
    if kind not in _VIEWS:
        report.add(f"unsupported type: {kind}", "/view/type")
        return report.messages
    _VIEWS[kind](view, "/view", report)
    if kind == "modal" and not report.messages and "submit" not in view:
        for position, block in enumerate(view["blocks"]):
            if block["type"] == "input":
                report.add(
                    "must define `submit` to use an `input` block in modals", f"/view/blocks/{position}/{block['type']}"
                )
    return report.messages


def is_too_large(view: object) -> bool:
    """Return whether a view is larger than Slack accepts."""
    return len(json.dumps(view).encode()) > VIEW_BYTES


def _plain(most: int) -> Check:
    return object_with({"type": choice("plain_text"), "text": string(most)}, {"emoji": boolean})


def _text(most: int) -> Check:
    mrkdwn = object_with({"type": anything, "text": string(most)}, {"verbatim": boolean})
    return one_of_types({"plain_text": _plain(most), "mrkdwn": mrkdwn})


def _slack_file(value: object, where: str, report: Report) -> None:
    if not isinstance(value, dict) or set(value) not in ({"id"}, {"url"}):
        report.add("must provide exactly one of id and url", where)
    elif not report.slack_file(value):
        report.add("invalid slack file", where)


def _image(optional: Mapping[str, Check]) -> Check:
    shape = object_with(
        {"type": anything, "alt_text": string(2000)},
        {"image_url": url(3000), "slack_file": _slack_file, **optional},
    )

    def check(value: Any, where: str, report: Report) -> None:
        shape(value, where, report)
        if ("image_url" in value) == ("slack_file" in value):
            report.add("must provide exactly one of image_url and slack_file", where)

    return check


def _blocks(most: int, kinds: Mapping[str, Check]) -> Check:
    return distinct(list_of(one_of_types(kinds), most, least=0), "", "block_id")


def _element(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    return object_with({"type": anything, **required}, {"action_id": string(255), **optional})


_OPTION = object_with(
    {"text": _text(75), "value": string(150)}, {"description": _text(75), "url": url(3000)}
)  # Slack's reference: an option's text and description 75, value 150
_CONFIRM = object_with(
    {"title": _plain(100), "text": _text(300), "confirm": _plain(30), "deny": _plain(30)},
    {"style": choice("primary", "danger")},
)
_FOCUS: dict[str, Check] = {"focus_on_load": boolean}
_CONFIRMABLE: dict[str, Check] = {"confirm": _CONFIRM, **_FOCUS}
_SELECT: dict[str, Check] = {"placeholder": _plain(150), **_CONFIRMABLE}
_OPTIONS: dict[str, Check] = {"options": list_of(_OPTION, 100)}
_TEN_OPTIONS: dict[str, Check] = {"options": list_of(_OPTION, 10)}
_TEXT_INPUT: dict[str, Check] = {"placeholder": _plain(150), "dispatch_action_config": anything, **_FOCUS}

_BUTTON = _element(
    {"text": _plain(75)},
    {
        "value": string(2000),
        "url": url(3000),
        "style": choice("primary", "danger"),
        "confirm": _CONFIRM,
        "accessibility_label": string(75),
    },
)
_GROUP = object_with({"label": _plain(75), "options": list_of(_OPTION, 100)})


def _static_select(value: Any, where: str, report: Report) -> None:
    optional = {**_SELECT, **_OPTIONS, "option_groups": list_of(_GROUP, 100), "initial_option": _OPTION}
    _element({}, optional)(value, where, report)
    if ("options" in value) == ("option_groups" in value):
        report.add("must provide exactly one of options and option_groups", where)


_CHOICES: dict[str, Check] = {
    "static_select": _static_select,
    "users_select": _element({}, {**_SELECT, "initial_user": string(255)}),
    "channels_select": _element({}, {**_SELECT, "initial_channel": string(255)}),
    "conversations_select": _element(
        {},
        {
            **_SELECT,
            "initial_conversation": string(255),
            "filter": anything,
            "default_to_current_conversation": boolean,
            "response_url_enabled": boolean,
        },
    ),
    "datepicker": _element({}, {**_SELECT, "initial_date": string(10)}),
    "timepicker": _element({}, {**_SELECT, "initial_time": string(5), "timezone": string(255)}),
    "checkboxes": _element(_TEN_OPTIONS, {**_CONFIRMABLE, "initial_options": list_of(_OPTION, 10)}),
    "radio_buttons": _element(_TEN_OPTIONS, {**_CONFIRMABLE, "initial_option": _OPTION}),
}
_OVERFLOW = _element({"options": list_of(_OPTION, 5)}, {"confirm": _CONFIRM})
_MULTIPLE = _element(
    _OPTIONS, {**_SELECT, "initial_options": list_of(_OPTION, 100), "max_selected_items": number(1, 100)}
)
_IMAGE_ELEMENT = _image({})
_INPUTS: dict[str, Check] = {
    **_CHOICES,
    "multi_static_select": _MULTIPLE,
    "plain_text_input": _element(
        {},
        {
            **_TEXT_INPUT,
            "initial_value": string(3000, 0),
            "multiline": boolean,
            "min_length": number(0, 3000),
            "max_length": number(1, 3000),
        },
    ),
    "email_text_input": _element({}, {**_TEXT_INPUT, "initial_value": string(3000, 0)}),
    "url_text_input": _element({}, {**_TEXT_INPUT, "initial_value": string(3000, 0)}),
    "number_input": _element(
        {"is_decimal_allowed": boolean},
        {**_TEXT_INPUT, "initial_value": string(40, 0), "min_value": string(40), "max_value": string(40)},
    ),
    "file_input": _element({}, {"filetypes": list_of(string(40), 100), "max_files": number(1, 10)}),
}
_ACCESSORIES = {
    **_CHOICES,
    "multi_static_select": _MULTIPLE,
    "button": _BUTTON,
    "overflow": _OVERFLOW,
    "image": _IMAGE_ELEMENT,
}


def _block(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return object_with({"type": anything, **required}, {"block_id": string(255), **(optional or {})})


def _section(value: Any, where: str, report: Report) -> None:
    _block(
        {},
        {
            "text": _text(3000),
            "fields": list_of(_text(2000), 10),
            "accessory": one_of_types(_ACCESSORIES),
            "expand": boolean,
        },
    )(value, where, report)
    if "text" not in value and "fields" not in value:
        report.add("missing required field: text", where)


_CONTEXT_ELEMENTS: dict[str, Check] = {
    "mrkdwn": _text(3000),
    "plain_text": _text(3000),
    "image": _IMAGE_ELEMENT,
}
_COMMON: dict[str, Check] = {
    "section": _section,
    "divider": _block({}),
    "header": _block({"text": _plain(150)}, {"level": number(1, 4)}),
    "image": _image({"title": _plain(2000), "block_id": string(255)}),
    "context": _block({"elements": list_of(one_of_types(_CONTEXT_ELEMENTS), 10)}),
    "actions": distinct(
        _block({"elements": list_of(one_of_types({**_CHOICES, "button": _BUTTON, "overflow": _OVERFLOW}), 25)}),
        "elements",
        "action_id",
    ),
    "input": _block(
        {"label": _plain(2000), "element": one_of_types(_INPUTS)},
        {"hint": _plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "rich_text": _block({"elements": list_of(anything, 1000)}),
}
_CARD = one_of_types(
    {
        "card": _block(
            {},
            {
                "hero_image": _IMAGE_ELEMENT,
                "icon": _IMAGE_ELEMENT,
                "title": _text(150),
                "subtitle": _text(150),
                "body": _text(200),
                "actions": list_of(one_of_types({"button": _BUTTON}), 3),
            },
        )
    }
)
# Slack's reference of blocks: cards are for all surfaces, carousels not for modals.
_MODAL_BLOCKS: dict[str, Check] = {**_COMMON, "card": _CARD}
_HOME_BLOCKS: dict[str, Check] = {**_MODAL_BLOCKS, "carousel": _block({"elements": list_of(_CARD, 10)})}
_MESSAGE_BLOCKS: dict[str, Check] = {**_HOME_BLOCKS, "markdown": _block({"text": string(12_000)})}
_META: dict[str, Check] = {
    "private_metadata": string(3000, 0),
    "callback_id": string(255, 0),
    "external_id": string(255, 0),
}
_VIEWS: dict[str, Check] = {
    "modal": object_with(
        {"type": anything, "title": _plain(24), "blocks": _blocks(VIEW_BLOCKS, _MODAL_BLOCKS)},
        {
            **_META,
            "submit": _plain(24),
            "close": _plain(24),
            "clear_on_close": boolean,
            "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
    "home": object_with({"type": anything, "blocks": _blocks(VIEW_BLOCKS, _HOME_BLOCKS)}, _META),
}
