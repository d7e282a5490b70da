import logging
import time
from datetime import UTC, datetime, timedelta

import pytest

import findimg.taught.log
from findimg.storage.base import open_storage
from findimg.taught.events import EVENTS, new_action, new_example
from findimg.taught.log import TaughtLog
from tests.shared.taught.examples import made_up_example


def test_other_readers_see_new_events(place: str) -> None:
    writer, reader = TaughtLog(open_storage(place)), TaughtLog(open_storage(place))
    assert reader.refresh().names == {}
    writer.append([new_example("T1/U1", new_action(), "lotus", True, made_up_example(1))])
    assert list(writer.state.names) == ["lotus"]
    assert list(reader.refresh().names) == ["lotus"]
    assert reader.refresh() is reader.refresh()


def test_repeated_write_changes_nothing(place: str) -> None:
    log = TaughtLog(open_storage(place))
    events = [new_example("T1/U1", new_action(), "lotus", True, made_up_example(number)) for number in range(3)]
    log.append(events[:2])
    log.append(events)
    assert len(list(open_storage(place).list(EVENTS))) == 3
    assert len(log.refresh(complete=True).names["lotus"].examples) == 3


def test_deleted_events_are_gone_for_other_readers_at_the_next_refresh(place: str) -> None:
    writer, reader = TaughtLog(open_storage(place)), TaughtLog(open_storage(place))
    writer.append([new_example("T1/U1", new_action(), "lotus", True, made_up_example(1))])
    reader.refresh()
    assert writer.erase(event.id for event in writer.events()) == 1
    assert reader.refresh().names == {}
    assert "lotus" not in "".join(str(open_storage(place).read(each.key)) for each in open_storage(place).list(EVENTS))


def test_hostile_objects_are_passed_over_with_one_warning(place: str, caplog: pytest.LogCaptureFixture) -> None:
    storage = open_storage(place)
    log = TaughtLog(storage)
    log.append([new_example("T1/U1", new_action(), "lotus", True, made_up_example(1))])
    storage.write(f"{EVENTS}/2026-01-01/{'x' * 150}.json", b"{}")
    storage.write(f"{EVENTS}/bad.json", b"\x00" * 400_000)
    with caplog.at_level(logging.WARNING):
        assert list(log.refresh(complete=True).names) == ["lotus"]
        log.refresh(complete=True)
    assert [record.name for record in caplog.records if record.levelno >= logging.WARNING] == ["findimg.taught.log"] * 2


def test_old_days_are_listed_only_now_and_then(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(place)
    log = TaughtLog(storage)
    log.refresh()
    new = new_example("T1/U1", new_action(), "lotus", True, made_up_example(1))
    with monkeypatch.context() as patched:
        patched.setattr(findimg.taught.events, "now", lambda: "20200101T000000000000Z")
        new = new_example("T1/U1", new_action(), "lotus", True, made_up_example(1))
    storage.write(new.key, new.data)
    assert log.refresh().names == {}
    later = time.monotonic() + 61
    monkeypatch.setattr(findimg.taught.log.time, "monotonic", lambda: later)
    assert list(log.refresh().names) == ["lotus"]


def test_reader_gets_used_to_a_slow_clock(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(place)
    reader = TaughtLog(storage)
    reader.refresh()

    def write_slowly(number: int) -> None:
        time_then = (datetime.now(UTC) - timedelta(minutes=10)).strftime("%Y%m%dT%H%M%S%fZ")
        with monkeypatch.context() as patched:
            patched.setattr(findimg.taught.events, "now", lambda: time_then)
            new = new_example("T1/U1", new_action(), f"name {number}", True, made_up_example(number))
        storage.write(new.key, new.data)

    write_slowly(1)
    assert list(reader.refresh().names) == []
    assert list(reader.refresh(complete=True).names) == ["name 1"]
    write_slowly(2)
    assert list(reader.refresh().names) == ["name 1", "name 2"]
