"""Test that each request belongs to one bot, and that nothing of it is kept after the answer."""

import json
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.event import listen

from findimg_bot.state import requests as module
from findimg_bot.state.database import Database
from findimg_bot.state.requests import LEASE_SECONDS, REQUEST_SECONDS, NewRequest, Requests, TakenRequest
from findimg_bot.state.store import Store
from findimg_bot.state.tables import requests

BODY = {"command": "/findimg", "text": "zeppelin", "user_id": "U1", "response_url": "https://hooks.slack.com/1"}


class Bot:
    """A bot with a lease."""

    def __init__(self, database: Database):
        self._database = database
        self._requests = Requests()
        self.run(self._requests.keep_lease)

    def run(self, work: Callable[..., Any]) -> Any:
        return self._database.run(work)

    def accept(self, body: dict[str, Any] | None = None, event: str = "") -> str:
        """Record a request, and return its id; empty for a repeated event."""
        name = secrets.token_hex(4)
        (is_new,) = self.record(NewRequest(name, "T1", body or BODY, event))
        return name if is_new else ""

    def record(self, *new: NewRequest) -> list[bool]:
        return list(self.run(lambda connection: self._requests.record(connection, new)))

    def starts(self, *ids: str) -> list[bool]:
        return list(self.run(lambda connection: self._requests.start_deliveries(connection, ids)))

    def finish(self, *ids: str) -> None:
        self.run(lambda connection: self._requests.finish(connection, ids))

    def stop(self) -> None:
        self.run(self._requests.release_lease)

    def look(self) -> list[TakenRequest]:
        self.run(self._requests.keep_lease)
        claim = secrets.token_hex(4)
        return list(self.run(lambda connection: self._requests.take_over(connection, claim)))


@pytest.fixture
def seconds_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the clock of the state on."""
    now = time.time

    def move(seconds: float) -> None:
        monkeypatch.setattr(module.time, "time", lambda: now() + seconds)

    return move


def test_request_of_a_killed_bot_goes_to_one_other(
    database: Database, state_address: str, seconds_later: Callable[[float], None]
) -> None:
    killed = Bot(database)
    names = sorted(killed.accept({"text": str(number)}) for number in range(20))
    others = [Bot(Database(state_address)) for _ in range(4)]
    assert [each.look() for each in others] == [[]] * 4
    seconds_later(LEASE_SECONDS + 1)
    for each in others:
        each.run(each._requests.keep_lease)
    with ThreadPoolExecutor(4) as threads:
        taken = [each for found in threads.map(Bot.look, others) for each in found]
    assert sorted(each.id for each in taken) == names
    assert sorted(int(each.body["text"]) for each in taken) == list(range(20))
    assert {(each.attempts, each.is_answered) for each in taken} == {(1, False)}
    # A bot that was only slow neither answers nor deletes what others answer now.
    assert not any(killed.starts(*names))
    killed.finish(names[0])
    assert len(database.run(lambda connection: connection.execute(select(requests.c.id)).all())) == 20
    for each in others:
        each._database.close()


def test_bot_that_stops_leaves_its_requests_at_once(database: Database) -> None:
    first, second = Bot(database), Bot(database)
    started, waiting = first.accept(), first.accept()
    assert first.starts(started) == [True]
    first.stop()
    assert {each.id: each.is_answered for each in second.look()} == {started: True, waiting: False}


def test_repeated_take_over_returns_the_same_requests(database: Database) -> None:
    first, second = Bot(database), Bot(database)
    name = first.accept()
    first.stop()
    for _ in range(2):  # the second time because nobody knows whether the first one was committed
        taken = database.run(lambda connection: second._requests.take_over(connection, "claim"))
        assert [(each.id, each.attempts) for each in taken] == [(name, 1)]
    assert second.look() == []


def test_event_is_recorded_once(database: Database) -> None:
    first, second = Bot(database), Bot(database)
    assert first.accept(event="Ev1")
    assert not second.accept(event="Ev1")
    assert first.accept(event="Ev2")


def test_repeated_events_of_one_batch_are_recorded_once(database: Database) -> None:
    first, second = Bot(database), Bot(database)
    assert first.accept(event="Ev1")
    batch = [NewRequest(f"{number}", "T1", BODY, event) for number, event in enumerate(("Ev2", "Ev1", "", "Ev2", ""))]
    for _ in range(2):  # the second time because nobody knows whether the first one was committed
        assert second.record(*batch) == [True, False, True, False, True]
    second.stop()
    assert {each.id for each in first.look()} == {"0", "2", "4"}


def test_batch_of_requests_needs_no_more_statements_than_one(database: Database) -> None:
    bot, statements = Bot(database), list[str]()
    listen(database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    def count(ids: Sequence[str]) -> int:
        statements.clear()
        assert all(bot.record(*(NewRequest(each, "T1", BODY, f"Ev{each}") for each in ids)))
        assert all(bot.starts(*ids))
        bot.finish(*ids)
        assert bot.starts(*ids) == [False] * len(ids)
        return len(statements)

    assert count([f"many{number}" for number in range(200)]) == count(["one"])


def test_nothing_of_an_answered_or_old_request_is_kept(
    database: Database, seconds_later: Callable[[float], None]
) -> None:
    bot = Bot(database)
    answered, _ = bot.accept(), bot.accept()
    bot.finish(answered)
    seconds_later(REQUEST_SECONDS - 1)
    bot.look()
    assert len(database.run(lambda connection: connection.execute(select(requests.c.id)).all())) == 1
    seconds_later(REQUEST_SECONDS + 1)
    assert bot.look() == []
    assert database.run(lambda connection: connection.execute(select(requests.c.id)).all()) == []


def test_requests_of_a_removed_team_are_deleted(tmp_path: Path) -> None:
    store = Store(tmp_path / "bot.sqlite")
    Bot(store.database).accept()
    store.forget_team("T1")
    assert store.database.run(lambda connection: connection.execute(select(requests.c.id)).all()) == []
    store.close()


def test_tokens_in_a_request_are_not_stored(database: Database) -> None:
    event = {"type": "function_executed", "bot_access_token": "xwfp-secret", "inputs": {"words": "cat"}}
    Bot(database).accept({"token": "secret", "bot_access_token": "xwfp-secret", "event": event})
    (stored,) = database.run(lambda connection: connection.execute(text("SELECT body FROM requests")).scalars().all())
    assert json.loads(stored) == {"event": {"type": "function_executed", "inputs": {"words": "cat"}}}
