"""The lock of a library: two leases with heartbeats.

- `LOCK` admits one run at a time.
- `PUBLISHING` admits one process that builds and publishes a version.

A run of `index` holds `LOCK` from its plan to its end, and `PUBLISHING` only while it publishes. So `add` can add a few
images while a run embeds for hours. `add` needs only `PUBLISHING`, and takes `LOCK` too if it is free. All other
commands that write hold both.

The lease of a process that died expires, so it does not block the next one.
"""

import json
import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from findimg.errors import LockedError, NotPublishedError, ObjectMissingError, StorageError
from findimg.storage.base import Storage

BEAT = 15.0  # seconds between heartbeats
EXPIRY = 4 * BEAT  # seconds without a heartbeat after which a lease is abandoned
_POLL = 0.5  # seconds between attempts to take the lock
_BRIEF_PATIENCE = 60.0  # seconds to wait for holders that need the lock for some seconds only
_RUN = "LOCK"
_PUBLISHING = "PUBLISHING"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Lease:
    owner: str
    token: str
    since: float  # seconds since the epoch, by the owner's clock
    beat: float
    # Identifies the machine and the process id of the owner. Empty if the machine cannot be identified.
    process: str = ""
    brief: bool = False  # whether the owner needs it for some seconds only, to add a few images

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()


@dataclass(frozen=True, slots=True)
class _StoredLease:
    lease: _Lease
    data: bytes  # the object's bytes


class _HeldLease:
    """A lease that this process holds."""

    def __init__(self, storage: Storage, key: str, lease: _Lease):
        self._storage = storage
        self._key = key
        self._lease = lease
        self._last_beat = time.monotonic()
        self._stop = threading.Event()
        self._heartbeat = threading.Thread(target=self._beat, daemon=True)
        self._heartbeat.start()

    def check(self) -> None:
        """See `Lock.check`."""
        found = _read(self._storage, self._key)
        if not self._is_ours(found):
            taker = found.lease.owner if found else "nobody"
            raise NotPublishedError(f"This run lost the library's lock to {taker}, so it publishes nothing. Run again.")

    def release(self) -> None:
        """Release the lease. If that fails, it expires by itself."""
        self._stop.set()
        self._heartbeat.join()
        try:
            # After a recent heartbeat nobody can have taken the lease. Leave an older lease to expire.
            if time.monotonic() - self._last_beat < EXPIRY / 2 and self._is_ours(_read(self._storage, self._key)):
                self._storage.delete(self._key)
        except (StorageError, LockedError) as error:
            _log.warning("The lock could not be released: %s", error)

    def _is_ours(self, found: _StoredLease | None) -> bool:
        return found is not None and found.lease.token == self._lease.token

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            start = time.monotonic()
            try:
                before = _read(self._storage, self._key)
                if before is None or not self._is_ours(before):
                    return
                # Swap instead of writing: this process may have slept since it read the lease.
                if self._storage.swap(self._key, before.data, replace(self._lease, beat=time.time()).encode()):
                    self._last_beat = start
            except StorageError as error:
                _log.warning(
                    "The lock's heartbeat failed: %s", error
                )  # if all fail, the lease expires and check() raises
            except LockedError:
                return


class Lock:
    """The leases of a library that this process holds."""

    def __init__(self, storage: Storage):
        """Hold none yet."""
        self._storage = storage
        self._leases: dict[str, _HeldLease] = {}

    @property
    def is_exclusive(self) -> bool:
        """Return whether no other process writes to the library, so that shards may be deleted."""
        return self._leases.keys() == {_RUN, _PUBLISHING}

    def check(self) -> None:
        """Check that this run still holds the lock. Call it before anything becomes visible.

        Raises:
            NotPublishedError: a lease expired and another run took it.
        """
        for lease in self._leases.values():
            lease.check()

    @contextmanager
    def publishing(self, patience: float = 0.0) -> Iterator[None]:
        """Let no other process publish during the block.

        Args:
            patience: seconds to wait for processes that add images. At least a minute.

        Raises:
            LockedError: another process is still publishing.
        """
        with self._held(_PUBLISHING, _take_patiently(self._storage, _PUBLISHING, patience, is_brief=False)):
            yield

    @contextmanager
    def _held(self, key: str, lease: _Lease) -> Iterator[None]:
        self._leases[key] = _HeldLease(self._storage, key, lease)
        try:
            yield
        finally:
            self._leases.pop(key).release()


class _BrieflyLockedError(LockedError):
    """A holder that needs the lock for some seconds only has it."""


@contextmanager
def hold_lock(storage: Storage, patience: float = 0.0, is_brief: bool = False) -> Iterator[Lock]:
    """Hold the library's lock and write its heartbeat.

    Args:
        storage: the library.
        patience: seconds to wait for another run. A brief holder is waited for in any case.
        is_brief: whether the caller needs the lock for some seconds only, to add a few images. A run that has not begun
            to publish is then no hindrance.

    Raises:
        LockedError: another run holds it.
    """
    if not is_brief:
        with hold_run(storage, patience) as lock, lock.publishing(patience):
            yield lock
        return
    lock = Lock(storage)
    with ExitStack() as leases:
        leases.enter_context(lock._held(_PUBLISHING, _take_patiently(storage, _PUBLISHING, patience, is_brief)))
        lease = _new_lease(is_brief)
        if _create(storage, _RUN, lease):
            leases.enter_context(lock._held(_RUN, lease))
        yield lock


@contextmanager
def hold_run(storage: Storage, patience: float = 0.0) -> Iterator[Lock]:
    """Keep other runs out, while images can still be added. `Lock.publishing` keeps these out as well.

    Args:
        storage: the library.
        patience: seconds to wait for another run; see `hold_lock`.

    Raises:
        LockedError: another run holds the lock.
    """
    lock = Lock(storage)
    with lock._held(_RUN, _take_patiently(storage, _RUN, patience, is_brief=False)):
        yield lock


def _take_patiently(storage: Storage, key: str, patience: float, is_brief: bool) -> _Lease:
    start = time.monotonic()
    while True:
        try:
            return _take(storage, key, is_brief)
        except LockedError as error:
            # A brief caller has its own patience, so that it does not keep others waiting.
            waits = isinstance(error, _BrieflyLockedError) and not is_brief
            left = start + (max(patience, _BRIEF_PATIENCE) if waits else patience) - time.monotonic()
            if left <= 0:
                raise
            # Callers that wait for the same run try at different times.
            time.sleep(min(left, _POLL * random.uniform(0.5, 1.5)))


def _new_lease(is_brief: bool) -> _Lease:
    now = time.time()
    owner, process = f"{socket.gethostname()}:{os.getpid()}", f"{_machine_id()} {os.getpid()}"
    return _Lease(owner, secrets.token_hex(8), now, now, process, is_brief)


def _take(storage: Storage, key: str, is_brief: bool) -> _Lease:
    lease = _new_lease(is_brief)
    while True:
        lease = replace(lease, since=time.time(), beat=time.time())
        if _create(storage, key, lease):
            return lease
        found = _read(storage, key)
        if found is None:
            continue  # it was released between the two requests
        holder = found.lease
        if holder.token == lease.token:
            return holder  # it was swapped in, and the answer of S3 was lost
        if not _is_abandoned(storage, key, found):
            since = datetime.fromtimestamp(holder.since, UTC).isoformat(" ", "seconds")
            kind = _BrieflyLockedError if holder.brief else LockedError
            raise kind(
                f"{holder.owner} has been writing to {storage.root} since {since}. Wait until it ends. "
                f"If it died, wait {EXPIRY:.0f} seconds."
            )
        # If several processes find it abandoned, one swap succeeds. The others find the new lease.
        storage.swap(key, found.data, replace(lease, beat=time.time()).encode())


def _create(storage: Storage, key: str, lease: _Lease) -> bool:
    """Return whether a lease could be written, because there was none."""
    if storage.create(key, lease.encode()):
        return True
    found = _read(storage, key)
    return found is not None and found.lease.token == lease.token  # the answer of S3 was lost


def _is_abandoned(storage: Storage, key: str, found: _StoredLease) -> bool:
    if _is_dead(found.lease):
        return True
    if abs(time.time() - found.lease.beat) < EXPIRY:
        return False
    # The clocks of two machines may differ, so watch for a heartbeat.
    end = time.monotonic() + EXPIRY / 2
    while time.monotonic() < end:
        time.sleep(EXPIRY / 60)
        if _read(storage, key) != found:
            return False
    return True


def _is_dead(holder: _Lease) -> bool:
    """Return whether the owner ran on this machine and has ended."""
    machine, _, pid = holder.process.rpartition(" ")
    if not machine or machine != _machine_id() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _machine_id() -> str:
    """Return an id of this machine or container that changes when it restarts, or "" if there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _read(storage: Storage, key: str) -> _StoredLease | None:
    try:
        data = storage.read(key, limit=2000)
        return _StoredLease(TypeAdapter(_Lease).validate_json(data), data)
    except ObjectMissingError:
        return None
    except ValidationError as error:
        raise LockedError(
            f"{storage.uri(key)} is not a lock that findimg wrote. Delete it if no run is active."
        ) from error
