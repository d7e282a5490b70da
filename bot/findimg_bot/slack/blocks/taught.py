"""Messages and a modal about taught names."""

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from findimg.taught.audit import Activity
from findimg.taught.events import CancelEvent, ExampleEvent, readable_time
from findimg.taught.state import TaughtExample, TaughtName
from findimg.terminal import counted
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
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.text import escaped, file_name, local_date, notification_text, plain
from findimg_bot.slack.limits import CHECKBOXES, check_view

TAUGHT = "taught_name"  # callback_id of the modal
NAMES_ON_PAGE = 15
MOST_PEOPLE, MOST_EVENTS = 20, 40  # that a message lists
_MOST_EXAMPLES = 50  # that the modal lists, the newest
_SHOWN_EXAMPLES, _SHOWN_PEOPLE = 3, 3  # of a name in the list
_HOME_NAMES = 5
_SHOWN_HITS = 3  # before a lesson
_EMPTY = "Nobody taught a name yet. Use *Teach* below an answer, or `/teach lotus`."


def taught_blocks(
    name: str, counts: tuple[int, int], hits: tuple[Sequence[str], Sequence[str]], action: str
) -> list[Block]:
    """Return the confirmation of a lesson, which comes before the new answer.

    Args:
        name: as the library writes it.
        counts: number of pictures in the lesson that show it, and of those that do not.
        hits: URIs of the first hits for the name before and after the lesson.
        action: id of the lesson, to undo it.
    """
    before, after = hits
    shown = ", ".join(escaped("/".join(PurePosixPath(uri).parts[-2:]), 60) for uri in before[:_SHOWN_HITS])
    more = f" and {len(before) - _SHOWN_HITS} more" if len(before) > _SHOWN_HITS else ""
    new = len(set(after) - set(before))
    return [
        section(f"findimg knows *{escaped(name)}* now: {_counts(*counts)}."),
        small_text(f"First hits before: {shown or 'none'}{more}. Now {new} of the first {len(after)} are new:"),
        actions([button("Undo", "undo_lesson", action), button("All taught names", "list_taught", "0")]),
    ]


def known_message(name: str) -> Message:
    """Return the answer to a lesson that changed nothing."""
    return Message(
        notification_text(f"{name}: nothing new"),
        [section(f"findimg knows these examples of *{escaped(name)}* already. Nothing was changed.")],
    )


def unknown_words_message(text: str, question_id: str) -> Message:
    """Return the answer to a query with an unknown word, which can be taught.

    Args:
        text: which word is unknown, with suggestions.
        question_id: id of the stored question.
    """
    return Message(
        notification_text(text),
        [
            plain_section(plain(text, 2000)),
            small_text("You can teach it with pictures that show it."),
            actions([button("Teach", "teach", question_id)]),
        ],
    )


def taught_list_message(names: Sequence[TaughtName], skip: int, team: str) -> Message:
    """Return one page of all taught names.

    Args:
        names: all, the newest first.
        skip: number of names on earlier pages.
        team: id of the workspace that reads the message.
    """
    page = names[skip : skip + NAMES_ON_PAGE]
    if not names:
        return Message(notification_text("Nobody taught a name yet."), [section(_EMPTY)])
    title = "*1 taught name*" if len(names) == 1 else f"*{len(names):,} taught names*, newest first"
    blocks = [section(title)]
    blocks += [_row(name, team) for name in page]
    controls = []
    if skip:
        controls.append(button("Previous", "previous_taught", str(max(0, skip - NAMES_ON_PAGE))))
    if skip + NAMES_ON_PAGE < len(names):
        controls.append(button("Next", "next_taught", str(skip + NAMES_ON_PAGE)))
    controls += [button("Who taught", "list_teachers", "0"), button("History", "list_history", "0")]
    blocks.append(actions(controls))
    return Message(notification_text(f"Taught names: {', '.join(name.name for name in page)}"), blocks)


def home_blocks(names: Sequence[TaughtName], team: str) -> list[Block]:
    """Return what the Home tab says about taught names. Arguments as of `taught_list_message`."""
    blocks = [section("*What the team taught*")]
    if not names:
        return [*blocks, section(_EMPTY)]
    blocks += [_row(name, team) for name in names[:_HOME_NAMES]]
    if len(names) > _HOME_NAMES:
        blocks.append(small_text(f"And {len(names) - _HOME_NAMES:,} more: `/teach` lists them all."))
    return blocks


def people_message(activities: Sequence[Activity], team: str, me: str) -> Message:
    """Return who taught what.

    Args:
        activities: of each person, the last one to teach first.
        team: id of the workspace that reads the message.
        me: the reader, as events name a person.
    """
    blocks = [section("*Who taught names*")]
    for each in activities[:MOST_PEOPLE]:
        what = f"{counted(each.examples, 'example')} of {counted(each.names, 'name')}"
        when = local_date(readable_time(each.last).isoformat())
        ask = f"All {what} by this person are taken back. They stay in the history."
        undo = button("Undo everything", "undo_person", each.person, confirm=ask)
        blocks.append(section(f"{_person(each.person, team)} · {what} · last on {when}", undo))
    if len(activities) > MOST_PEOPLE:
        blocks.append(small_text(f"And {len(activities) - MOST_PEOPLE:,} more."))
    if me in [each.person for each in activities]:
        ask = "Your examples are deleted, with their pictures and your name in the history. This cannot be undone."
        blocks.append(actions([button("Erase what I taught", "erase_own", "all", "danger", confirm=ask)]))
    return Message(notification_text("Who taught names"), blocks)


def history_message(events: Sequence[ExampleEvent | CancelEvent], team: str) -> Message:
    """Return what people did, the newest first.

    Args:
        events: the newest first.
        team: id of the workspace that reads the message.
    """
    lines = []
    for event in events[:MOST_EVENTS]:
        when = local_date(readable_time(event.time).isoformat())
        if isinstance(event, CancelEvent):
            did = f"took back {counted(len(event.events), 'example')}"
        else:
            about = escaped(file_name(event.example.uri), 40) if event.example.uri else "an upload"
            did = f"taught that {about} {'shows' if event.shows else 'does not show'} *{escaped(event.name, 60)}*"
        lines.append(section(f"{when} · {_person(event.by, team)} {did}"))
    more = [small_text("findimg-jobs teach --audit lists everything.")] if len(events) > MOST_EVENTS else []
    return Message(notification_text("What people taught"), [section("*History*, newest first"), *lines, *more])


def name_modal(name: TaughtName, channel: str, team: str, note: str = "") -> Block:
    """Return the modal with a name's examples, which removes examples or the name.

    Args:
        channel: id of the channel in which it was opened.
        team: id of the workspace that reads it.
        note: what has just been done.
    """
    like = sum(each.shows for each in name.taught)
    blocks = [small_text(note)] if note else []
    blocks.append(section(f"*{escaped(name.name)}* · {_counts(like, len(name.taught) - like)}"))
    shown = name.taught[::-1][:_MOST_EXAMPLES]
    for start in range(0, len(shown), CHECKBOXES):
        boxes = [(_example(each), each.example.sha256) for each in shown[start : start + CHECKBOXES]]
        label = "Examples to remove" if not start else "More examples to remove"
        blocks.append(labelled(f"remove.{start}", label, checkboxes("remove", boxes), optional=True))
    if len(name.taught) > len(shown):
        blocks.append(small_text(f"These are the newest {len(shown)} of {len(name.taught)} examples."))
    if name.clicks:
        blocks.append(small_text(f"{name.clicks:,} clicks count as weak examples."))
    blocks.append(small_text(f"Taught by {', '.join(_person(each, team) for each in name.people[:10])}"))
    blocks.append(
        actions(
            [
                button("Undo the last change", "undo_last", name.key, confirm="The newest examples are taken back."),
                button(
                    "Remove the name",
                    "remove_name",
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
        "private_metadata": json.dumps({"key": name.key, "channel": channel}, ensure_ascii=False),
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


def read_removed(view: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the key of the modal's name, and the SHA-256 of each ticked example."""
    ticked = [
        str(option["value"])
        for block, elements in view["state"]["values"].items()
        if block.startswith("remove.")
        for option in elements["remove"].get("selected_options") or ()
    ]
    return str(json.loads(view["private_metadata"])["key"]), ticked


def _row(name: TaughtName, team: str) -> Block:
    like = sum(each.shows for each in name.taught)
    shown = [escaped(file_name(each.example.uri), 30) for each in name.taught if each.shows and each.example.uri]
    pictures = f" · {', '.join(shown[:_SHOWN_EXAMPLES])}" if shown else ""
    by = ", ".join(_person(each, team) for each in name.people[:_SHOWN_PEOPLE])
    more = f" and {len(name.people) - _SHOWN_PEOPLE} more" if len(name.people) > _SHOWN_PEOPLE else ""
    text = f"*{escaped(name.name)}* · {_counts(like, len(name.taught) - like)}{pictures}\nby {by}{more}"
    return section(text, button("Examples…", "open_taught", name.key))


def _example(each: TaughtExample) -> str:
    what = plain(file_name(each.example.uri), 40) if each.example.uri else f"upload {each.example.sha256[:8]}"
    return f"{what} · {'shows it' if each.shows else 'does not show it'}"


def _counts(like: int, unlike: int) -> str:
    shown = f"{like:,} picture{'s' * (like != 1)} show{'s' * (like == 1)} it"
    return f"{shown}, {unlike:,} do{'es' * (unlike == 1)} not" if unlike else shown


def _person(by: str, team: str) -> str:
    """Return a person in mrkdwn: a mention in the person's own workspace, else the name in events."""
    own, _, user = by.partition("/")
    return f"<@{user}>" if own == team and user.isalnum() else escaped(by or "somebody", 60)
