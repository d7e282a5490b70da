"""Tables with one row for each image, in Parquet files of this machine that DuckDB compares in bounded memory.

A library's keys need not fit into memory. A table is written once and never changed. All tables of this process share
one database, which holds at most MEMORY of them and sorts and joins larger ones in the temporary folder.
"""

import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from threading import Lock
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from findimg.errors import NotPublishedError
from findimg_jobs.tables.temporary_folders import LockedFolder

MEMORY = "300MB"  # of DuckDB
THREADS = 4  # at most; each needs memory of its own
BATCH = 10_000  # rows that are Python objects at a time
_ROW_GROUP = 100_000  # rows that wait in memory until they are written
_ROW_GROUP_BYTES = 8 << 20  # of rows that wait; several threads write tables at the same time
_SPOOL = 50_000  # rows of a spool that stay in memory
_opening = Lock()


class _Database:
    """DuckDB without tables of its own, and the folder of the files. Both go when the last file goes."""

    def __init__(self) -> None:
        folder = LockedFolder("keys")
        self.folder = str(folder.path)
        self._numbers = count()
        spill = os.path.join(self.folder, "spill")
        self.connection = duckdb.connect(
            config={
                "memory_limit": MEMORY,
                "temp_directory": spill,
                "threads": min(THREADS, os.cpu_count() or 1),
                "preserve_insertion_order": False,
            }
        )
        # Blocks of files that were read, and freed memory, would stay in this process.
        self.connection.execute("SET enable_external_file_cache = false; SET allocator_flush_threshold = '16MB'")
        self._close = weakref.finalize(self, folder.delete)

    def new_path(self) -> str:
        """Return the path of a file that does not exist yet."""
        return os.path.join(self.folder, f"{next(self._numbers)}.parquet")


_open_databases: weakref.WeakSet[_Database] = weakref.WeakSet()


def _database() -> _Database:
    """Return the database of this process."""
    with _opening:
        for database in _open_databases:
            return database
        with _translated_errors():
            database = _Database()
        _open_databases.add(database)
        return database


class DiskTable:
    """One table. Its file is deleted when nothing uses the table any more."""

    def __init__(self) -> None:
        """Reserve a file, which the caller must write."""
        self._database = _database()
        self.path = self._database.new_path()
        self._delete = weakref.finalize(self, _delete, self.path)

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(pq.read_metadata(self.path).num_rows)

    def schema(self) -> pa.Schema:
        """Return the columns and the metadata."""
        return pq.read_schema(self.path)

    def batches(self, columns: list[str] | None = None, rows: int = BATCH) -> Iterator[pa.RecordBatch]:
        """Yield the rows in their order, some of them at a time."""
        with pq.ParquetFile(self.path) as file:
            yield from file.iter_batches(rows, columns=columns)

    def mapped(self, schema: pa.Schema) -> pa.Table:
        """Return a copy of the table that is mapped into memory, so that the system can drop it when it needs room.

        Args:
            schema: names the columns, and their types in the copy.
        """
        path = f"{self.path}.arrow"
        try:
            with _translated_errors(), pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                for batch in self.batches(schema.names):
                    writer.write_table(pa.Table.from_batches([batch]).cast(schema))
            with pa.memory_map(path) as source:
                return pa.ipc.open_file(source).read_all()
        finally:
            _delete(path)  # what is mapped stays until it is dropped


class DiskTableWriter:
    """Writes a table batch by batch."""

    def __init__(self, schema: pa.Schema):
        """Create the file."""
        self._schema = schema
        self._file = DiskTable()
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0
        with _translated_errors():
            self._writer = pq.ParquetWriter(self._file.path, schema, compression="zstd")

    def add(self, table: pa.Table) -> None:
        """Append rows.

        Raises:
            NotPublishedError: the temporary folder has no room.
        """
        self._waiting.append(table)
        self._rows += len(table)
        self._bytes += table.nbytes
        if self._rows >= _ROW_GROUP or self._bytes >= _ROW_GROUP_BYTES:
            self._flush()

    def finish(self) -> DiskTable:
        """Return the table. Nothing can be added afterwards.

        Raises:
            NotPublishedError: the temporary folder has no room.
        """
        self._flush()
        with _translated_errors():
            self._writer.close()
        return self._file

    def _flush(self) -> None:
        if self._waiting:
            with _translated_errors():
                self._writer.write_table(pa.concat_tables(self._waiting).cast(self._schema))
            self._waiting, self._rows, self._bytes = [], 0, 0


class Spool:
    """Rows in the order in which they were added: a few in memory, more of them in a file."""

    def __init__(self, schema: pa.Schema):
        """Hold nothing."""
        self._schema = schema
        self._tables: list[pa.Table] = []
        self._rows = 0
        self._writer: DiskTableWriter | None = None
        self._file: DiskTable | None = None

    def add(self, table: pa.Table) -> None:
        """Append rows. Nothing can be added once rows were read.

        Raises:
            NotPublishedError: the temporary folder has no room.
        """
        assert self._file is None
        if self._writer:
            self._writer.add(table)
            return
        self._tables.append(table)
        self._rows += len(table)
        if self._rows > _SPOOL:
            self._writer = DiskTableWriter(self._schema)
            for each in self._tables:
                self._writer.add(each)
            self._tables = []

    def is_empty(self) -> bool:
        """Return whether there is no row."""
        return not self._rows

    def __iter__(self) -> Iterator[pa.Table]:
        """Yield the rows, some of them at a time."""
        if self._writer and not self._file:
            self._file = self._writer.finish()
        if self._file:
            for batch in self._file.batches():
                yield pa.Table.from_batches([batch])
        else:
            yield from self._tables

    def __reduce__(self) -> tuple[object, ...]:
        """Take all rows along to another process, which may be on another machine."""
        return _spool, (self._schema, list(self))


def _spool(schema: pa.Schema, tables: list[pa.Table]) -> Spool:
    spool = Spool(schema)
    for table in tables:
        spool.add(table)
    return spool


AnyTable: TypeAlias = DiskTable | pa.Table


def write_query(query: str, tables: Mapping[str, AnyTable], metadata: Mapping[str, str] | None = None) -> DiskTable:
    """Write the result of a query, and return it.

    Args:
        query: SQL. It must sort the result if its order matters.
        tables: the tables that the query names.
        metadata: of the file, by key.

    Raises:
        NotPublishedError: the temporary folder has no room.
    """
    written = DiskTable()
    options = "FORMAT parquet, COMPRESSION zstd"
    if metadata:
        pairs = ", ".join(f"{sql_text(key)}: {sql_text(value)}" for key, value in metadata.items())
        options += f", KV_METADATA {{{pairs}}}"
    with _cursor(tables) as cursor:
        cursor.execute(f"COPY ({query}) TO {sql_text(written.path)} ({options})")
    return written


def fetch_query(query: str, tables: Mapping[str, AnyTable]) -> pa.Table:
    """Return the result of a query, which must fit into memory.

    Args:
        query: SQL.
        tables: the tables that the query names.

    Raises:
        NotPublishedError: the temporary folder has no room.
    """
    with _cursor(tables) as cursor:
        return cursor.sql(query).to_arrow_table()


def fetch_number(query: str, tables: Mapping[str, AnyTable]) -> int:
    """Return the number that a query results in; see `fetch_query`."""
    return int(fetch_query(query, tables)[0][0].as_py() or 0)


def sql_text(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


@contextmanager
def _cursor(tables: Mapping[str, AnyTable]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection of its own, which sees the tables."""
    with _translated_errors(), _database().connection.cursor() as cursor:
        for name, table in tables.items():
            if isinstance(table, DiskTable):
                cursor.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({sql_text(table.path)})")
            else:
                cursor.register(name, table)
        yield cursor


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise NotPublishedError(
            f"Temporary files cannot be written to {tempfile.gettempdir()}: {error}. "
            "Free some space there, or name another folder with TMPDIR. Everything embedded so far is kept."
        ) from error
    except RuntimeError as error:
        # At Ctrl-C and at SIGTERM DuckDB raises this, and drops what the signal's handler raised.
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error


def _delete(path: str) -> None:
    if os.path.exists(path):
        os.remove(path)
