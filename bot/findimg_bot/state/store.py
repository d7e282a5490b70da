"""The state that the bot needs between an answer and a click: questions, thumbnails' file ids and event ids.

The state is a small SQLite file, which several processes of one machine may use at the same time.
"""

import io
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from findimg.errors import SettingsError
from findimg.search.results import ImageFeatures
from findimg_bot.service.answers import Question

QUESTION_SECONDS = 30 * 86400.0  # until a question is deleted and its buttons stop working
EVENT_SECONDS = 86400.0  # Slack repeats an event for some minutes
_TIMEOUT = 10.0  # seconds to wait for another process
_SWEEP = 3600.0  # seconds between two deletions of expired rows
_SCHEMA = """
CREATE TABLE IF NOT EXISTS questions (
    id TEXT PRIMARY KEY, team TEXT NOT NULL, user TEXT NOT NULL, command TEXT NOT NULL, text TEXT NOT NULL,
    about TEXT, seen BLOB, name TEXT NOT NULL, skip INTEGER NOT NULL, uris TEXT NOT NULL, created REAL NOT NULL,
    layout TEXT NOT NULL DEFAULT 'list') STRICT;
CREATE INDEX IF NOT EXISTS questions_created ON questions (created);
CREATE TABLE IF NOT EXISTS thumbnails (
    team TEXT NOT NULL, sha256 TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (team, sha256)) STRICT;
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, created REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS events_created ON events (created);
"""


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """An answered question: who asked, the position of its page, and the images on that page."""

    team: str
    user: str  # the only person who sees the answer; empty when the whole channel sees it
    question: Question
    skip: int = 0
    uris: tuple[str, ...] = ()


class Store:
    """The bot's state. Safe to use from several threads."""

    def __init__(self, path: Path):
        """Open the file, or create it.

        Raises:
            SettingsError: the file cannot be opened, or is not the bot's state.
        """
        self.path = path
        self._lock = threading.Lock()
        self._swept = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Only the owner may read what people ask.
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, timeout=_TIMEOUT, check_same_thread=False, isolation_level=None)
            _prepare(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"Cannot open the bot's state {path}: {error}. Name another file with --state."
            ) from error

    def save_question(self, stored: StoredQuestion) -> str:
        """Store a question for `QUESTION_SECONDS`, and return the id that its buttons carry."""
        question_id = secrets.token_urlsafe(12)
        question = stored.question
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO questions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    question_id,
                    stored.team,
                    stored.user,
                    question.command,
                    question.text,
                    question.like,
                    _pack(question.features),
                    question.name,
                    stored.skip,
                    json.dumps(stored.uris),
                    time.time(),
                    question.layout,
                ),
            )
        return question_id

    def find_question(self, question_id: str) -> StoredQuestion | None:
        """Return the question with this id, None when the id is unknown or expired."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT team, user, command, text, about, seen, name, skip, uris, layout FROM questions"
                " WHERE id = ? AND created > ?",
                (question_id, time.time() - QUESTION_SECONDS),
            ).fetchone()
        if row is None:
            return None
        team, user, command, text, about, seen, image, skip, uris, layout = row
        question = Question(command, text, about, _unpack(seen), image, layout)
        return StoredQuestion(team, user, question, skip, tuple(json.loads(uris)))

    def is_new(self, event: str) -> bool:
        """Return whether an event is new, and remember it."""
        with self._writing() as connection:
            return bool(connection.execute("INSERT OR IGNORE INTO events VALUES (?, ?)", (event, time.time())).rowcount)

    def thumbnails(self, team: str, hashes: Iterable[str]) -> dict[str, str]:
        """Return the ids of the Slack files that show these images to a team, by SHA-256."""
        with self._reading() as connection:
            # One JSON value, because SQLite takes at most 32,766 variables.
            found = connection.execute(
                "SELECT sha256, file FROM thumbnails WHERE team = ? AND sha256 IN (SELECT value FROM json_each(?))",
                (team, json.dumps(list(hashes))),
            )
            return dict(found.fetchall())

    def save_thumbnail(self, team: str, sha256: str, file: str) -> None:
        """Store the id of the Slack file that shows an image to a team."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?)", (team, sha256, file))

    def forget_thumbnails(self, team: str, hashes: Iterable[str]) -> None:
        """Delete the ids of the Slack files that show these images to a team."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM thumbnails WHERE team = ? AND sha256 = ?", [(team, sha256) for sha256 in hashes]
            )

    def forget_team(self, team: str) -> None:
        """Delete everything about a team."""
        with self._writing() as connection:
            connection.execute("DELETE FROM questions WHERE team = ?", (team,))
            connection.execute("DELETE FROM thumbnails WHERE team = ?", (team,))

    def uploaded_hashes(self) -> dict[str, list[str]]:
        """Return the SHA-256 of every image with an uploaded thumbnail, by team."""
        with self._reading() as connection:
            rows = connection.execute("SELECT team, sha256 FROM thumbnails ORDER BY team").fetchall()
        return {team: [sha256 for _, sha256 in group] for team, group in groupby(rows, key=lambda row: row[0])}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            now = time.time()
            if now - self._swept > _SWEEP:
                self._swept = now
                self._connection.execute("DELETE FROM questions WHERE created <= ?", (now - QUESTION_SECONDS,))
                self._connection.execute("DELETE FROM events WHERE created <= ?", (now - EVENT_SECONDS,))
            yield self._connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Create missing tables."""
    end = time.monotonic() + _TIMEOUT
    while True:
        try:
            connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {_SCHEMA}")
            columns = [row[1] for row in connection.execute("PRAGMA table_info(questions)")]
            if "layout" not in columns:  # the file is from an earlier version
                connection.execute("ALTER TABLE questions ADD COLUMN layout TEXT NOT NULL DEFAULT 'list'")
            return
        except sqlite3.OperationalError as error:
            # SQLite refuses to switch the journal of a new file while another process does the same.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _pack(features: ImageFeatures | None) -> bytes | None:
    if features is None:
        return None
    file = io.BytesIO()
    np.savez(file, visual=features.visual, classes=features.classes, probabilities=features.probabilities)
    return file.getvalue()


def _unpack(data: bytes | None) -> ImageFeatures | None:
    if data is None:
        return None
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    return ImageFeatures(arrays["visual"], arrays["classes"], arrays["probabilities"])
