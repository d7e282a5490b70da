"""Open the database of the bot's state: a SQLite file, or PostgreSQL for bots on several machines."""

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from sqlite3 import SQLITE_BUSY
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import URL, ColumnElement, Connection, MetaData, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from findimg.errors import SettingsError, StorageError

_TIMEOUT = 10.0  # seconds to wait for another process, a free connection, or a server that restarts
_CONNECTIONS = 10  # to PostgreSQL at most
_PAUSE = 0.1  # seconds between two attempts
_LOCK = 0x66696E64  # of PostgreSQL, held while tables are created or changed
_POSTGRESQL = "postgresql+psycopg"
_TRANSIENT = (OperationalError, InterfaceError, PoolTimeout)
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Database:
    """The opened database. Safe to use from several threads.

    Attributes:
        name: the address without a password.
        engine: for queries that do not use `run`.
    """

    def __init__(self, address: str | Path):
        """Open the database, and create or update its tables.

        Args:
            address: path of a SQLite file, which is created if it does not exist, or postgresql://USER@HOST/DATABASE.

        Raises:
            SettingsError: the database cannot be opened, or is from a newer release.
        """
        url = _url(str(address))
        self.name = url.render_as_string() if url.drivername == _POSTGRESQL else str(url.database)
        self._is_server = url.drivername == _POSTGRESQL
        self._advice = "Check the server and --state." if self._is_server else "Name another file with --state."
        try:
            self.engine = _open_server(url) if self._is_server else _open_file(url)
            self._repeat(lambda: self._change_tables(_upgrade))
        except (OSError, SQLAlchemyError, UnicodeError) as error:
            raise SettingsError(f"Cannot open the bot's state {self.name}: {_reason(error)}. {self._advice}") from error
        except CommandError as error:
            raise SettingsError(
                f"The bot's state {self.name} was written by a newer findimg. Update findimg, or name another state "
                "with --state."
            ) from error

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction, and return its result.

        If the connection to a server fails, `work` is repeated for some seconds. It may then have been done already.

        Raises:
            StorageError: the database cannot be reached or written.
        """

        def transaction() -> T:
            with self.engine.begin() as connection:
                return work(connection)

        return self.retry(transaction)

    def retry(self, work: Callable[[], T]) -> T:
        """Call `work`, which uses the engine, and return its result. It is repeated as by `run`.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        try:
            return self._repeat(work)
        except SQLAlchemyError as error:
            raise StorageError(
                f"Cannot use the bot's state {self.name}: {_reason(error)}. Check the database and try again."
            ) from error

    def create_tables(self, tables: MetaData) -> None:
        """Create the tables of another library that do not exist.

        Raises:
            StorageError: the database cannot be reached or written.
        """
        self.retry(lambda: self._change_tables(tables.create_all))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _change_tables(self, work: Callable[[Connection], None]) -> None:
        """Do `work` in a transaction, while no other process changes tables."""
        if self._is_server:
            with self.engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                work(connection)
            return
        # The driver begins a transaction only before a change of rows.
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("BEGIN IMMEDIATE"))
            try:
                work(connection)
            except BaseException:
                connection.execute(text("ROLLBACK"))
                raise
            connection.execute(text("COMMIT"))

    def _repeat(self, work: Callable[[], T]) -> T:
        end = time.monotonic() + _TIMEOUT
        while True:
            try:
                return work()
            except _TRANSIENT as error:
                if time.monotonic() > end or not (self._is_server or _is_busy(error)):
                    raise
                time.sleep(_PAUSE)


def _url(address: str) -> URL:
    if "://" not in address:
        return URL.create("sqlite", database=str(Path(address).expanduser()))
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise SettingsError(
            "FINDIMG_STATE is not a valid address. Write postgresql://USER@HOST/DATABASE or the path of a file."
        ) from error
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise SettingsError(
            f"The bot's state cannot be a {url.drivername} database. Write postgresql://USER@HOST/DATABASE or the path "
            "of a file."
        )
    return url.set(drivername=_POSTGRESQL)


def _open_file(url: URL) -> Engine:
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only the owner may read what people ask.
    path.touch(mode=0o600)
    # With one connection, the threads of a process wait for each other in order.
    engine = create_engine(
        url, pool_size=1, max_overflow=0, pool_timeout=2 * _TIMEOUT, connect_args={"timeout": _TIMEOUT}
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: sqlite3.Connection, _: object) -> None:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")

    return engine


def _open_server(url: URL) -> Engine:
    try:
        return create_engine(
            url,
            pool_size=_CONNECTIONS,
            max_overflow=0,
            pool_timeout=_TIMEOUT,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5, "application_name": "findimg-bot"},
        )
    except ModuleNotFoundError as error:
        raise SettingsError(
            "A state in PostgreSQL needs the extra postgres. Run pip install 'findimg[bot,postgres]'."
        ) from error


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "findimg_bot.state:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_busy(error: SQLAlchemyError) -> bool:
    """Return whether another process holds the lock of a SQLite file, for example while both create it."""
    return getattr(getattr(error, "orig", None), "sqlite_errorcode", None) == SQLITE_BUSY


def _reason(error: Exception) -> str:
    """Return the first line of the driver's message, without the statement that failed."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def insert_row(
    connection: Connection,
    table: Table,
    row: dict[str, Any],
    replace: Sequence[str] = (),
    condition: ColumnElement[bool] | None = None,
) -> bool:
    """Insert a row unless its key exists, and return whether it was inserted or replaced.

    Args:
        replace: columns that are set in an existing row.
        condition: which existing rows are replaced. None is all.
    """
    if not replace:
        return bool(insert_rows(connection, table, [row]))
    insert = _insert(connection, table)
    statement = insert.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: insert.excluded[name] for name in replace},
        where=condition,
    )
    return connection.execute(statement.returning(*table.primary_key), row).first() is not None


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Insert the rows whose key does not exist with few statements, and return the keys of the inserted ones."""
    if not rows:
        return []
    statement = _insert(connection, table).on_conflict_do_nothing().returning(*table.primary_key)
    return [tuple(key) for key in connection.execute(statement, [dict(row) for row in rows])]


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
