"""The plan of a run: which images the next version has.

A run writes its plan before the work starts. It writes the plan again if other processes publish meanwhile, see
`indexing/published_changes.py`. The plan of a published version is never changed.
"""

import json
import os
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import duckdb
import pyarrow as pa

from findimg.errors import LibraryError, NotPublishedError, ObjectMissingError
from findimg.storage.base import Storage
from findimg_jobs.store.committed_images import CommittedImages
from findimg_jobs.tables.disk_tables import DiskTable, write_query
from findimg_jobs.tables.image_table import COLUMNS, SCHEMA, ImageTable
from findimg_jobs.tables.source_records import FolderIdentity

_FOLDERS = "findimg.folders"


@dataclass(frozen=True, slots=True)
class Plan:
    """The images of the next version."""

    run: str
    images: ImageTable  # every image of the sources with a valid name
    folders: Mapping[str, FolderIdentity] = field(default_factory=dict)  # folders of this machine, by path


def new_run_id() -> str:
    """Return a new run's name. Names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(2)}"


def write_plan(storage: Storage, plan: Plan) -> None:
    """Write `plans/<run>.parquet`: one row per image. The file's metadata holds the folders that have images."""
    in_use = folders_above(plan.images) if plan.folders else frozenset()
    folders = {path: astuple(folder) for path, folder in plan.folders.items() if path in in_use}
    written = write_query(
        f"SELECT {COLUMNS} FROM images ORDER BY uri", {"images": plan.images.file}, {_FOLDERS: json.dumps(folders)}
    )
    storage.upload(Path(written.path), _key(plan.run))


def read_plan(storage: Storage, run: str, committed: CommittedImages | None = None) -> Plan:
    """Return a plan that was written.

    Args:
        storage: the library.
        run: the run that wrote it.
        committed: leave out images that are not embedded there. None for all images.

    Raises:
        LibraryError: the plan is missing or damaged.
    """
    file = DiskTable()
    with _translated_errors(run):
        storage.fetch(_key(run), Path(file.path))
        schema = file.schema()
        images = _images(file, schema.names)
        if committed:
            try:
                images = committed.select_embedded(images)  # reads all rows, so that a damaged one is found
            except NotPublishedError:
                _check_rows(file)  # DuckDB cannot tell a damaged file from a temporary folder that cannot be read
                raise
        else:
            _check_rows(file)
        folders = json.loads((schema.metadata or {}).get(_FOLDERS.encode(), b"{}"))
    # Plans of older releases have no folders.
    return Plan(run, images, folders={path: FolderIdentity(*values) for path, values in folders.items()})


def read_planned_images(storage: Storage, run: str) -> ImageTable:
    """Return the images of a run's plan.

    Raises:
        LibraryError: the plan is missing or damaged.
    """
    return read_plan(storage, run).images


def folders_above(images: ImageTable) -> set[str]:
    """Return the paths of all folders above some images."""
    folders: set[str] = set()
    for holding in images.folders():
        folder = os.path.dirname(f"{holding}/image")
        while folder not in folders and folder:
            folders.add(folder)
            folder = os.path.dirname(folder)
    return folders


def planned_runs(storage: Storage) -> set[str]:
    """Return the runs that have a plan."""
    return {PurePosixPath(entry.key).stem for entry in storage.list("plans")}


def last_run(storage: Storage) -> str | None:
    """Return the newest run that has a plan."""
    return max(planned_runs(storage), default=None)


def delete_plan(storage: Storage, run: str) -> None:
    """Delete a run's plan."""
    storage.delete(_key(run))


def _check_rows(file: DiskTable) -> None:
    """Read all rows, so that a damaged one raises an error."""
    deque(file.batches(), maxlen=0)


def _images(file: DiskTable, columns: list[str]) -> ImageTable:
    if set(SCHEMA.names) <= set(columns):
        return ImageTable(file)
    # Plans of older releases have no sidecars, and some have no modification times.
    modified = "modified" if "modified" in columns else "NULL::DOUBLE AS modified"
    sidecar = "NULL::STRUCT(uri VARCHAR, version VARCHAR, captions VARCHAR) AS sidecar"
    return ImageTable.select(f"SELECT uri, version, {modified}, {sidecar} FROM plan", plan=file)


@contextmanager
def _translated_errors(run: str) -> Iterator[None]:
    try:
        yield
    except (ObjectMissingError, pa.ArrowException, duckdb.Error, OSError, ValueError) as error:
        # Arrow raises an OSError without a number for pages that it cannot decompress.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        problem = "missing from the library" if isinstance(error, ObjectMissingError) else f"damaged: {error}"
        raise LibraryError(f"The plan of run {run} is {problem}. Run findimg-jobs index.") from error


def _key(run: str) -> str:
    return f"plans/{run}.parquet"
