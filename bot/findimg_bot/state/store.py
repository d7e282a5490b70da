"""What the bot remembers between an answer and a click: questions, thumbnails' ids, events; in a small SQLite file.

Several processes may use one file at the same time.
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
from findimg.search.searcher import ImageFeatures
from findimg_bot.service.answers import Question

KEPT = 30 * 86400.0  # seconds until a question is forgotten, and its buttons with it
EVENTS_KEPT = 86400.0  # seconds; Slack sends an event again for some minutes
_TIMEOUT = 10.0  # seconds to wait for another process
_SWEEP = 3600.0  # seconds between two looks for what has expired
_SCHEMA = """
CREATE TABLE IF NOT EXISTS questions (
    id TEXT PRIMARY KEY, team TEXT NOT NULL, user TEXT NOT NULL, command TEXT NOT NULL, text TEXT NOT NULL,
    about TEXT, seen BLOB, name TEXT NOT NULL, skip INTEGER NOT NULL, uris TEXT NOT NULL, created REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS questions_created ON questions (created);
CREATE TABLE IF NOT EXISTS thumbnails (
    team TEXT NOT NULL, sha256 TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (team, sha256)) STRICT;
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, created REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS events_created ON events (created);
"""


@dataclass(frozen=True, slots=True)
class StoredQuestion:
    """A question as it was answered: who asked, from which hit on, and what was shown."""

    team: str
    user: str  # whose answer it is; empty when everybody in the channel sees it
    question: Question
    skip: int = 0
    uris: tuple[str, ...] = ()


class Store:
    """The bot's memory; may be used from several threads."""

    def __init__(self, path: Path):
        """Opens the file, or makes it.

        Raises:
            SettingsError: it cannot be opened, or is something else.
        """
        self.path = path
        self._lock = threading.Lock()
        self._swept = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Created here, so that nobody else on the machine can read what people ask.
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, timeout=_TIMEOUT, check_same_thread=False, isolation_level=None)
            _prepare(self._connection)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(
                f"The bot's state {path} cannot be opened: {error}. Name another file with --state."
            ) from error

    def keep(self, asked: StoredQuestion) -> str:
        """Keeps a question for `KEPT` seconds; returns the id that buttons carry."""
        name = secrets.token_urlsafe(12)
        question = asked.question
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO questions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    asked.team,
                    asked.user,
                    question.command,
                    question.text,
                    question.like,
                    _packed(question.seen),
                    question.name,
                    asked.skip,
                    json.dumps(asked.uris),
                    time.time(),
                ),
            )
        return name

    def kept(self, name: str) -> StoredQuestion | None:
        """The question with this id, None when it is unknown or has expired."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT team, user, command, text, about, seen, name, skip, uris FROM questions"
                " WHERE id = ? AND created > ?",
                (name, time.time() - KEPT),
            ).fetchone()
        if row is None:
            return None
        team, user, command, text, about, seen, image, skip, uris = row
        return StoredQuestion(
            team, user, Question(command, text, about, _unpacked(seen), image), skip, tuple(json.loads(uris))
        )

    def is_new(self, event: str) -> bool:
        """Whether an event comes for the first time; the next time it does not."""
        with self._writing() as connection:
            return bool(connection.execute("INSERT OR IGNORE INTO events VALUES (?, ?)", (event, time.time())).rowcount)

    def thumbnails(self, team: str, hashes: Iterable[str]) -> dict[str, str]:
        """The ids of the Slack files that show these images, by SHA-256, where they were uploaded to the team."""
        with self._reading() as connection:
            # As one JSON value: SQLite takes no more than 32,766 variables.
            found = connection.execute(
                "SELECT sha256, file FROM thumbnails WHERE team = ? AND sha256 IN (SELECT value FROM json_each(?))",
                (team, json.dumps(list(hashes))),
            )
            return dict(found.fetchall())

    def remember(self, team: str, sha256: str, file: str) -> None:
        """Remembers the Slack file that shows an image in a team."""
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO thumbnails VALUES (?, ?, ?)", (team, sha256, file))

    def forget_thumbnails(self, team: str, hashes: Iterable[str]) -> None:
        """Forgets the Slack files of these images in a team."""
        with self._writing() as connection:
            connection.executemany(
                "DELETE FROM thumbnails WHERE team = ? AND sha256 = ?", [(team, sha256) for sha256 in hashes]
            )

    def forget_team(self, team: str) -> None:
        """Forgets everything about a team."""
        with self._writing() as connection:
            connection.execute("DELETE FROM questions WHERE team = ?", (team,))
            connection.execute("DELETE FROM thumbnails WHERE team = ?", (team,))

    def uploaded(self) -> dict[str, list[str]]:
        """The SHA-256 of every image whose thumbnail was uploaded, by team."""
        with self._reading() as connection:
            rows = connection.execute("SELECT team, sha256 FROM thumbnails ORDER BY team").fetchall()
        return {team: [sha256 for _, sha256 in group] for team, group in groupby(rows, key=lambda row: row[0])}

    def close(self) -> None:
        """Closes the file."""
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
                self._connection.execute("DELETE FROM questions WHERE created <= ?", (now - KEPT,))
                self._connection.execute("DELETE FROM events WHERE created <= ?", (now - EVENTS_KEPT,))
            yield self._connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Makes the tables where they are missing."""
    end = time.monotonic() + _TIMEOUT
    while True:
        try:
            connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {_SCHEMA}")
            return
        except sqlite3.OperationalError as error:
            # Whoever switches a new file to this journal is refused at once while another process does the same.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _packed(seen: ImageFeatures | None) -> bytes | None:
    if seen is None:
        return None
    file = io.BytesIO()
    np.savez(file, visual=seen.visual, classes=seen.classes, probabilities=seen.probabilities)
    return file.getvalue()


def _unpacked(data: bytes | None) -> ImageFeatures | None:
    if data is None:
        return None
    arrays = np.load(io.BytesIO(data), allow_pickle=False)
    return ImageFeatures(arrays["visual"], arrays["classes"], arrays["probabilities"])
