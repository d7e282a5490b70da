"""The lock of a library: a lease with a heartbeat, so that one run writes at a time and a dead one is no obstacle."""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from findimg.errors import LockedError, NotPublishedError, ObjectMissingError, StorageError
from findimg.storage.base import Storage

BEAT = 15.0  # seconds between heartbeats
EXPIRY = 4 * BEAT  # a lease without a heartbeat for so long is abandoned
_KEY = "LOCK"


@dataclass(frozen=True, slots=True)
class _Lease:
    owner: str
    token: str
    since: float  # seconds since the epoch, by the owner's clock
    beat: float
    process: str = ""  # where the owner's process can be looked up, and its id; empty when it cannot

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True, slots=True)
class _Found:
    lease: _Lease
    data: bytes  # as it is written


class Lock:
    """A held lock."""

    def __init__(self, storage: Storage, lease: _Lease):
        self._storage = storage
        self._lease = lease
        self._beaten = time.monotonic()
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def check(self) -> None:
        """Confirms that this run still holds the lock; called before anything becomes visible.

        Raises:
            NotPublishedError: the lease expired and another run took it.
        """
        found = _read(self._storage)
        if not self._is_ours(found):
            taker = found.lease.owner if found else "nobody"
            raise NotPublishedError(f"This run lost the library's lock to {taker}, so it publishes nothing; run again.")

    def release(self) -> None:
        """Gives the lock back."""
        self._stop.set()
        self._heart.join()
        # After a beat this young nobody can have taken the lease meanwhile; an older one is left to expire.
        if time.monotonic() - self._beaten < EXPIRY / 2 and self._is_ours(_read(self._storage)):
            self._storage.delete(_KEY)

    def _is_ours(self, found: _Found | None) -> bool:
        return found is not None and found.lease.token == self._lease.token

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            start = time.monotonic()
            try:
                before = _read(self._storage)
                if before is None or not self._is_ours(before):
                    return
                # Not written over whatever is there: this process may have been asleep since it looked.
                if self._storage.swap(_KEY, before.data, replace(self._lease, beat=time.time()).encode()):
                    self._beaten = start
            except StorageError:
                continue  # the next beat may get through; if none does, the lease expires and check() tells
            except LockedError:
                return


@contextmanager
def hold_lock(storage: Storage) -> Iterator[Lock]:
    """Holds the library's lock and keeps its heartbeat going.

    Raises:
        LockedError: another run holds it.
    """
    lock = Lock(storage, _take(storage))
    try:
        yield lock
    finally:
        # What the run did is done: a storage that fails now must not say otherwise, and the lease expires by itself.
        with suppress(StorageError, LockedError):
            lock.release()


def _take(storage: Storage) -> _Lease:
    token = secrets.token_hex(8)
    while True:
        now = time.time()
        lease = _Lease(f"{socket.gethostname()}:{os.getpid()}", token, now, now, f"{_here()} {os.getpid()}")
        if storage.create(_KEY, lease.encode()):
            return lease
        found = _read(storage)
        if found is None:
            continue  # released between the two looks
        holder = found.lease
        if holder.token == token:
            return holder  # it had been written, and S3's answer got lost
        if not _is_abandoned(storage, found):
            since = datetime.fromtimestamp(holder.since, UTC).isoformat(" ", "seconds")
            raise LockedError(
                f"{holder.owner} has been writing to {storage.root} since {since}; wait for it, "
                f"or {EXPIRY:.0f} seconds after it has died."
            )
        # Of several that find it abandoned one succeeds; the others find its lease at their next look.
        storage.swap(_KEY, found.data, replace(lease, beat=time.time()).encode())


def _is_abandoned(storage: Storage, found: _Found) -> bool:
    if _is_dead(found.lease):
        return True
    if abs(time.time() - found.lease.beat) < EXPIRY:
        return False
    # The clocks of two machines may differ: what counts is whether its heart beats while this one watches.
    end = time.monotonic() + EXPIRY / 2
    while time.monotonic() < end:
        time.sleep(EXPIRY / 60)
        if _read(storage) != found:
            return False
    return True


def _is_dead(holder: _Lease) -> bool:
    """Whether the owner ran where this process runs, and no longer does."""
    place, _, pid = holder.process.rpartition(" ")
    if not place or place != _here() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _here() -> str:
    """What tells this machine, and the container on it, from all others until it starts anew; empty if nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _read(storage: Storage) -> _Found | None:
    try:
        data = storage.read(_KEY, limit=2000)
        return _Found(TypeAdapter(_Lease).validate_json(data), data)
    except ObjectMissingError:
        return None
    except ValidationError as error:
        raise LockedError(
            f"{storage.uri(_KEY)} is no lock that findimg wrote; delete it if no run is going on."
        ) from error
