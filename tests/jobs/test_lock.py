import json
import threading
import time

import pytest

from jobs import lock
from jobs.lock import hold
from shared.errors import LockedError, NotPublishedError
from shared.storage import open_storage


def test_a_second_run_is_told_who_writes_since_when(place: str) -> None:
    storage = open_storage(place)
    with hold(storage), pytest.raises(LockedError, match=r":\d+ has been writing to .* since 20\d\d-"), hold(storage):
        pytest.fail("two hold one lock")


def test_a_released_lock_is_free(place: str) -> None:
    storage = open_storage(place)
    for _ in range(2):
        with hold(storage) as held:
            held.check()
    assert not storage.exists("LOCK")


def test_an_abandoned_lock_expires(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "EXPIRY", 0.2)
    storage = open_storage(place)
    storage.write("LOCK", json.dumps({"owner": "a:1", "token": "t", "since": 0, "beat": time.time()}).encode())
    with pytest.raises(LockedError), hold(storage):
        pass
    time.sleep(0.25)
    with hold(storage) as held:
        held.check()


def test_a_heartbeat_keeps_the_lock(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "EXPIRY", 1.0)
    monkeypatch.setattr(lock, "BEAT", 0.1)
    storage = open_storage(place)
    with hold(storage):
        time.sleep(1.5)
        with pytest.raises(LockedError), hold(storage):
            pass


def test_a_run_that_lost_its_lock_cannot_publish(place: str) -> None:
    storage = open_storage(place)
    with hold(storage) as held:
        storage.write("LOCK", json.dumps({"owner": "b:2", "token": "other", "since": 0, "beat": 0}).encode())
        with pytest.raises(NotPublishedError, match="lost the library's lock to b:2"):
            held.check()
    assert storage.exists("LOCK"), "the lock belongs to another run now"


def test_a_strange_lock_is_not_taken(place: str) -> None:
    storage = open_storage(place)
    storage.write("LOCK", b"not ours")
    with pytest.raises(LockedError, match="no lock that findimg wrote"), hold(storage):
        pass


def test_of_many_at_once_one_gets_the_lock(place: str) -> None:
    storage = open_storage(place)
    start, release = threading.Barrier(8), threading.Event()
    outcomes: list[bool] = []

    def try_it() -> None:
        start.wait()
        try:
            with hold(storage):
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
    assert sorted(outcomes) == [False] * 7 + [True]
