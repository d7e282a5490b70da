"""What people do with names: teach, remove and undo. Limits are checked here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from findimg.errors import QueryError
from findimg.library.layout import taught_thumbnail_key
from findimg.storage.base import Storage
from findimg.taught.events import (
    MOST_CANCELLED,
    Example,
    ExampleEvent,
    new_action,
    new_cancel,
    new_example,
)
from findimg.taught.log import TaughtLog
from findimg.taught.names import clean_name
from findimg.taught.state import MOST_EXAMPLES, MOST_NAMES, TaughtName, TaughtState

LONGEST_PERSON = 200  # characters


@dataclass(frozen=True, slots=True)
class Lesson:
    """Images that show a name, and images that do not."""

    name: str
    like: Sequence[Example] = ()
    unlike: Sequence[Example] = ()
    thumbnails: Mapping[str, bytes] = field(default_factory=dict)  # JPEG by SHA-256, of images outside the library


@dataclass(frozen=True, slots=True)
class TeachReport:
    """What a lesson changed."""

    name: str  # as the library writes it
    added: int  # examples that were new, or that changed
    known: int  # examples that were there already
    examples: int  # of the name now
    action: str  # to undo the lesson


def add_lesson(storage: Storage, log: TaughtLog, by: str, lesson: Lesson) -> TeachReport:
    """Add examples of a name to a library. Examples that are there already are not added again.

    Args:
        storage: of the library.
        log: the library's events.
        by: the person, `<team>/<user>` or `terminal/<user>`.
        lesson: the name and its examples.

    Raises:
        QueryError: the name is not valid, an image is given twice, or a limit is exceeded. Nothing was changed.
        StorageError: the library cannot be written.
    """
    name = clean_name(lesson.name)
    like = {example.sha256: example for example in lesson.like}
    unlike = {example.sha256: example for example in lesson.unlike}
    if not like and not unlike:
        raise QueryError(f"Choose at least one picture that shows {name!r}.")
    if both := like.keys() & unlike.keys():
        uri = like[min(both)].uri or "An image"
        raise QueryError(f"{uri} is given as {name!r} and as not {name!r}. Choose one of the two.")
    state = log.refresh()
    known = state.find(name)
    before = {each.example.sha256: each.shows for each in known.taught} if known else {}
    wanted = [(True, each) for each in like.values()] + [(False, each) for each in unlike.values()]
    new = [(shows, example) for shows, example in wanted if before.get(example.sha256) is not shows]
    examples = len(before.keys() | like.keys() | unlike.keys())
    _check_limits(state, known, name, examples)
    action = new_action()
    for _, example in new:
        if (thumbnail := lesson.thumbnails.get(example.sha256)) is not None:
            storage.write(taught_thumbnail_key(example.sha256), thumbnail)
    written = known.name if known else name
    log.append([new_example(by[:LONGEST_PERSON], action, written, shows, example) for shows, example in new])
    return TeachReport(written, len(new), len(wanted) - len(new), examples, action)


def remove_name(log: TaughtLog, by: str, name: str) -> int:
    """Take a name back, with all its examples. Return the number of examples.

    Raises:
        QueryError: nobody taught the name.
        StorageError: the library cannot be written.
    """
    known = find_name(log.refresh(), name)
    _cancel(log, by, (event for event in log.state.events if _means(log.state, event, known)))
    return len(known.taught)


def remove_example(log: TaughtLog, by: str, name: str, sha256: str) -> None:
    """Take one example of a name back.

    Raises:
        QueryError: nobody taught the name with this image.
        StorageError: the library cannot be written.
    """
    known = find_name(log.refresh(), name)
    events = [event for event in log.state.events if _means(log.state, event, known) and event.example.sha256 == sha256]
    if not events:
        raise QueryError(f"That image is not an example of {known.name!r}.")
    _cancel(log, by, events)


def undo(log: TaughtLog, by: str, action: str) -> int:
    """Take back what one action taught. Return the number of events.

    Raises:
        QueryError: nothing of the action is left.
        StorageError: the library cannot be written.
    """
    events = [event for event in log.refresh().events if event.action == action and not event.is_click]
    if not events:
        raise QueryError("That was undone already.")
    _cancel(log, by, events)
    return len(events)


def undo_person(log: TaughtLog, by: str, person: str) -> int:
    """Take back everything that one person taught. Return the number of events.

    Raises:
        QueryError: the person taught nothing that counts.
        StorageError: the library cannot be written.
    """
    events = [event for event in log.refresh().events if event.by == person]
    if not person or not events:
        raise QueryError(f"{person or 'That person'!s} taught nothing.")
    _cancel(log, by, events)
    return len(events)


def erase_examples(
    storage: Storage, log: TaughtLog, people: Collection[str] = (), contents: Collection[str] = ()
) -> int:
    """Delete all examples by some people and of some images, so that nothing of them is left. Return their number.

    Args:
        storage: of the library.
        log: its events.
        people: as the events name them.
        contents: SHA-256 of image files.

    Raises:
        StorageError: the library cannot be written.
    """
    log.refresh(complete=True)
    examples = [event for event in log.events() if isinstance(event, ExampleEvent)]
    gone = [event for event in examples if event.by in people or event.example.sha256 in contents]
    kept = {event.example.sha256 for event in examples} - {event.example.sha256 for event in gone}
    for sha256 in {event.example.sha256 for event in gone} - kept | set(contents):
        storage.delete(taught_thumbnail_key(sha256))
    return log.erase(event.id for event in gone)


def find_name(state: TaughtState, name: str) -> TaughtName:
    """Return a taught name.

    Raises:
        QueryError: nobody taught it.
    """
    known = state.find(name)
    if known is None:
        raise QueryError(f"Nobody taught {name[:100]!r}. `teach --list` and `/teach` list the names.")
    return known


def last_action(known: TaughtName) -> str:
    """Return the action that changed a name last."""
    return max(known.taught, key=lambda each: each.time).action


def _means(state: TaughtState, event: ExampleEvent, known: TaughtName) -> bool:
    found = state.find(event.name)
    return found is not None and found.key == known.key


def _cancel(log: TaughtLog, by: str, events: Iterable[ExampleEvent]) -> None:
    ids = [event.id for event in events]
    action = new_action()
    log.append(
        [
            new_cancel(by[:LONGEST_PERSON], action, ids[start : start + MOST_CANCELLED])
            for start in range(0, len(ids), MOST_CANCELLED)
        ]
    )


def _check_limits(state: TaughtState, known: TaughtName | None, name: str, examples: int) -> None:
    if known is None and len(state.names) >= MOST_NAMES:
        raise QueryError(
            f"The library has {MOST_NAMES:,} names, which is the most. Remove one before you teach {name!r}."
        )
    if examples > MOST_EXAMPLES:
        raise QueryError(
            f"{name!r} would have {examples} examples. The most is {MOST_EXAMPLES}. Give fewer, or remove some."
        )
