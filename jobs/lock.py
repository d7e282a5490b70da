"""The lock of a library: a lease with a heartbeat, so that one run writes at a time and a dead one is no obstacle."""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from shared.errors import LockedError, NotPublishedError, ObjectMissingError, StorageError
from shared.storage import Storage

BEAT = 15.0  # seconds between heartbeats
EXPIRY = 4 * BEAT  # a lease without a heartbeat for so long is abandoned
_KEY = "LOCK"


@dataclass(frozen=True, slots=True)
class _Lease:
    owner: str
    token: str
    since: float  # seconds since the epoch
    beat: float


class Lock:
    """A held lock."""

    def __init__(self, storage: Storage, lease: _Lease):
        self._storage = storage
        self._lease = lease

    def check(self) -> None:
        """Confirms that this run still holds the lock; called before anything becomes visible.

        Raises:
            NotPublishedError: the lease expired and another run took it.
        """
        holder = _read(self._storage)
        if holder is None or holder.token != self._lease.token:
            taker = holder.owner if holder else "nobody"
            raise NotPublishedError(f"This run lost the library's lock to {taker}, so it publishes nothing; run again.")


@contextmanager
def hold(storage: Storage) -> Iterator[Lock]:
    """Holds the library's lock and keeps its heartbeat going.

    Raises:
        LockedError: another run holds it.
    """
    now = time.time()
    lease = _Lease(f"{socket.gethostname()}:{os.getpid()}", secrets.token_hex(8), now, now)
    while not storage.create(_KEY, _encode(lease)):
        holder = _read(storage)
        if holder is None:
            continue  # released between the two looks
        if time.time() - holder.beat < EXPIRY:
            since = datetime.fromtimestamp(holder.since, UTC).isoformat(" ", "seconds")
            raise LockedError(
                f"{holder.owner} has been writing to {storage.root} since {since}; wait for it, "
                f"or {EXPIRY:.0f} seconds after it has died."
            )
        storage.delete(_KEY)
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(storage, lease, stop), daemon=True)
    heart.start()
    try:
        yield Lock(storage, lease)
    finally:
        stop.set()
        heart.join()
        holder = _read(storage)
        if holder and holder.token == lease.token:
            storage.delete(_KEY)


def _beat(storage: Storage, lease: _Lease, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        try:
            holder = _read(storage)
            if holder is None or holder.token != lease.token:
                return
            storage.write(_KEY, _encode(replace(lease, beat=time.time())))
        except StorageError:
            continue  # the next beat may get through; if none does, the lease expires and check() tells


def _encode(lease: _Lease) -> bytes:
    return json.dumps(asdict(lease)).encode()


def _read(storage: Storage) -> _Lease | None:
    try:
        return _Lease(**json.loads(storage.read(_KEY, limit=2000)))
    except ObjectMissingError:
        return None
    except (ValueError, TypeError) as error:
        raise LockedError(
            f"{storage.uri(_KEY)} is no lock that findimg wrote; delete it if no run is going on."
        ) from error
