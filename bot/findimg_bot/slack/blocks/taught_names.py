"""Messages about taught names."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from findimg.taught.audit import Activity
from findimg.taught.events import CancelEvent, ExampleEvent, readable_time
from findimg.taught.state import TaughtName
from findimg.terminal import counted
from findimg_bot.slack.blocks.elements import (
    Block,
    actions,
    button,
    plain_section,
    section,
    small_text,
)
from findimg_bot.slack.blocks.message import Message
from findimg_bot.slack.blocks.results.results_message import TEACH_FROM_RESULTS
from findimg_bot.slack.blocks.text import escaped, file_name, local_date, notification_text, plain

# action_id of each button. The value of the lists is the number of names on earlier pages.
LIST_TAUGHT, PREVIOUS_TAUGHT, NEXT_TAUGHT = "list_taught", "previous_taught", "next_taught"
LIST_TEACHERS, LIST_HISTORY, OPEN_TAUGHT = "list_teachers", "list_history", "open_taught"
UNDO_LESSON, UNDO_PERSON, ERASE_OWN = "undo_lesson", "undo_person", "erase_own"
NAMES_ON_PAGE = 15
MOST_PEOPLE, MOST_EVENTS = 20, 40  # that a message lists
_SHOWN_EXAMPLES, _SHOWN_PEOPLE = 3, 3  # of a name in the list
_HOME_NAMES = 5
_SHOWN_HITS = 3  # before a lesson
_EMPTY = "Nobody taught a name yet. Use *Teach* below an answer, or `/teach lotus`."


def lesson_blocks(
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
        section(f"findimg knows *{escaped(name)}* now: {example_counts(*counts)}."),
        small_text(f"First hits before: {shown or 'none'}{more}. Now {new} of the first {len(after)} are new:"),
        actions([button("Undo", UNDO_LESSON, action), button("All taught names", LIST_TAUGHT, "0")]),
    ]


def nothing_new_message(name: str) -> Message:
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
            actions([button("Teach", TEACH_FROM_RESULTS, question_id)]),
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
        controls.append(button("Previous", PREVIOUS_TAUGHT, str(max(0, skip - NAMES_ON_PAGE))))
    if skip + NAMES_ON_PAGE < len(names):
        controls.append(button("Next", NEXT_TAUGHT, str(skip + NAMES_ON_PAGE)))
    controls += [button("Who taught", LIST_TEACHERS, "0"), button("History", LIST_HISTORY, "0")]
    blocks.append(actions(controls))
    return Message(notification_text(f"Taught names: {', '.join(name.name for name in page)}"), blocks)


def taught_home_blocks(names: Sequence[TaughtName], team: str) -> list[Block]:
    """Return what the Home tab says about taught names. Arguments as of `taught_list_message`."""
    blocks = [section("*What the team taught*")]
    if not names:
        return [*blocks, section(_EMPTY)]
    blocks += [_row(name, team) for name in names[:_HOME_NAMES]]
    if len(names) > _HOME_NAMES:
        blocks.append(small_text(f"And {len(names) - _HOME_NAMES:,} more: `/teach` lists them all."))
    return blocks


def read_skip(value: str) -> int:
    """Return the number of names on earlier pages that a button of a list carries."""
    return int(value) if value.isdecimal() else 0


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
        undo = button("Undo everything", UNDO_PERSON, each.person, confirm=ask)
        blocks.append(section(f"{person_text(each.person, team)} · {what} · last on {when}", undo))
    if len(activities) > MOST_PEOPLE:
        blocks.append(small_text(f"And {len(activities) - MOST_PEOPLE:,} more."))
    if me in [each.person for each in activities]:
        ask = "Your examples are deleted, with their pictures and your name in the history. This cannot be undone."
        blocks.append(actions([button("Erase what I taught", ERASE_OWN, "all", "danger", confirm=ask)]))
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
        lines.append(section(f"{when} · {person_text(event.by, team)} {did}"))
    more = [small_text("findimg-jobs teach --audit lists everything.")] if len(events) > MOST_EVENTS else []
    return Message(notification_text("What people taught"), [section("*History*, newest first"), *lines, *more])


def _row(name: TaughtName, team: str) -> Block:
    like = sum(each.shows for each in name.taught)
    shown = [escaped(file_name(each.example.uri), 30) for each in name.taught if each.shows and each.example.uri]
    pictures = f" · {', '.join(shown[:_SHOWN_EXAMPLES])}" if shown else ""
    by = ", ".join(person_text(each, team) for each in name.people[:_SHOWN_PEOPLE])
    more = f" and {len(name.people) - _SHOWN_PEOPLE} more" if len(name.people) > _SHOWN_PEOPLE else ""
    text = f"*{escaped(name.name)}* · {example_counts(like, len(name.taught) - like)}{pictures}\nby {by}{more}"
    return section(text, button("Examples…", OPEN_TAUGHT, name.key))


def example_counts(like: int, unlike: int) -> str:
    """Return in words how many examples show a name, and how many do not."""
    shown = f"{like:,} picture{'s' * (like != 1)} show{'s' * (like == 1)} it"
    return f"{shown}, {unlike:,} do{'es' * (unlike == 1)} not" if unlike else shown


def person_text(by: str, team: str) -> str:
    """Return a person in mrkdwn: a mention in the person's own workspace, else the name in events."""
    own, _, user = by.partition("/")
    return f"<@{user}>" if own == team and user.isalnum() else escaped(by or "somebody", 60)
