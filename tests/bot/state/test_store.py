import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from findimg.errors import SettingsError
from findimg.search.image_features import ImageFeatures
from findimg_bot.questions import Question
from findimg_bot.state.store import EVENT_SECONDS, QUESTION_SECONDS, Store, StoredQuestion

CAT = StoredQuestion("T1", "U1", Question("/findimg", "cat sofa"), 5, ("s3://photos/a.jpg", "/photos/größe 猫.png"))


ONLY_A_FILE = pytest.mark.parametrize("state_address", ["sqlite"], indirect=True)


@pytest.fixture
def open_store(state_address: str) -> Iterator[Callable[[], Store]]:
    """Return a function that opens the same state again, as another process would."""
    opened: list[Store] = []

    def open_once_more() -> Store:
        opened.append(Store(state_address))
        return opened[-1]

    yield open_once_more
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()


@pytest.fixture
def days_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that moves the clock forward."""

    def later(seconds: float) -> None:
        then = time.time() + seconds
        monkeypatch.setattr(time, "time", lambda: then)

    return later


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    """Return the result of a query."""
    return store.database.run(lambda connection: [tuple(row) for row in connection.execute(text(query))])


def uploaded_features() -> ImageFeatures:
    rng = np.random.default_rng(1)
    return ImageFeatures(rng.random(1280, np.float32), rng.permutation(1000)[:20], rng.random(20, np.float32))


def test_question_round_trip(store: Store) -> None:
    assert store.find_question(store.save_question(CAT)) == CAT


def test_question_about_an_indexed_image_round_trip(store: Store) -> None:
    asked = StoredQuestion("T1", "", Question("/similar", "type:png", like="s3://photos/a b.jpg"))
    assert store.find_question(store.save_question(asked)) == asked


def test_text_with_control_characters_can_be_stored(store: Store) -> None:
    stored = store.find_question(store.save_question(replace(CAT, question=Question("/findimg", "cat\0\x1b 😺"))))
    assert stored
    assert stored.question.text == "cat\x1b 😺"


def test_question_about_an_uploaded_image_keeps_its_features(store: Store) -> None:
    seen = uploaded_features()
    asked = replace(CAT, question=Question("/similar", "", features=seen, name="holiday 🏖.heic"))
    back = store.find_question(store.save_question(asked))
    assert back is not None
    assert back.question.features is not None
    for before, after in [
        (seen.visual, back.question.features.visual),
        (seen.classes, back.question.features.classes),
        (seen.probabilities, back.question.features.probabilities),
    ]:
        np.testing.assert_array_equal(after, before, strict=True)
    assert replace(back, question=replace(back.question, features=None)) == replace(
        asked, question=replace(asked.question, features=None)
    )


def test_features_without_classes_round_trip(store: Store) -> None:
    seen = ImageFeatures(np.ones(512, np.float32), np.empty(0, np.int64), np.empty(0, np.float32))
    back = store.find_question(store.save_question(replace(CAT, question=Question("/similar", "", features=seen))))
    assert back is not None
    assert back.question.features is not None
    assert back.question.features.classes.shape == (0,)


def test_question_ids_are_unique_and_long(store: Store) -> None:
    names = {store.save_question(CAT) for _ in range(100)}
    assert len(names) == 100
    assert min(map(len, names)) >= 16  # 96 bits


@pytest.mark.parametrize("name", ["", "unknown", "' OR 1=1 --", "NUL \0", "x" * 10_000])
def test_unknown_id_returns_none(store: Store, name: str) -> None:
    store.save_question(CAT)
    assert store.find_question(name) is None


def test_question_expires(store: Store, days_later: Callable[[float], None]) -> None:
    name = store.save_question(CAT)
    days_later(QUESTION_SECONDS - 60)
    assert store.find_question(name) == CAT
    days_later(120)
    assert store.find_question(name) is None


def test_expired_rows_are_deleted(store: Store, days_later: Callable[[float], None]) -> None:
    store.save_question(CAT)
    assert store.is_new_event("Ev1")
    days_later(QUESTION_SECONDS + EVENT_SECONDS)
    late = store.save_question(CAT)
    assert rows(store, "SELECT id FROM questions") == [(late,)]
    assert rows(store, "SELECT id FROM events") == []


def test_state_is_shared_between_processes(store: Store, open_store: Callable[[], Store]) -> None:
    other = open_store()
    assert other.find_question(store.save_question(CAT)) == CAT
    store.save_thumbnail("T1", "aa", "F1")
    assert other.thumbnails("T1", ["aa"]) == {"aa": "F1"}
    assert store.is_new_event("Ev1")
    assert not other.is_new_event("Ev1")


def test_question_survives_a_restart(open_store: Callable[[], Store]) -> None:
    before = open_store()
    name = before.save_question(CAT)
    before.close()
    assert open_store().find_question(name) == CAT


def test_event_is_new_once(store: Store) -> None:
    assert [store.is_new_event(event) for event in ("Ev1", "Ev1", "Ev2", "Ev1")] == [True, False, True, False]


def test_event_is_new_to_one_thread_only(store: Store, open_store: Callable[[], Store]) -> None:
    other = open_store()
    with ThreadPoolExecutor(16) as threads:
        answers = [
            list(threads.map(Store.is_new_event, [store, other] * 8, [f"Ev{number}"] * 16)) for number in range(25)
        ]
    assert [sum(each) for each in answers] == [1] * 25


def test_thumbnails_belong_to_a_team(store: Store) -> None:
    store.save_thumbnail("T1", "aa", "F1")
    store.save_thumbnail("T1", "bb", "F2")
    store.save_thumbnail("T2", "aa", "F3")
    assert store.thumbnails("T1", ["aa", "bb", "cc"]) == {"aa": "F1", "bb": "F2"}
    assert store.thumbnails("T2", ["aa", "bb", "cc"]) == {"aa": "F3"}
    assert store.thumbnails("T3", ["aa"]) == store.thumbnails("T1", []) == {}
    assert store.uploaded_hashes() == {"T1": ["aa", "bb"], "T2": ["aa"]}


def test_new_upload_replaces_the_file_id(store: Store) -> None:
    store.save_thumbnail("T1", "aa", "F1")
    store.save_thumbnail("T1", "aa", "F2")
    assert store.thumbnails("T1", ["aa"]) == {"aa": "F2"}


def test_thumbnails_are_deleted_for_one_team(store: Store) -> None:
    for team in ("T1", "T2"):
        for sha256 in ("aa", "bb"):
            store.save_thumbnail(team, sha256, "F1")
    store.forget_thumbnails("T1", ["aa", "unknown"])
    assert store.uploaded_hashes() == {"T1": ["bb"], "T2": ["aa", "bb"]}


def test_any_number_of_thumbnails_can_be_requested(store: Store) -> None:
    store.save_thumbnail("T1", "aa", "F1")
    assert store.thumbnails("T1", ["aa", *map(str, range(40_000))]) == {"aa": "F1"}


def test_deleting_a_team_leaves_other_teams(store: Store) -> None:
    ours, theirs = store.save_question(CAT), store.save_question(replace(CAT, team="T2"))
    store.save_thumbnail("T1", "aa", "F1")
    store.save_thumbnail("T2", "aa", "F2")
    store.forget_team("T1")
    assert store.find_question(ours) is None
    assert store.find_question(theirs) is not None
    assert store.uploaded_hashes() == {"T2": ["aa"]}
    assert rows(store, "SELECT DISTINCT team FROM questions") == [("T2",)]


@ONLY_A_FILE
def test_state_is_readable_only_by_its_owner(store: Store, state_address: str) -> None:
    store.save_question(CAT)
    path = Path(state_address)
    files = list(path.parent.iterdir())
    assert path in files
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in files} == {file.name: "0o600" for file in files}


def test_foreign_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Milk, bread, and a long list of other things that make no database. " * 100)
    with pytest.raises(SettingsError, match=r"Cannot open the bot's state .*notes\.txt: .*Name another file"):
        Store(path)
    assert path.read_text().startswith("Milk")


@pytest.mark.parametrize("name", ["folder", "file/bot.sqlite"])
def test_unusable_path_is_reported(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"Cannot open the bot's state .*Name another file with --state") as error:
        Store(tmp_path / name)
    assert "\n" not in str(error.value)


def test_start_waits_for_another_process_that_creates_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bot.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE anything (x)")
    threading.Timer(0.2, lambda: other.execute("COMMIT")).start()
    store = Store(path)
    assert store.find_question(store.save_question(CAT)) == CAT
    store.close()
    other.close()


WRITER = """
import sys
from findimg_bot.questions import Question
from findimg_bot.state.store import Store, StoredQuestion

store, team = Store(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    name = store.save_question(StoredQuestion(team, "", Question("/findimg", str(number))))
    store.save_thumbnail(team, str(number), name)
    store.is_new_event(str(number)) and print(number)
"""


def test_concurrent_writes_lose_nothing(state_address: str, open_store: Callable[[], Store]) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, state_address, team],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for team in ("T1", "T2")
    ]
    assert [writer.stdout and writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    new = [writer.communicate(timeout=60)[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    numbers = [str(number) for number in range(200)]
    assert sorted(new[0] + new[1]) == sorted(numbers)
    store = open_store()
    for team in ("T1", "T2"):
        kept = store.thumbnails(team, numbers)
        texts = {
            number: asked and asked.question.text
            for number, name in kept.items()
            for asked in [store.find_question(name)]
        }
        assert texts == {number: number for number in numbers}
