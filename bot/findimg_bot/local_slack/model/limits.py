"""Slack's limits for blocks and views, with Slack's error messages.

The rules come from Slack's reference of blocks, elements and composition objects. They share nothing with the bot's own
checks, because they test the bot. Block types that the bot does not use, such as video, are refused as unknown.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
VIEW_BYTES = 250_000

Check = Callable[[Any, str, "Report"], None]


@dataclass(slots=True)
class Report:
    """The problems of one message or view, with their places."""

    slack_file: Callable[[Mapping[str, Any]], bool]  # whether a file can be shown
    messages: list[str] = field(default_factory=list)

    def add(self, what: str, where: str) -> None:
        """Add a problem."""
        self.messages.append(f"{what} [json-pointer:{where}]")


def message_problems(blocks: Any, slack_file: Callable[[Mapping[str, Any]], bool]) -> list[str]:
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
        for number, block in enumerate(view["blocks"]):
            if block["type"] == "input":
                report.add(
                    "must define `submit` to use an `input` block in modals", f"/view/blocks/{number}/{block['type']}"
                )
    return report.messages


def is_too_large(view: Any) -> bool:
    """Return whether a view is larger than Slack accepts."""
    return len(json.dumps(view).encode()) > VIEW_BYTES


def _string(most: int, least: int = 1) -> Check:
    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add("must be a string", where)
        elif len(value) > most:
            report.add(f"must be less than {most + 1} characters", where)
        elif len(value) < least:
            report.add(f"must be more than {least - 1} characters", where)

    return check


def _url(most: int) -> Check:
    length = _string(most)

    def check(value: Any, where: str, report: Report) -> None:
        length(value, where, report)
        if isinstance(value, str) and not (urlsplit(value).scheme in ("http", "https") and urlsplit(value).netloc):
            report.add("must be a valid URL", where)

    return check


def _boolean(value: Any, where: str, report: Report) -> None:
    if not isinstance(value, bool):
        report.add("must be a boolean", where)


def _number(least: int, most: int) -> Check:
    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, int) or not least <= value <= most:
            report.add(f"must be a number from {least} to {most}", where)

    return check


def _choice(*values: str) -> Check:
    def check(value: Any, where: str, report: Report) -> None:
        if value not in values:
            report.add(f"must be one of {', '.join(values)}", where)

    return check


def _list(each: Check, most: int, least: int = 1) -> Check:
    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, list):
            report.add("must be an array", where)
            return
        if len(value) > most:
            report.add(f"no more than {most} items allowed", where)
        if len(value) < least:
            report.add(f"must provide at least {least} items", where)
        for number, item in enumerate(value):
            each(item, f"{where}/{number}", report)

    return check


def _object(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    known = {**(optional or {}), **required}

    def check(value: Any, where: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.add("must be an object", where)
            return
        for name in required:
            if name not in value:
                report.add(f"missing required field: {name}", where)
        for name, item in value.items():
            if name in known:
                known[name](item, f"{where}/{name}", report)
            else:
                report.add(f"invalid additional property: {name}", where)

    return check


def _kinds(kinds: Mapping[str, Check]) -> Check:
    """Return a check for an object of one of several types, named by `type`."""

    def check(value: Any, where: str, report: Report) -> None:
        kind = str(value.get("type")) if isinstance(value, dict) else ""
        if kind in kinds:
            kinds[kind](value, where, report)
        else:
            report.add(f"unsupported type: {kind}", f"{where}/type")

    return check


def _anything(value: Any, where: str, report: Report) -> None:
    pass


def _plain(most: int) -> Check:
    return _object({"type": _choice("plain_text"), "text": _string(most)}, {"emoji": _boolean})


def _text(most: int) -> Check:
    mrkdwn = _object({"type": _anything, "text": _string(most)}, {"verbatim": _boolean})
    return _kinds({"plain_text": _plain(most), "mrkdwn": mrkdwn})


def _slack_file(value: Any, where: str, report: Report) -> None:
    if not isinstance(value, dict) or set(value) not in ({"id"}, {"url"}):
        report.add("must provide exactly one of id and url", where)
    elif not report.slack_file(value):
        report.add("invalid slack file", where)


def _image(optional: Mapping[str, Check]) -> Check:
    shape = _object(
        {"type": _anything, "alt_text": _string(2000)},
        {"image_url": _url(3000), "slack_file": _slack_file, **optional},
    )

    def check(value: Any, where: str, report: Report) -> None:
        shape(value, where, report)
        if ("image_url" in value) == ("slack_file" in value):
            report.add("must provide exactly one of image_url and slack_file", where)

    return check


def _distinct(inner: Check, list_name: str, id_name: str) -> Check:
    """Return `inner` with a check that no id occurs twice in the named list."""

    def check(value: Any, where: str, report: Report) -> None:
        inner(value, where, report)
        items = value.get(list_name) if isinstance(value, dict) else value
        seen: set[str] = set()
        for item in items if isinstance(items, list) else ():
            name = item.get(id_name) if isinstance(item, dict) else None
            if isinstance(name, str):
                if name in seen:
                    report.add(f"{id_name} must be unique: {name}", where)
                seen.add(name)

    return check


def _blocks(most: int, kinds: Mapping[str, Check]) -> Check:
    return _distinct(_list(_kinds(kinds), most, least=0), "", "block_id")


def _element(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    return _object({"type": _anything, **required}, {"action_id": _string(255), **optional})


_OPTION = _object(
    {"text": _text(75), "value": _string(150)}, {"description": _text(75), "url": _url(3000)}
)  # Slack's reference: an option's text and description 75, value 150
_CONFIRM = _object(
    {"title": _plain(100), "text": _text(300), "confirm": _plain(30), "deny": _plain(30)},
    {"style": _choice("primary", "danger")},
)
_FOCUS: dict[str, Check] = {"focus_on_load": _boolean}
_ASKED: dict[str, Check] = {"confirm": _CONFIRM, **_FOCUS}
_SELECT: dict[str, Check] = {"placeholder": _plain(150), **_ASKED}
_OPTIONS: dict[str, Check] = {"options": _list(_OPTION, 100)}
_FEW: dict[str, Check] = {"options": _list(_OPTION, 10)}
_TYPED: dict[str, Check] = {"placeholder": _plain(150), "dispatch_action_config": _anything, **_FOCUS}

_BUTTON = _element(
    {"text": _plain(75)},
    {
        "value": _string(2000),
        "url": _url(3000),
        "style": _choice("primary", "danger"),
        "confirm": _CONFIRM,
        "accessibility_label": _string(75),
    },
)
_GROUP = _object({"label": _plain(75), "options": _list(_OPTION, 100)})


def _static_select(value: Any, where: str, report: Report) -> None:
    optional = {**_SELECT, **_OPTIONS, "option_groups": _list(_GROUP, 100), "initial_option": _OPTION}
    _element({}, optional)(value, where, report)
    if ("options" in value) == ("option_groups" in value):
        report.add("must provide exactly one of options and option_groups", where)


_CHOICES: dict[str, Check] = {
    "static_select": _static_select,
    "users_select": _element({}, {**_SELECT, "initial_user": _string(255)}),
    "channels_select": _element({}, {**_SELECT, "initial_channel": _string(255)}),
    "conversations_select": _element({}, {**_SELECT, "initial_conversation": _string(255), "filter": _anything}),
    "datepicker": _element({}, {**_SELECT, "initial_date": _string(10)}),
    "timepicker": _element({}, {**_SELECT, "initial_time": _string(5), "timezone": _string(255)}),
    "checkboxes": _element(_FEW, {**_ASKED, "initial_options": _list(_OPTION, 10)}),
    "radio_buttons": _element(_FEW, {**_ASKED, "initial_option": _OPTION}),
}
_OVERFLOW = _element({"options": _list(_OPTION, 5)}, {"confirm": _CONFIRM})
_MULTIPLE = _element(
    _OPTIONS, {**_SELECT, "initial_options": _list(_OPTION, 100), "max_selected_items": _number(1, 100)}
)
_IMAGE_ELEMENT = _image({})
_INPUTS: dict[str, Check] = {
    **_CHOICES,
    "multi_static_select": _MULTIPLE,
    "plain_text_input": _element(
        {},
        {
            **_TYPED,
            "initial_value": _string(3000, 0),
            "multiline": _boolean,
            "min_length": _number(0, 3000),
            "max_length": _number(1, 3000),
        },
    ),
    "email_text_input": _element({}, {**_TYPED, "initial_value": _string(3000, 0)}),
    "url_text_input": _element({}, {**_TYPED, "initial_value": _string(3000, 0)}),
    "number_input": _element(
        {"is_decimal_allowed": _boolean},
        {**_TYPED, "initial_value": _string(40, 0), "min_value": _string(40), "max_value": _string(40)},
    ),
    "file_input": _element({}, {"filetypes": _list(_string(40), 100), "max_files": _number(1, 10)}),
}
_ACCESSORIES = {
    **_CHOICES,
    "multi_static_select": _MULTIPLE,
    "button": _BUTTON,
    "overflow": _OVERFLOW,
    "image": _IMAGE_ELEMENT,
}


def _block(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    return _object({"type": _anything, **required}, {"block_id": _string(255), **(optional or {})})


def _section(value: Any, where: str, report: Report) -> None:
    _block(
        {},
        {
            "text": _text(3000),
            "fields": _list(_text(2000), 10),
            "accessory": _kinds(_ACCESSORIES),
            "expand": _boolean,
        },
    )(value, where, report)
    if "text" not in value and "fields" not in value:
        report.add("missing required field: text", where)


_COMMON: dict[str, Check] = {
    "section": _section,
    "divider": _block({}),
    "header": _block({"text": _plain(150)}, {"level": _number(1, 4)}),
    "image": _image({"title": _plain(2000), "block_id": _string(255)}),
    "context": _block(
        {"elements": _list(_kinds({"mrkdwn": _text(3000), "plain_text": _text(3000), "image": _IMAGE_ELEMENT}), 10)}
    ),
    "actions": _distinct(
        _block({"elements": _list(_kinds({**_CHOICES, "button": _BUTTON, "overflow": _OVERFLOW}), 25)}),
        "elements",
        "action_id",
    ),
    "input": _block(
        {"label": _plain(2000), "element": _kinds(_INPUTS)},
        {"hint": _plain(2000), "optional": _boolean, "dispatch_action": _boolean},
    ),
    "rich_text": _block({"elements": _list(_anything, 1000)}),
}
_CARD = _kinds(
    {
        "card": _block(
            {},
            {
                "hero_image": _IMAGE_ELEMENT,
                "icon": _IMAGE_ELEMENT,
                "title": _text(150),
                "subtitle": _text(150),
                "body": _text(200),
                "actions": _list(_kinds({"button": _BUTTON}), 5),
            },
        )
    }
)
_MESSAGE_BLOCKS: dict[str, Check] = {
    **_COMMON,
    "markdown": _block({"text": _string(12_000)}),
    "card": _CARD,
    "carousel": _block({"elements": _list(_CARD, 10)}),
}
_META: dict[str, Check] = {
    "private_metadata": _string(3000, 0),
    "callback_id": _string(255, 0),
    "external_id": _string(255, 0),
}
_VIEWS: dict[str, Check] = {
    "modal": _object(
        {"type": _anything, "title": _plain(24), "blocks": _blocks(VIEW_BLOCKS, _COMMON)},
        {
            **_META,
            "submit": _plain(24),
            "close": _plain(24),
            "clear_on_close": _boolean,
            "notify_on_close": _boolean,
            "submit_disabled": _boolean,
        },
    ),
    "home": _object({"type": _anything, "blocks": _blocks(VIEW_BLOCKS, _COMMON)}, _META),
}
