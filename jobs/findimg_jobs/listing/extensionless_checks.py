"""Remember which objects without an extension in their names are images, judged by their first bytes.

The library keeps the checks of its last run in `nameless/<run>.parquet`. An object is named by a hash of its
address and its etag, because a file name can contain a person's name.
"""

from pathlib import Path

import duckdb
import pyarrow as pa

from findimg.errors import NotPublishedError, ObjectMissingError
from findimg.storage.base import Storage
from findimg_jobs.tables.disk_tables import DiskTable, fetch_number

EXTENSIONLESS_CHECKS = pa.schema([("name", pa.string()), ("is_image", pa.bool_())])
_FOLDER = "nameless"


def with_hashed_names(table: str) -> str:
    """Return a query that adds the column `name` to a table with the columns uri and version."""
    return f"SELECT *, left(sha256(uri || chr(10) || version), 32) AS name FROM {table}"


def read_extensionless_checks(storage: Storage) -> DiskTable | None:
    """Return the checks that the library remembers, with the columns of EXTENSIONLESS_CHECKS. None without.

    Damaged ones are left out, so that the objects are looked into again.

    Raises:
        StorageError: the library cannot be read.
    """
    key = max((entry.key for entry in storage.list(_FOLDER)), default=None)
    if key is None:
        return None
    file = DiskTable()
    try:
        storage.fetch(key, Path(file.path))
        fetch_number("SELECT sum(length(name) + is_image::INT) FROM checks", {"checks": file})
    except (ObjectMissingError, NotPublishedError, duckdb.Error, ValueError):
        return None
    return file


def write_extensionless_checks(storage: Storage, run: str, checks: DiskTable) -> None:
    """Remember checks instead of those from before.

    Args:
        storage: the library.
        run: the run that found them.
        checks: with the columns of EXTENSIONLESS_CHECKS.

    Raises:
        StorageError: the library cannot be written.
    """
    before = [entry.key for entry in storage.list(_FOLDER)]
    storage.upload(Path(checks.path), f"{_FOLDER}/{run}.parquet")
    for key in before:
        storage.delete(key)
