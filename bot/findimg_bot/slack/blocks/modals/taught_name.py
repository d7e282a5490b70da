"""The modal with the examples of a taught name."""

import json
from dataclasses import asdict, dataclass

from findimg.taught.state import TaughtExample, TaughtName
from findimg_bot.slack.blocks.elements import (
    Block,
    actions,
    button,
    checkboxes,
    labelled,
    plain_section,
    plain_text,
    section,
    small_text,
)
from findimg_bot.slack.blocks.taught_names import example_counts, person_text
from findimg_bot.slack.blocks.text import escaped, file_name, plain
from findimg_bot.slack.limits import CHECKBOXES, check_view
from findimg_bot.slack_objects import SlackObject

TAUGHT = "taught_name"  # callback_id
UNDO_LAST, REMOVE_NAME = "undo_last", "remove_name"  # action_id of the buttons; their value is the name's key
_REMOVE = "remove"  # action_id of the check boxes, and start of their block_id
_MOST_EXAMPLES = 50  # that the modal lists, the newest


@dataclass(frozen=True, slots=True)
class ShownName:
    """The name that the modal shows. The modal carries it in its `private_metadata`."""

    key: str
    channel: str = ""  # id of the channel in which the modal was opened, empty for none


def taught_name_modal(name: TaughtName, channel: str, team: str, note: str = "") -> Block:
    """Return the modal with a name's examples, which removes examples or the name.

    Args:
        channel: id of the channel in which it was opened.
        team: id of the workspace that reads it.
        note: what has just been done.
    """
    like = sum(each.shows for each in name.taught)
    blocks = [small_text(note)] if note else []
    blocks.append(section(f"*{escaped(name.name)}* · {example_counts(like, len(name.taught) - like)}"))
    shown = name.taught[::-1][:_MOST_EXAMPLES]
    for start in range(0, len(shown), CHECKBOXES):
        boxes = [(_example(each), each.example.sha256) for each in shown[start : start + CHECKBOXES]]
        label = "Examples to remove" if not start else "More examples to remove"
        blocks.append(labelled(f"{_REMOVE}.{start}", label, checkboxes(_REMOVE, boxes), optional=True))
    if len(name.taught) > len(shown):
        blocks.append(small_text(f"These are the newest {len(shown)} of {len(name.taught)} examples."))
    if name.clicks:
        blocks.append(small_text(f"{name.clicks:,} clicks count as weak examples."))
    blocks.append(small_text(f"Taught by {', '.join(person_text(each, team) for each in name.people[:10])}"))
    blocks.append(
        actions(
            [
                button("Undo the last change", UNDO_LAST, name.key, confirm="The newest examples are taken back."),
                button(
                    "Remove the name",
                    REMOVE_NAME,
                    name.key,
                    "danger",
                    confirm="All examples of this name are taken back. They stay in the history.",
                ),
            ]
        )
    )
    view = {
        "type": "modal",
        "callback_id": TAUGHT,
        "title": plain_text("A taught name"),
        "submit": plain_text("Remove ticked"),
        "close": plain_text("Close"),
        "private_metadata": json.dumps(asdict(ShownName(name.key, channel)), ensure_ascii=False),
        "blocks": blocks,
    }
    check_view(view)
    return view


def closing_modal(text: str) -> Block:
    """Return the modal that says what was done, after a name is gone or an error."""
    view = {
        "type": "modal",
        "callback_id": TAUGHT,
        "title": plain_text("A taught name"),
        "close": plain_text("Close"),
        "blocks": [plain_section(plain(text, 2000))],
    }
    check_view(view)
    return view


def read_shown_name(view: SlackObject) -> ShownName:
    """Return the name that the modal shows."""
    return ShownName(**json.loads(view["private_metadata"]))


def read_ticked_examples(view: SlackObject) -> tuple[str, list[str]]:
    """Return the key of the modal's name, and the SHA-256 of each ticked example."""
    ticked = [
        str(option["value"])
        for block, elements in view["state"]["values"].items()
        if block.startswith(f"{_REMOVE}.")
        for option in elements[_REMOVE].get("selected_options") or ()
    ]
    return read_shown_name(view).key, ticked


def _example(each: TaughtExample) -> str:
    what = plain(file_name(each.example.uri), 40) if each.example.uri else f"upload {each.example.sha256[:8]}"
    return f"{what} · {'shows it' if each.shows else 'does not show it'}"
