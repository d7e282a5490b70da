"""What all events add up to. The result does not depend on the order in which a reader sees the events."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from findimg.errors import QueryError
from findimg.taught.events import CancelEvent, Event, Example, ExampleEvent
from findimg.taught.names import NameLookup, clean_name, name_key

MOST_NAMES = 1000
MOST_EXAMPLES = 200  # of a name
_CLICK_WEIGHT = 0.1  # of an example
_MOST_CLICKS = 5  # that count, of an image
CLICKS_WEIGHT = _CLICK_WEIGHT * _MOST_CLICKS  # of an image with the most clicks; further ones change nothing


@dataclass(frozen=True, slots=True, eq=False)
class TaughtExample:
    """An image that shows a name, or does not. The last event about the image decides."""

    example: Example
    shows: bool
    by: str
    time: str
    action: str
    weight: float = 1.0  # below 1 for clicks


@dataclass(frozen=True, slots=True, eq=False)
class TaughtName:
    """A name with its examples, oldest first."""

    name: str  # as the first person wrote it
    key: str
    examples: tuple[TaughtExample, ...]
    clicks: int = 0

    @property
    def taught(self) -> tuple[TaughtExample, ...]:
        """Return the examples that people gave. The others come from clicks."""
        return tuple(each for each in self.examples if each.weight == 1)

    @property
    def people(self) -> tuple[str, ...]:
        """Return who taught the name, the first person first."""
        return tuple(dict.fromkeys(each.by for each in self.taught))


@dataclass(frozen=True, eq=False)
class TaughtState:
    """All taught names."""

    names: dict[str, TaughtName] = field(default_factory=dict)  # by key, the oldest first
    events: tuple[ExampleEvent, ...] = ()  # those that count, oldest first
    id: str = ""  # equal states have equal ids

    @cached_property
    def lookup(self) -> NameLookup:
        """Find names in queries."""
        return NameLookup(self.names)

    def find(self, text: str) -> TaughtName | None:
        """Return the name that a text means, None if it means none."""
        if not self.names:
            return None
        key = self.lookup.find(text)
        return self.names[key] if key else None


NOTHING_TAUGHT = TaughtState()


def merge(events: Iterable[Event]) -> TaughtState:
    """Return the state that events add up to. Names and examples beyond the limits do not count: the oldest stay."""
    known = list({event.id: event for event in events}.values())
    cancelled = {each for event in known if isinstance(event, CancelEvent) for each in event.events}
    counted = sorted(
        (event for event in known if isinstance(event, ExampleEvent) and event.id not in cancelled),
        key=lambda event: event.id,
    )
    given: dict[str, list[ExampleEvent]] = {}
    for event in counted:
        if not event.is_click and (key := _checked_key(event.name)):
            given.setdefault(key, []).append(event)
    clicks: dict[str, list[ExampleEvent]] = {}
    for event in counted:
        if event.is_click and (key := name_key(event.name)) in given:
            clicks.setdefault(key, []).append(event)
    names = {key: _name(key, given[key], clicks.get(key, [])) for key in list(given)[:MOST_NAMES]}
    digest = hashlib.sha256("\n".join(event.id for event in counted).encode()).hexdigest()
    return TaughtState(names, tuple(counted), digest if counted else "")


def _checked_key(name: str) -> str:
    """Return the key of a name from an event, empty if it is not a name."""
    try:
        return name_key(clean_name(name))
    except QueryError:
        return ""


def _name(key: str, events: list[ExampleEvent], clicks: list[ExampleEvent]) -> TaughtName:
    last: dict[str, ExampleEvent] = {}
    for event in events:
        last[event.example.sha256] = event  # an image keeps its place
    examples = [
        TaughtExample(event.example, event.shows, event.by, event.time, event.action)
        for event in list(last.values())[:MOST_EXAMPLES]
    ]
    counts: dict[str, list[ExampleEvent]] = {}
    for event in clicks:
        if event.example.sha256 not in last:
            counts.setdefault(event.example.sha256, []).append(event)
    room = MOST_EXAMPLES - len(examples)
    for group in list(counts.values())[: max(0, room)]:
        weight = _CLICK_WEIGHT * min(len(group), _MOST_CLICKS)
        examples.append(TaughtExample(group[0].example, True, "", group[0].time, "", weight))
    return TaughtName(clean_name(events[0].name), key, tuple(examples), len(clicks))
