"""The values of interactive elements: what a person chose, and the files of an input."""

from collections.abc import Sequence
from typing import Any

from findimg.terminal import counted
from findimg_bot.local_slack.actions.services import UserActionError
from findimg_bot.local_slack.model.state import Channel, File, Json

_INPUT_FILES, _INPUT_BYTES = 10, 10 * 2**20


def find_element(blocks: Sequence[Json], block_id: str, action_id: str) -> Json:
    """Return an element of the blocks.

    Raises:
        UserActionError: the element does not exist.
    """
    cards = [card for block in blocks if block["type"] == "carousel" for card in block["elements"]]
    for block in [*blocks, *cards]:
        if block["block_id"] == block_id:
            elements = [
                *block.get("elements", ()),
                *block.get("actions", ()),
                *(block[name] for name in ("accessory", "element") if name in block),
            ]
            for element in elements:
                if element.get("action_id") == action_id:
                    return dict(element)
    raise UserActionError("This button no longer exists.")


def is_offered(element: Json, channel: Channel) -> bool:
    """Return whether a menu of conversations offers a channel, by the menu's filter."""
    chosen = element.get("filter") or {}
    kind = {"im": "im", "mpim": "mpim", "groups": "private", "channels": "public"}[channel.kind]
    if kind not in chosen.get("include", (kind,)):
        return False
    if channel.is_ext_shared and chosen.get("exclude_external_shared_channels"):
        return False
    return not (channel.is_im and chosen.get("exclude_bot_users"))


def chosen_values(element: Json, value: object) -> Json:
    """Return the chosen values in the form that Slack uses for an element's type."""
    match element["type"]:
        case "static_select" | "radio_buttons" | "overflow":
            return {"selected_option": _option(element, value)}
        case "checkboxes" | "multi_static_select":
            return {"selected_options": [_option(element, each) for each in listed(value)]}
        case "users_select" | "channels_select" | "conversations_select":
            return {f"selected_{element['type'].removesuffix('s_select')}": value}
        case "datepicker":
            return {"selected_date": value}
        case "timepicker":
            return {"selected_time": value}
        case _:
            return {"value": value}


def listed(value: object) -> list[Any]:
    """Return a list as it is, and an empty list for anything else."""
    return value if isinstance(value, list) else []


def _option(element: Json, value: object) -> Json:
    groups = element.get("option_groups", [element])
    for option in [each for group in groups for each in group["options"]]:
        if option.get("value") == value:
            return dict(option)
    raise UserActionError(f"There is no choice {value!r}.")


def file_problem(element: Json, files: Sequence[File]) -> str:
    """Return why an input refuses files, or an empty string."""
    most = element.get("max_files", _INPUT_FILES)
    if len(files) > most:
        return f"Choose at most {counted(most, 'file')}."
    if any(len(file.data or b"") > _INPUT_BYTES for file in files):
        return f"A file may have at most {_INPUT_BYTES // 2**20} MB."
    types = [str(each).lower().lstrip(".") for each in element.get("filetypes", ())]
    if types and any(file.name.lower().rpartition(".")[2] not in types for file in files):
        return f"Choose a file of these types: {', '.join(types)}."
    return ""
