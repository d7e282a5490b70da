"""Who taught what: the history of all changes, and a summary for each person."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from findimg.taught.events import CancelEvent, Event, ExampleEvent


@dataclass(frozen=True, slots=True)
class Activity:
    """What one person taught."""

    person: str  # as events name one: `<team>/<user>` in Slack, `terminal/<user>`
    examples: int
    names: int
    last: str  # time of the last example, as events write it


def audit(events: Iterable[Event]) -> list[ExampleEvent | CancelEvent]:
    """Return what people did, the newest first. Clicks name nobody and are left out."""
    by_people = [event for event in events if isinstance(event, ExampleEvent | CancelEvent) and event.by]
    return sorted(by_people, key=lambda event: event.id, reverse=True)


def activities(events: Sequence[Event]) -> list[Activity]:
    """Return what each person taught, the last one to teach first.

    Args:
        events: those of `TaughtState.events` for what still counts.
    """
    by_person: dict[str, list[ExampleEvent]] = {}
    for event in events:
        if isinstance(event, ExampleEvent) and event.by:
            by_person.setdefault(event.by, []).append(event)
    found = [
        Activity(person, len(theirs), len({event.name for event in theirs}), max(event.time for event in theirs))
        for person, theirs in by_person.items()
    ]
    return sorted(found, key=lambda each: each.last, reverse=True)
