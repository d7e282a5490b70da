import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from findimg.errors import FindimgError, SettingsError, StorageError
from findimg_bot.questions import Question
from findimg_bot.state import database
from findimg_bot.state.store import Store, StoredQuestion
from tests.bot import postgresql

CAT = StoredQuestion("T1", "U1", Question("/findimg", "cat"))

FORMER_TABLES = """
CREATE TABLE questions (
    id TEXT PRIMARY KEY, team TEXT NOT NULL, user TEXT NOT NULL, command TEXT NOT NULL, text TEXT NOT NULL,
    about TEXT, seen BLOB, name TEXT NOT NULL, skip INTEGER NOT NULL, uris TEXT NOT NULL, created REAL NOT NULL {more})
    STRICT;
CREATE INDEX questions_created ON questions (created);
CREATE TABLE thumbnails (
    team TEXT NOT NULL, sha256 TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (team, sha256)) STRICT;
CREATE TABLE events (id TEXT PRIMARY KEY, created REAL NOT NULL) STRICT;
CREATE INDEX events_created ON events (created);
INSERT INTO thumbnails VALUES ('T1', 'aa', 'F1');
INSERT INTO events VALUES ('Ev1', {now});
"""
FORMER_ROW = "INSERT INTO questions VALUES ('Q1', 'T1', 'U1', '/findimg', 'cat', NULL, NULL, '', 5, '[]', {now} {more})"


@pytest.fixture
def address(postgresql_server: postgresql.Server) -> str:
    """Return the address of a new PostgreSQL database."""
    return postgresql_server.create_database()


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    store = Store(address)
    yield store
    store.close()


@pytest.mark.parametrize(("column", "value"), [("", ""), (", layout TEXT NOT NULL DEFAULT 'list'", ", 'grid'")])
def test_file_of_a_former_release_keeps_its_content(tmp_path: Path, column: str, value: str) -> None:
    path, now = tmp_path / "bot.sqlite", time.time()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORMER_TABLES.format(more=column, now=now))
        connection.execute(FORMER_ROW.format(more=value, now=now))
        connection.commit()
    for _ in range(2):
        store = Store(path)
        question = store.find_question("Q1")
        assert question
        assert (question.skip, question.question.layout) == (5, "grid" if value else "list")
        assert store.thumbnails("T1", ["aa"]) == {"aa": "F1"}
        assert not store.is_new_event("Ev1")
        assert store.find_question(store.save_question(CAT)) == CAT
        store.close()


def test_state_of_a_newer_release_is_refused(state_address: str) -> None:
    store = Store(state_address)
    store.database.run(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    store.close()
    with pytest.raises(SettingsError, match=r"was written by a newer findimg\. Update findimg"):
        Store(state_address)


def test_bots_that_start_together_create_the_tables_once(state_address: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(Store, [state_address] * 4))
    assert sum(store.is_new_event("Ev1") for store in stores) == 1
    for store in stores:
        store.close()


def test_restarted_server_loses_and_repeats_nothing(
    postgresql_server: postgresql.Server, store: Store, address: str
) -> None:
    other, end, numbers = Store(address), threading.Event(), range(4)

    def work(number: int) -> tuple[list[str], list[str]]:
        mine, saved, new, count = (store, other)[number % 2], [], [], 0
        while not end.is_set():
            saved.append(mine.save_question(CAT))
            event = f"{number // 2}-{count}"  # each event reaches both bots
            if mine.is_new_event(event):
                new.append(event)
            count += 1
        return saved, new

    with ThreadPoolExecutor(len(numbers)) as threads:
        running = [threads.submit(work, number) for number in numbers]
        for _ in range(2):
            time.sleep(0.5)
            postgresql_server.stop()
            time.sleep(0.3)
            postgresql_server.start()
        time.sleep(0.5)
        end.set()
        results = [each.result(60) for each in running]
    for saved, _ in results:
        assert all(store.find_question(name) == CAT for name in saved)
    for first, second in (results[:2], results[2:]):
        assert not set(first[1]) & set(second[1])
        handled = {int(event.partition("-")[2]) for event in first[1] + second[1]}
        assert handled == set(range(len(handled)))
        assert len(handled) > 20
    other.close()


def test_bot_waits_while_the_server_has_no_free_connection(postgresql_server: postgresql.Server, address: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    postgresql_server.psql("CREATE ROLE bot LOGIN CONNECTION LIMIT 2")
    name = address.partition("/state")[2].partition("?")[0]
    postgresql_server.psql(f"ALTER DATABASE state{name} OWNER TO bot")
    address = address.replace("postgres@", "bot@")
    Store(address).close()
    others = [psycopg.connect(address) for _ in range(2)]
    threading.Timer(0.5, others[0].close).start()
    store = Store(address)
    with ThreadPoolExecutor(20) as threads:  # one connection for twenty threads
        names = list(threads.map(lambda _: store.save_question(CAT), range(40)))
    assert all(store.find_question(name) == CAT for name in names)
    store.close()
    others[1].close()


def test_stopped_server_is_reported_in_one_sentence_without_a_password(
    postgresql_server: postgresql.Server, store: Store, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_TIMEOUT", 0.2)
    postgresql_server.stop()
    try:
        with pytest.raises(StorageError, match=r"Cannot use the bot's state postgresql.*Check the database") as used:
            store.is_new_event("Ev1")
        with pytest.raises(SettingsError, match=r"Cannot open the bot's state postgresql.*Check the server") as opened:
            Store(address.replace("postgres@", "postgres:hunter2@"))
    finally:
        postgresql_server.start()
    for error in (used, opened):
        assert "\n" not in str(error.value)
        assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("mysql://bot:hunter2@db/findimg", "cannot be a mysql database"),
        ("postgresql://bot:hunter2@db:many/findimg", "is not a valid address"),
        ("://hunter2", "is not a valid address"),
    ],
)
def test_wrong_address_is_refused_without_its_password(address: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        Store(address)
    assert "hunter2" not in str(error.value)


def test_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(FindimgError, match=r"needs the extra postgres\. Run pip install 'findimg\[bot,postgres\]'"):
        Store("postgresql://bot@db/findimg")
