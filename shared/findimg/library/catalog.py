"""The catalog of a version: row i of the table is item i of its indexes; filters are answered here."""

import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.search.filters import Filters, fold

# What an image's date is from: the camera's metadata, the file's name, or the file's modification time.
DateSource: TypeAlias = Literal["camera", "name", "file"]


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """What is known about one indexed image."""

    uri: str
    version: str
    sha256: str  # hex
    width: int  # pixels, upright
    height: int
    format: str  # Pillow's name: JPEG, PNG, …
    bytes: int
    taken: datetime | None  # capture time by the camera's clock, or another time by `dated_by`
    dated_by: DateSource | None = None  # None without a date, and in catalogs of older releases


# The folder of an image's URI, with a slash at both ends. rtrim takes all characters that are no slash from the end.
_FOLDER = "'/' || rtrim(uri, replace(uri, '/', ''))"
_NAME = "substr(uri, length(rtrim(uri, replace(uri, '/', ''))) + 1)"
_COLUMNS = "uri, version, sha256, width, height, format, bytes, taken, dated_by"


def write_catalog(path: Path, rows: Iterable[CatalogRow]) -> None:
    """Writes a catalog; equal rows give equal bytes.

    Args:
        path: where nothing is yet.
        rows: of item 0, item 1 and so on, so that the file only grows at its end; each URI stands once.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE images (item INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, version TEXT NOT NULL,"
            " sha256 TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL,"
            " bytes INTEGER NOT NULL, taken TEXT, dated_by TEXT) STRICT;"
        )
        connection.executemany(
            f"INSERT INTO images (item, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    item,
                    r.uri,
                    r.version,
                    r.sha256,
                    r.width,
                    r.height,
                    r.format,
                    r.bytes,
                    r.taken and r.taken.isoformat(" "),
                    r.dated_by,
                )
                for item, r in enumerate(rows)
            ),
        )
        connection.commit()
        connection.executescript("CREATE INDEX taken ON images (taken); CREATE INDEX format ON images (format);")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


class Catalog:
    """A catalog opened for reading; may be used from several threads."""

    def __init__(self, path: Path):
        """Opens the file.

        Raises:
            LibraryError: it is no catalog.
        """
        # Nobody writes to a published version: immutable spares locks, and works on read-only disks.
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._connection.create_function("fold", 1, fold, deterministic=True)
            self._connection.create_function("nfc", 1, _composed, deterministic=True)
            self._connection.execute(f"PRAGMA mmap_size = {path.stat().st_size}")
            (self.images,) = self._connection.execute("SELECT count(*) FROM images").fetchone()
            names = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(images)")}
            self._columns = _COLUMNS if "dated_by" in names else _COLUMNS.replace("dated_by", "NULL AS dated_by")
        except sqlite3.DatabaseError as error:
            raise LibraryError(f"{path} cannot be opened as a catalog: {error}. Publish again with index.") from error

    def row(self, item: int) -> CatalogRow:
        """The image behind an item, which is one of the catalog's."""
        return self.rows([item])[0]

    def rows(self, items: Sequence[int]) -> list[CatalogRow]:
        """The images behind items of the catalog's, at most some thousands, in the items' order."""
        query = f"SELECT item, {self._columns} FROM images WHERE item IN ({', '.join('?' * len(items))})"
        found = {}
        for item, *known, taken, dated_by in self._connection.execute(query, items):
            found[item] = CatalogRow(*(*known, taken and datetime.fromisoformat(taken), dated_by))
        return [found[item] for item in items]

    def item(self, uri: str) -> int | None:
        """Return the item of the image at `uri`, None if it is not indexed.

        Composed and decomposed characters name the same image: a keyboard types the first, and macOS writes the second.
        """
        found = self._connection.execute("SELECT item FROM images WHERE uri = ?", (uri,)).fetchone()
        if not found and not uri.isascii():
            query = "SELECT item FROM images WHERE nfc(uri) = ?"
            found = self._connection.execute(query, (_composed(uri),)).fetchone()
        return found and int(found[0])

    def matching(self, filters: Filters) -> NDArray[np.int64]:
        """All items for which the filters hold, in rising order, int64[m]."""
        conditions, values = _conditions(filters)
        query = f"SELECT item FROM images WHERE {conditions} ORDER BY item"
        return np.fromiter((row[0] for row in self._connection.execute(query, values)), np.int64)

    def by_date(self, items: NDArray[np.int64], oldest_first: bool = False) -> NDArray[np.int64]:
        """Return items of the catalog's in the order of their capture time, the newest first; undated ones last.

        Items of the same time keep their order.
        """
        ranks = self._date_ranks[items]
        return items[np.lexsort((ranks if oldest_first else -ranks, ranks == 0))]

    @cached_property
    def _date_ranks(self) -> NDArray[np.int32]:
        """The place of each image's capture time among all times, from 1 on; 0 without one; int32[images]."""
        ranks = np.zeros(self.images, np.int32)
        query = "SELECT item, dense_rank() OVER (ORDER BY taken) FROM images WHERE taken IS NOT NULL"
        for item, rank in self._connection.execute(query):
            ranks[item] = rank
        return ranks

    def folders(self) -> list[str]:
        """Return every folder that holds an image, in alphabetical order."""
        query = f"SELECT DISTINCT {_FOLDER} AS folder FROM images ORDER BY folder"
        return [folder[1:] for (folder,) in self._connection.execute(query)]

    def without(self, hashes: Iterable[str]) -> set[str]:
        """Those of some images, by SHA-256, that are not indexed."""
        missing = set(hashes)
        for (sha256,) in self._connection.execute("SELECT sha256 FROM images"):
            missing.discard(sha256)
        return missing

    def dated_by_file(self, filters: Filters) -> int:
        """Return how many of the images that match the filters are dated by their file's time."""
        if self._columns != _COLUMNS:
            return 0
        conditions, values = _conditions(filters)
        query = f"SELECT count(*) FROM images WHERE dated_by = 'file' AND {conditions}"
        (count,) = self._connection.execute(query, values).fetchone()
        return int(count)

    def undated(self) -> int:
        """How many images carry no capture time, so that no date filter finds them."""
        (count,) = self._connection.execute("SELECT count(*) FROM images WHERE taken IS NULL").fetchone()
        return int(count)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


def _conditions(filters: Filters) -> tuple[str, list[str]]:
    """Return the SQL condition of some filters, and its parameters."""
    conditions: list[str] = []
    values: list[str] = []
    for text, parts, found in (
        (_FOLDER, filters.folders, ""),
        (_FOLDER, filters.not_folders, "NOT "),
        (_NAME, filters.names, ""),
        (_NAME, filters.not_names, "NOT "),
    ):
        for part in parts:
            # Python folds only what SQLite's lower() cannot: that is 20 times faster for printable ASCII.
            conditions.append(
                f"{found}CASE WHEN uri GLOB '*[^ -_a-~]*' THEN instr(fold({text}), ?) ELSE instr(lower({text}), ?) END"
            )
            values += [part, part]
    if filters.before:
        conditions.append("taken < ?")
        values.append(filters.before.isoformat())
    if filters.after:
        conditions.append("taken >= ?")
        values.append(filters.after.isoformat())
    for formats, found in ((filters.formats, "IN"), (filters.not_formats, "NOT IN")):
        if formats:
            conditions.append(f"format {found} ({', '.join('?' * len(formats))})")
            values.extend(formats)
    return " AND ".join(conditions) or "1", values
