import json
import subprocess
import threading
import time
from pathlib import Path

import pytest

from findimg.errors import LockedError, NotPublishedError
from findimg.storage.base import Storage, open_storage
from findimg_jobs.store import lock
from findimg_jobs.store.lock import hold_lock, hold_run


def test_locked_error_names_the_owner_and_the_time(place: str) -> None:
    storage = open_storage(place)
    with (
        hold_lock(storage),
        pytest.raises(LockedError, match=r":\d+ has been writing to .* since 20\d\d-"),
        hold_lock(storage),
    ):
        pytest.fail("two hold one lock")


def test_released_lock_is_free(place: str) -> None:
    storage = open_storage(place)
    for _ in range(2):
        with hold_lock(storage) as held:
            held.check()
    assert not storage.exists("LOCK")


def abandon(storage: Storage, beat: float, **more: str) -> None:
    """Write the lock of a run that died on another machine."""
    storage.write("LOCK", json.dumps({"owner": "a:1", "token": "t", "since": 0, "beat": beat, **more}).encode())


def test_abandoned_lock_expires(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "EXPIRY", 2.0)
    storage = open_storage(place)
    abandon(storage, beat=time.time())
    with pytest.raises(LockedError), hold_lock(storage):
        pass
    time.sleep(2.1)
    with hold_lock(storage) as held:
        held.check()


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_wrong_clock_does_not_change_the_expiry(place: str, monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    monkeypatch.setattr(lock, "EXPIRY", 2.0)
    monkeypatch.setattr(lock, "BEAT", 0.2)
    storage = open_storage(place)
    here, taker = time.time, threading.current_thread()
    with hold_lock(storage), monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: here() + ahead * (threading.current_thread() is taker))
        # The process of this lock runs, so that only its heart can tell.
        with pytest.raises(LockedError), hold_lock(storage):
            pass
    abandon(storage, beat=here() - ahead)
    with hold_lock(storage) as held:
        held.check()


def test_lock_of_a_killed_local_process_is_taken_at_once(place: str) -> None:
    storage = open_storage(place)
    dead = subprocess.Popen(["true"])
    dead.wait()
    with hold_lock(storage):
        process = json.loads(storage.read("LOCK"))["process"]
    abandon(storage, time.time(), process=f"{process.rpartition(' ')[0]} {dead.pid}")
    start = time.monotonic()
    with hold_lock(storage) as held:
        held.check()
    assert time.monotonic() - start < 2
    abandon(storage, time.time(), process=f"another machine {dead.pid}")
    with pytest.raises(LockedError), hold_lock(storage):
        pass


def test_one_of_many_processes_takes_an_abandoned_lock(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_is_abandoned", lambda storage, key, found: found.lease.owner == "a:1")
    storage = open_storage(place)
    for _ in range(5):
        abandon(storage, beat=0)
        assert race(storage) == [False] * 7 + [True]


def test_sleeping_run_does_not_overwrite_the_next_lock(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.05)
    storage = open_storage(place)
    swap = storage.swap

    def asleep(key: str, old: bytes, new: bytes) -> bool:
        abandon(storage, beat=0)  # another takes the lock between this one's look and its write
        return swap(key, old, new)

    monkeypatch.setattr(storage, "swap", asleep)
    with hold_lock(storage) as held:
        time.sleep(0.3)
        with pytest.raises(NotPublishedError, match="lost the library's lock to a:1"):
            held.check()
    assert json.loads(storage.read("LOCK"))["token"] == "t"


def test_lock_with_lost_response_is_held(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(place)
    create = storage.create
    monkeypatch.setattr(storage, "create", lambda key, data: create(key, data) and False)
    with hold_lock(storage) as held:
        held.check()
    assert not storage.exists("LOCK")


def test_heartbeat_keeps_the_lock(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "EXPIRY", 1.0)
    monkeypatch.setattr(lock, "BEAT", 0.1)
    storage = open_storage(place)
    with hold_lock(storage):
        time.sleep(1.5)
        with pytest.raises(LockedError), hold_lock(storage):
            pass


def test_run_that_lost_its_lock_cannot_publish(place: str) -> None:
    storage = open_storage(place)
    with hold_lock(storage) as held:
        storage.write("LOCK", json.dumps({"owner": "b:2", "token": "other", "since": 0, "beat": 0}).encode())
        with pytest.raises(NotPublishedError, match="lost the library's lock to b:2"):
            held.check()
    assert storage.exists("LOCK"), "the lock belongs to another run now"


def test_unknown_lock_file_is_not_taken(place: str) -> None:
    storage = open_storage(place)
    storage.write("LOCK", b"not ours")
    with pytest.raises(LockedError, match="not a lock that findimg wrote"), hold_lock(storage):
        pass


def test_one_of_many_processes_gets_the_lock(place: str) -> None:
    assert race(open_storage(place)) == [False] * 7 + [True]


def race(storage: Storage) -> list[bool]:
    """Start eight runs at once. Return whether each one got the lock, sorted."""
    start, release = threading.Barrier(8), threading.Event()
    outcomes: list[bool] = []

    def try_it() -> None:
        start.wait()
        try:
            with hold_lock(storage):
                outcomes.append(True)
                release.wait(10)
        except LockedError:
            outcomes.append(False)

    threads = [threading.Thread(target=try_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(outcomes) < 8:
        time.sleep(0.01)
    release.set()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def test_brief_holder_is_waited_for(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    taken, done = threading.Event(), list[str]()

    def hold_briefly() -> None:
        with hold_lock(storage, is_brief=True):
            taken.set()
            time.sleep(0.5)
            done.append("brief")

    thread = threading.Thread(target=hold_briefly)
    thread.start()
    assert taken.wait(10)
    # Another brief caller gives up at once, so that it can come back later.
    with pytest.raises(LockedError), hold_lock(storage, is_brief=True):
        pass
    with hold_lock(storage):
        done.append("run")
    thread.join()
    assert done == ["brief", "run"]


def test_brief_caller_shares_the_library_with_a_run_until_that_publishes(place: str) -> None:
    storage = open_storage(place)
    with hold_run(storage) as run:
        assert not run.is_exclusive
        with hold_lock(storage, is_brief=True) as brief:
            assert not brief.is_exclusive
            for hold in (hold_lock, hold_run):
                with pytest.raises(LockedError), hold(storage):
                    pass
        with run.publishing():
            assert run.is_exclusive
            with pytest.raises(LockedError), hold_lock(storage, is_brief=True):
                pass
        with hold_lock(storage, is_brief=True) as brief:
            brief.check()
    with hold_lock(storage, is_brief=True) as brief:
        assert brief.is_exclusive
    assert not storage.exists("LOCK")
    assert not storage.exists("PUBLISHING")


def test_run_that_lost_either_lease_cannot_publish(place: str) -> None:
    storage = open_storage(place)
    with hold_run(storage) as run, run.publishing():
        storage.write("PUBLISHING", b'{"owner": "b:2", "token": "other", "since": 0, "beat": 0}')
        with pytest.raises(NotPublishedError, match="lost the library's lock to b:2"):
            run.check()
