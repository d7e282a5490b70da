"""Copy the bot's state into another database, for example from SQLite to PostgreSQL."""

from pathlib import Path

from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore
from sqlalchemy import Connection, MetaData, Table, inspect, select

from findimg.errors import SettingsError
from findimg_bot.state.database import Database
from findimg_bot.state.tables import catch_ups, events, picture_changes, picture_channels, questions, thumbnails

_ROWS = 500  # at a time

_slack_tables = MetaData()
_bots = SQLAlchemyInstallationStore.build_bots_table(_slack_tables, SQLAlchemyInstallationStore.default_bots_table_name)
_installations = SQLAlchemyInstallationStore.build_installations_table(
    _slack_tables, SQLAlchemyInstallationStore.default_installations_table_name
)
_TABLES = (
    questions,
    thumbnails,
    events,
    picture_changes,
    picture_channels,
    catch_ups,
    _bots,
    _installations,
)


def copy_state(source: str, target: str) -> dict[str, int]:
    """Copy everything but leases and unanswered requests. Tokens stay encrypted with the same key.

    Args:
        source: path of a SQLite file, or postgresql://USER@HOST/DATABASE.
        target: likewise. It must hold no questions, thumbnails and installations.

    Returns:
        The number of copied rows by table.

    Raises:
        SettingsError: the source does not exist, or the target is not empty. Nothing was copied.
        StorageError: a database failed. Nothing was copied.
    """
    if "://" not in source and not Path(source).expanduser().is_file():
        raise SettingsError(f"There is no state {source}. Name the file or the address of the state to copy.")
    old = Database(source)
    try:
        new = Database(target)
        try:
            new.create_tables(_slack_tables)
            present = set(inspect(old.engine).get_table_names())
            tables = [table for table in _TABLES if table.name in present]
            return new.run(lambda writing: old.run(lambda reading: _copy(reading, writing, tables, new.name)))
        finally:
            new.close()
    finally:
        old.close()


def _copy(reading: Connection, writing: Connection, tables: list[Table], target: str) -> dict[str, int]:
    for table in (questions, thumbnails, _bots, _installations):
        if writing.execute(select(table).limit(1)).first() is not None:
            raise SettingsError(f"The state {target} is not empty. Name a new database with --state.")
    return {table.name: _copy_rows(reading, writing, table) for table in tables}


def _copy_rows(reading: Connection, writing: Connection, table: Table) -> int:
    count = 0
    # The new database numbers the rows of the installations.
    columns = [column for column in table.columns if column is not table.autoincrement_column]
    for rows in reading.execute(select(*columns)).mappings().partitions(_ROWS):
        writing.execute(table.insert(), [dict(row) for row in rows])
        count += len(rows)
    return count
