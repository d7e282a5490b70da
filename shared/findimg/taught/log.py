"""The events of a library: append to them, and follow what others append."""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from findimg.errors import LibraryError, ObjectMissingError
from findimg.storage.base import Entry, Storage
from findimg.taught.events import (
    EVENTS,
    MOST_BYTES,
    ErasedEvent,
    Event,
    NewEvent,
    day_of,
    event_time,
    first_key,
    new_erased,
    parse_event,
)
from findimg.taught.state import NOTHING_TAUGHT, TaughtState, merge

_READERS = 16  # parallel requests
_FULL_LIST = 60.0  # seconds until all days are listed again, not only the newest events
_LEAST_LAG = timedelta(seconds=30)  # between an event's time and the moment at which it is seen, if clocks are right
_CLOCKS = timedelta(hours=2)  # difference of two machines' clocks at most
_log = logging.getLogger(__name__)


class TaughtLog:
    """The events of one library. Several threads may use it at the same time."""

    def __init__(self, storage: Storage):
        """Read nothing yet.

        Args:
            storage: of the library.
        """
        self._storage = storage
        self._lock = threading.Lock()
        self._events: dict[str, Event | None] = {}  # by key, None for an object that is no event
        self._listed = float("-inf")  # when all days were listed
        self._lag = _LEAST_LAG  # how far back the newest events are listed
        self._state = NOTHING_TAUGHT

    @property
    def state(self) -> TaughtState:
        """Return the state of the last `refresh`."""
        return self._state

    def refresh(self, complete: bool = False) -> TaughtState:
        """Read new events, and return the state. It is the same object while nothing changes.

        Only the events of the last half minute are listed, and once a minute all. In S3, a list of 500 events takes 20
        times as long as a list of the newest. After an event that comes later, because its writer's clock is slow,
        calls list as far back.

        Args:
            complete: list all folders now.

        Raises:
            StorageError: the library cannot be reached.
        """
        with self._lock:
            if complete or time.monotonic() - self._listed > _FULL_LIST:
                self._refresh_all()
            elif self._read(self._recent()):
                # Others delete events rarely, and say so with an event.
                self._refresh_all()
            return self._state

    def append(self, events: Sequence[NewEvent]) -> None:
        """Write events, and see them at once. A call that was interrupted can be repeated with the same events.

        Raises:
            StorageError: the library cannot be written. Some of the events may be written.
        """
        with ThreadPoolExecutor(_READERS) as writers:
            list(writers.map(lambda event: self._storage.write(event.key, event.data), events))
        with self._lock:
            self._events |= {event.key: parse_event(event.key, event.data) for event in events}
            self._merge()

    def erase(self, ids: Iterable[str]) -> int:
        """Delete events, so that nothing of them is left. Return their number.

        Raises:
            StorageError: the library cannot be written.
        """
        with self._lock:
            self._refresh_all()
            wanted = set(ids)
            keys = [key for key, event in self._events.items() if event is not None and event.id in wanted]
            with ThreadPoolExecutor(_READERS) as writers:
                list(writers.map(self._storage.delete, keys))
            if keys:
                marker = new_erased()
                self._storage.write(marker.key, marker.data)
            self._refresh_all()
        return len(keys)

    def events(self) -> list[Event]:
        """Return all events, also those that were taken back, oldest first."""
        with self._lock:
            return sorted((event for event in self._events.values() if event), key=lambda event: event.id)

    def _refresh_all(self) -> None:
        entries = list(self._storage.list(EVENTS))
        if self._listed > 0:
            self._allow_for(entry.key for entry in entries if entry.key not in self._events)
        gone = self._events.keys() - {entry.key for entry in entries}
        for key in gone:
            del self._events[key]
        self._read(entries)
        if gone:
            self._merge()
        self._listed = time.monotonic()

    def _allow_for(self, new: Iterable[str]) -> None:
        """List further back from now on, if new events are older than expected."""
        current = datetime.now(UTC)
        for key in new:
            if (time_of := event_time(key)) and _LEAST_LAG < current - time_of < _CLOCKS:
                self._lag = max(self._lag, current - time_of + _LEAST_LAG)

    def _recent(self) -> Iterator[Entry]:
        current = datetime.now(UTC)
        oldest = current - self._lag
        for folder in sorted({day_of(oldest), day_of(current + _CLOCKS)}):
            yield from self._storage.list(folder, after=first_key(oldest))

    def _read(self, entries: Iterable[Entry]) -> bool:
        """Read the objects that are new. Return whether one of them says that events were deleted."""
        new = [entry.key for entry in entries if entry.key not in self._events]
        if not new:
            return False
        with ThreadPoolExecutor(min(_READERS, len(new))) as readers:
            found = dict(zip(new, readers.map(self._read_one, new), strict=True))
        self._events |= found
        self._merge()
        return any(isinstance(event, ErasedEvent) for event in found.values())

    def _read_one(self, key: str) -> Event | None:
        try:
            return parse_event(key, self._storage.read(key, limit=MOST_BYTES + 1))
        except ObjectMissingError:
            return None  # deleted since it was listed
        except LibraryError as error:
            _log.warning("%s is ignored: %s.", self._storage.uri(key)[:300], error)
            return None

    def _merge(self) -> None:
        state = merge(event for event in self._events.values() if event)
        if state.id != self._state.id:
            self._state = state
