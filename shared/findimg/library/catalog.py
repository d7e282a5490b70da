"""The catalog of a segment: row i of the table is row i of the segment's arrays. It also answers filters."""

import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.images.facts import FACT_COLUMNS, ImageFacts
from findimg.library.catalog_filters import FOLDER, Filters, fold, sql_condition

# What an image's date is from: the camera's metadata, the file's name, or the file's modification time.
DateSource: TypeAlias = Literal["camera", "name", "file"]


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """What is known about one indexed image."""

    uri: str
    etag: str  # of the image when it was embedded; the column is called `version`
    sha256: str  # hex
    facts: ImageFacts  # `taken` may be from another source, see `dated_by`. Facts without a column are None.
    dated_by: DateSource | None = None  # None without a date, and in catalogs of older releases


UNDATED = np.iinfo(np.int64).min  # time of an image without a date
_FACTS = [column for column in FACT_COLUMNS if column.catalog_type]
_FACT_NAMES = [column.name for column in _FACTS]
_TIMES = [place for place, column in enumerate(_FACTS) if column.store_type.startswith("timestamp")]
_COLUMNS = ["uri", "version", "sha256", *_FACT_NAMES, "dated_by"]


def added_columns() -> list[str]:
    """Return the catalog's columns of facts that older releases do not have. They are declared in `ImageFacts`."""
    return [f"{column.name} {column.catalog_type}" for column in _FACTS if column.added]


def write_catalog(path: Path, rows: Iterable[CatalogRow]) -> None:
    """Write a catalog. Equal rows give equal bytes.

    Args:
        path: the file, which does not exist yet.
        rows: the rows of item 0, item 1 and so on, with different URIs.
    """
    facts = ", ".join(f"{column.name} {column.catalog_type}" for column in _FACTS)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE images (item INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, version TEXT NOT NULL,"
            f" sha256 TEXT NOT NULL, {facts}, dated_by TEXT) STRICT;"
        )
        connection.executemany(
            f"INSERT INTO images (item, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})",
            (
                (item, row.uri, row.etag, row.sha256, *_stored_facts(row.facts), row.dated_by)
                for item, row in enumerate(rows)
            ),
        )
        connection.commit()
        connection.executescript("CREATE INDEX taken ON images (taken); CREATE INDEX format ON images (format);")


def _stored_facts(facts: ImageFacts) -> Iterator[object]:
    """Yield the values of the columns of facts."""
    for column in _FACTS:
        value = getattr(facts, column.name)
        yield value.isoformat(" ") if isinstance(value, datetime) else value


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


class Catalog:
    """A catalog opened for reading. Several threads may use it at the same time."""

    def __init__(self, path: Path):
        """Open the file.

        Raises:
            LibraryError: the file is no catalog.
        """
        # Nobody writes to a published segment. `immutable` avoids locks, and works on read-only disks.
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._connection.create_function("fold", 1, fold, deterministic=True)
            self._connection.create_function("nfc", 1, _composed, deterministic=True)
            self._connection.execute(f"PRAGMA mmap_size = {path.stat().st_size}")
            (self.images,) = self._connection.execute("SELECT count(*) FROM images").fetchone()
            names = {name for _, name, *_ in self._connection.execute("PRAGMA table_info(images)")}
            if missing := [f"NULL AS {name}" for name in _COLUMNS if name not in names]:
                # An older release wrote the catalog. The view has the same name as the table and hides it.
                self._connection.execute(f"CREATE TEMP VIEW images AS SELECT *, {', '.join(missing)} FROM main.images")
        except sqlite3.DatabaseError as error:
            raise LibraryError(f"{path} cannot be opened as a catalog: {error}. Publish again with index.") from error

    def row(self, item: int) -> CatalogRow:
        """Return the image behind an item of the catalog."""
        return self.rows([item])[0]

    def rows(self, items: Sequence[int]) -> list[CatalogRow]:
        """Return the images behind at most some thousand items of the catalog, in the items' order."""
        query = f"SELECT item, {', '.join(_COLUMNS)} FROM images WHERE item IN ({', '.join('?' * len(items))})"
        found = {}
        for item, uri, etag, sha256, *values, dated_by in self._connection.execute(query, items):
            for place in _TIMES:
                values[place] = values[place] and datetime.fromisoformat(values[place])
            facts = ImageFacts(**dict(zip(_FACT_NAMES, values, strict=True)))
            found[item] = CatalogRow(uri, etag, sha256, facts, dated_by)
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
        """Return all items that match the filters, in ascending order, int64[m]."""
        conditions, values = sql_condition(filters)
        query = f"SELECT item FROM images WHERE {conditions} ORDER BY item"
        return np.fromiter((row[0] for row in self._connection.execute(query, values)), np.int64)

    def times(self) -> NDArray[np.int64]:
        """Return each image's date in seconds, by `dated_by`, UNDATED without one, int64[images]."""
        times = np.full(self.images, UNDATED, np.int64)
        query = "SELECT item, unixepoch(taken) FROM images WHERE taken IS NOT NULL"
        for item, time in self._connection.execute(query):
            times[item] = time
        return times

    def folders(self, without: NDArray[np.int64]) -> set[str]:
        """Return every folder that holds an image.

        Args:
            without: int64[d], items that do not count.
        """
        if not len(without):
            return {folder[1:] for (folder,) in self._connection.execute(f"SELECT DISTINCT {FOLDER} FROM images")}
        left_out = set(without.tolist())
        found = self._connection.execute(f"SELECT item, {FOLDER} FROM images")
        return {folder[1:] for item, folder in found if item not in left_out}

    def starting_with(self, prefix: str) -> Iterator[tuple[int, str]]:
        """Yield the item and the URI of every image whose URI starts with `prefix`."""
        query = "SELECT item, uri FROM images WHERE uri >= ? AND uri < ?"
        yield from self._connection.execute(query, (prefix, prefix + chr(0x10FFFF)))

    def hashes(self) -> Iterator[tuple[int, str]]:
        """Yield the item and the SHA-256 of every image."""
        yield from self._connection.execute("SELECT item, sha256 FROM images")

    def dated_by_file(self, filters: Filters) -> NDArray[np.int64]:
        """Return the items that match the filters and are dated by their file's time, int64[m]."""
        conditions, values = sql_condition(filters)
        query = f"SELECT item FROM images WHERE dated_by = 'file' AND {conditions}"
        return np.fromiter((row[0] for row in self._connection.execute(query, values)), np.int64)

    def undated(self) -> NDArray[np.int64]:
        """Return the items of images without a date, which no date filter finds, int64[m]."""
        query = "SELECT item FROM images WHERE taken IS NULL"
        return np.fromiter((row[0] for row in self._connection.execute(query)), np.int64)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
