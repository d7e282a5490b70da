import json
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from findimg.errors import LibraryError
from findimg.taught.events import EVENTS, ExampleEvent, NewEvent, new_action, new_click, new_example, parse_event
from tests.shared.taught.examples import made_up_example


def test_event_is_read_as_it_was_written() -> None:
    example = made_up_example(1)
    new = new_example("T1/U1", "0123456789abcdef", "lotus", False, example)
    event = parse_event(new.key, new.data)
    assert isinstance(event, ExampleEvent)
    assert (event.by, event.action, event.name, event.shows) == ("T1/U1", "0123456789abcdef", "lotus", False)
    assert (event.example.sha256, event.example.uri) == (example.sha256, example.uri)
    assert np.array_equal(event.example.vector, example.vector)
    assert event.id in new.key


def test_click_says_neither_who_nor_when() -> None:
    new = new_click("lotus", made_up_example(1))
    stored = json.loads(new.data)
    assert (stored["by"], stored["time"][8:]) == ("", "T000000000000Z")


def altered(**changes: Any) -> NewEvent:
    """Return an event with other fields, and the name that fits them."""
    stored = json.loads(new_example("T1/U1", new_action(), "lotus", True, made_up_example(1)).data) | changes
    stored = {name: value for name, value in stored.items() if value is not None}
    data = json.dumps(stored).encode()
    time = str(stored.get("time", "20260101T000000000000Z"))
    day = f"{time[:4]}-{time[4:6]}-{time[6:8]}"
    return NewEvent(f"{EVENTS}/{day}/{time}-{sha256(data).hexdigest()[:16]}.json", data)


def test_altered_helper_makes_a_valid_event_without_changes() -> None:
    new = altered()
    assert isinstance(parse_event(new.key, new.data), ExampleEvent)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "unknown"},
        {"kind": None},
        {"name": "x" * 201},
        {"name": 7},
        {"name": ""},
        {"by": "x" * 201},
        {"sha256": "../../secret"},
        {"vector": "not base64!"},
        {"vector": "AAA="},
        {"vector": ""},
        {"vector": "A" * 200_004},
        {"vector": "AH4AfgB+"},
        {"vector": "AAAAAAAA"},
        {"time": "20269999T000000000000Z"},
        {"schema": 2},
        {"extra": 1},
        {"shows": "yes"},
    ],
)
def test_hostile_event_is_refused(changes: dict[str, Any]) -> None:
    new = altered(**changes)
    with pytest.raises(LibraryError):
        parse_event(new.key, new.data)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"{}" * 200_000, b'{"kind": ' + b"[" * 50_000]
)
def test_object_that_is_no_event_is_refused(data: bytes) -> None:
    key = f"{EVENTS}/2026-01-01/20260101T000000000000Z-{sha256(data).hexdigest()[:16]}.json"
    with pytest.raises(LibraryError):
        parse_event(key, data)


def test_event_with_other_bytes_than_its_name_says_is_refused() -> None:
    new = altered()
    with pytest.raises(LibraryError):
        parse_event(new.key, new.data.replace(b"lotus", b"lotos"))
