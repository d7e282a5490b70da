"""Events: what people taught, as small immutable objects in the library.

An event is one JSON object `taught/events/<day>/<time>-<hash>.json`. Its name holds its time and the hash of its bytes.
So writers never collide, and a repeated write changes nothing. An object's content comes from outside and is checked.
"""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from findimg.errors import LibraryError

EVENTS = "taught/events"
MOST_BYTES = 262_144  # of an event. A vector of 32,768 dimensions fits.
MOST_CANCELLED = 1000  # events that one event cancels at most
_TIME = "%Y%m%dT%H%M%S%fZ"
_HASH = 16  # hex digits in an event's name
_ID = r"^\d{8}T\d{12}Z-[0-9a-f]{16}$"
_HEX64 = r"^[0-9a-f]{64}$"


class _Stored(BaseModel):
    """What all events have."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    schema_: Literal[1] = Field(default=1, alias="schema")
    time: Annotated[str, Field(pattern=r"^\d{8}T\d{12}Z$")]
    by: Annotated[str, Field(max_length=200)]  # `<team>/<user>` in Slack, `terminal/<user>`; empty for clicks
    action: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]  # groups the events of one action, which is undone whole

    @property
    def day(self) -> str:
        """Return the day of the event, by which events are listed."""
        return f"{self.time[:4]}-{self.time[4:6]}-{self.time[6:8]}"


class ExampleStored(_Stored):
    """An image that shows a name, or does not."""

    kind: Literal["example", "click"]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    shows: bool
    sha256: Annotated[str, Field(pattern=_HEX64)]  # of the image file
    uri: Annotated[str, Field(max_length=4096)]  # of the indexed image; empty for an upload
    fingerprint: Annotated[str, Field(max_length=100)]  # of the encoder
    vector: Annotated[str, Field(max_length=200_000)]  # base64 of float16[dim], little-endian


class CancelStored(_Stored):
    """Takes back events."""

    kind: Literal["cancel"]
    events: Annotated[list[Annotated[str, Field(pattern=_ID)]], Field(max_length=MOST_CANCELLED)]


class ErasedStored(_Stored):
    """A note that events were deleted. Readers then list all events again."""

    kind: Literal["erased"]


_EVENT: TypeAdapter[ExampleStored | CancelStored | ErasedStored] = TypeAdapter(
    Annotated[ExampleStored | CancelStored | ErasedStored, Field(discriminator="kind")]
)


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """An image as an example: who it is, and how it looks."""

    sha256: str  # of the image file, hex
    vector: NDArray[np.float16]  # float16[dim], visual features
    fingerprint: str  # of the encoder that made the vector
    uri: str = ""  # of the indexed image; empty for an upload


@dataclass(frozen=True, slots=True, eq=False)
class ExampleEvent:
    """A person's statement that an image shows a name, or does not show it."""

    id: str
    time: str
    by: str
    action: str
    name: str
    shows: bool
    example: Example
    is_click: bool = False  # a weak sign: somebody used the image in an answer


@dataclass(frozen=True, slots=True)
class CancelEvent:
    """A person's withdrawal of events."""

    id: str
    time: str
    by: str
    action: str
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ErasedEvent:
    """Events were deleted."""

    id: str
    time: str


Event = ExampleEvent | CancelEvent | ErasedEvent


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to write: its key and its bytes."""

    key: str
    data: bytes


def new_action() -> str:
    """Return the id of a new action."""
    return secrets.token_hex(8)


def now() -> str:
    """Return the current time as events write it."""
    return datetime.now(UTC).strftime(_TIME)


def new_example(by: str, action: str, name: str, shows: bool, example: Example) -> NewEvent:
    """Return the event that teaches one example."""
    return _new(
        ExampleStored(
            time=now(), by=by, action=action, kind="example", name=name, shows=shows, **_stored_example(example)
        )
    )


def new_click(name: str, example: Example) -> NewEvent:
    """Return the event of a click. It holds neither a person nor the time of the day."""
    day = f"{now()[:9]}000000000000Z"
    action = new_action()
    return _new(
        ExampleStored(time=day, by="", action=action, kind="click", name=name, shows=True, **_stored_example(example))
    )


def new_cancel(by: str, action: str, events: list[str]) -> NewEvent:
    """Return the event that takes back at most MOST_CANCELLED events."""
    return _new(CancelStored(time=now(), by=by, action=action, kind="cancel", events=events))


def new_erased() -> NewEvent:
    """Return the event that tells readers that events were deleted."""
    return _new(ErasedStored(time=now(), by="", action=new_action(), kind="erased"))


def day_of(time: datetime) -> str:
    """Return the folder of events of a time."""
    return f"{EVENTS}/{time:%Y-%m-%d}"


def first_key(time: datetime) -> str:
    """Return a key that is not greater than the keys of all events of a time and later."""
    return f"{day_of(time)}/{time.strftime(_TIME)}"


def event_time(key: str) -> datetime | None:
    """Return the time in an event's key, None if it is not the key of an event."""
    try:
        return readable_time(PurePosixPath(key).stem.partition("-")[0])
    except ValueError:
        return None


def readable_time(time: str) -> datetime:
    """Return an event's time."""
    return datetime.strptime(time, _TIME).replace(tzinfo=UTC)


def parse_event(key: str, data: bytes) -> Event:
    """Return the event in an object.

    Raises:
        LibraryError: the object is no event, or not the one that its name says.
    """
    if len(data) > MOST_BYTES:
        raise LibraryError(f"it has more than {MOST_BYTES:,} bytes")
    event_id = PurePosixPath(key).stem
    if event_id.rpartition("-")[2] != hashlib.sha256(data).hexdigest()[:_HASH]:
        raise LibraryError("its content does not match the hash in its name")
    try:
        stored = _EVENT.validate_json(data)
        if key != _key(stored, data):
            raise LibraryError("its name does not match its time")
        readable_time(stored.time)
        if isinstance(stored, CancelStored):
            return CancelEvent(event_id, stored.time, stored.by, stored.action, tuple(stored.events))
        if isinstance(stored, ErasedStored):
            return ErasedEvent(event_id, stored.time)
        vector = np.frombuffer(base64.b64decode(stored.vector, validate=True), "<f2").astype(np.float16)
    except ValidationError as error:
        first = error.errors()[0]
        raise LibraryError(": ".join([*map(str, first["loc"]), first["msg"]])[:300]) from error
    except (ValueError, binascii.Error) as error:
        raise LibraryError(str(error)[:300]) from error
    if not len(vector) or not np.isfinite(vector).all() or not vector.any():
        raise LibraryError("its vector is empty, zero or not finite")
    example = Example(stored.sha256, vector, stored.fingerprint, stored.uri)
    return ExampleEvent(
        event_id, stored.time, stored.by, stored.action, stored.name, stored.shows, example, stored.kind == "click"
    )


def _stored_example(example: Example) -> dict[str, Any]:
    """Return the fields of a stored event that describe its example."""
    vector = base64.b64encode(np.asarray(example.vector, "<f2").tobytes()).decode()
    return {
        "sha256": example.sha256,
        "uri": example.uri,
        "fingerprint": example.fingerprint,
        "vector": vector,
    }


def _new(stored: ExampleStored | CancelStored | ErasedStored) -> NewEvent:
    data = stored.model_dump_json(by_alias=True).encode()
    return NewEvent(_key(stored, data), data)


def _key(stored: _Stored, data: bytes) -> str:
    return f"{EVENTS}/{stored.day}/{stored.time}-{hashlib.sha256(data).hexdigest()[:_HASH]}.json"
