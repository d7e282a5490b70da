"""Plan a run: decide which images the next version has and which shards must be embedded first.

A plan is written before the work starts and never changed.
"""

import json
import os
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pyarrow as pa

from findimg.errors import LibraryError, ObjectMissingError
from findimg.storage.base import Storage
from findimg_jobs.keys.image_table import SCHEMA, ImageTable
from findimg_jobs.keys.key_files import KeyFile, write_query
from findimg_jobs.keys.listing import Listing
from findimg_jobs.keys.records import FolderIdentity, SourceImage
from findimg_jobs.store.committed import CommittedImages
from findimg_jobs.store.shards import Shard, make_shards

_FOLDERS = "findimg.folders"


@dataclass(frozen=True, slots=True)
class Plan:
    """The images of the next version, and the shards to embed for it."""

    run: str
    images: ImageTable  # every image of the sources with a valid name
    shards: tuple[Shard, ...]  # the images that are not embedded yet
    folders: Mapping[str, FolderIdentity] = field(default_factory=dict)  # folders of this machine, by path


@dataclass(frozen=True, slots=True)
class SharedWork:
    """The shards of two encoders, divided by who needs their images."""

    both: Sequence[Shard]  # named after the first encoder
    first: Sequence[Shard]
    second: Sequence[Shard]


def new_run_id() -> str:
    """Return a new run's name. Names sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(2)}"


def make_plan(
    run: str,
    listing: Listing,
    committed: CommittedImages,
    fingerprint: str,
    shard_size: int,
    retry_failed: bool = False,
) -> Plan:
    """Return the plan of a run. Only new and changed images are to be embedded.

    Args:
        run: the run's name.
        listing: the images of the sources.
        committed: everything that is committed for the fingerprint.
        fingerprint: names the backbone's weights and preprocessing.
        shard_size: images in a full shard.
        retry_failed: also plan the broken images that did not change.
    """
    to_embed = committed.to_embed(listing.images, retry_failed)
    return Plan(run, listing.images, tuple(make_shards(to_embed, fingerprint, shard_size)), listing.folders)


def share_work(first: Sequence[Shard], second: Sequence[Shard], fingerprints: tuple[str, str], size: int) -> SharedWork:
    """Divide the shards of two encoders into those of common images and the rest.

    Args:
        first: what the first encoder is to embed.
        second: what the second encoder is to embed.
        fingerprints: of the two encoders.
        size: images in a full shard.
    """
    mine, other = _images(first), _images(second)
    common = mine.keys() & other.keys()
    if len(common) == len(mine) == len(other):
        return SharedWork(first, (), ())
    return SharedWork(
        make_shards((mine[key] for key in common), fingerprints[0], size),
        make_shards((image for key, image in mine.items() if key not in common), fingerprints[0], size),
        make_shards((image for key, image in other.items() if key not in common), fingerprints[1], size),
    )


def write_plan(storage: Storage, plan: Plan) -> None:
    """Write `plans/<run>.parquet`: one row per image, with the shard to embed it in, if any.

    The file's metadata holds the folders that have images.
    """
    in_use = folders_above(plan.images)
    folders = {path: astuple(folder) for path, folder in plan.folders.items() if path in in_use}
    planned = [(image.uri, shard.name) for shard in plan.shards for image in shard.images]
    shard_of = pa.table(
        {
            "uri": pa.array([uri for uri, _ in planned], pa.string()),
            "shard": pa.array([shard for _, shard in planned], pa.string()),
        }
    )
    written = write_query(
        "SELECT uri, version, shard, modified, sidecar FROM images LEFT JOIN shard_of USING (uri) ORDER BY uri",
        {"images": plan.images.file, "shard_of": shard_of},
        {_FOLDERS: json.dumps(folders)},
    )
    storage.upload(Path(written.path), _key(plan.run))


def read_images(storage: Storage, run: str) -> ImageTable:
    """Return the images of a run's plan.

    Raises:
        LibraryError: the plan is missing or damaged.
    """
    file = _fetch(storage, run)
    with _translated_errors(run):
        deque(file.batches(), maxlen=0)  # a damaged row is found now
    names = file.schema().names
    if set(SCHEMA.names) <= set(names):
        return ImageTable(file)
    # Plans of older releases have no sidecars, and some have no modification times.
    modified = "modified" if "modified" in names else "NULL::DOUBLE AS modified"
    sidecar = "NULL::STRUCT(uri VARCHAR, version VARCHAR, captions VARCHAR) AS sidecar"
    return ImageTable.select(f"SELECT uri, version, {modified}, {sidecar} FROM plan", plan=file)


def read_folders(storage: Storage, run: str) -> dict[str, FolderIdentity]:
    """Return the folders that had images when a run was planned. Plans of older releases have none.

    Raises:
        LibraryError: the plan is missing or damaged.
    """
    metadata = _fetch(storage, run).schema().metadata or {}
    folders = json.loads(metadata.get(_FOLDERS.encode(), b"{}"))
    return {path: FolderIdentity(*values) for path, values in folders.items()}


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


def _images(shards: Iterable[Shard]) -> dict[tuple[str, str], SourceImage]:
    return {(image.uri, image.version): image for shard in shards for image in shard.images}


def _fetch(storage: Storage, run: str) -> KeyFile:
    """Return a copy of a plan on this machine.

    Raises:
        LibraryError: the plan is missing or damaged.
    """
    file = KeyFile()
    with _translated_errors(run):
        storage.fetch(_key(run), Path(file.path))
        file.schema()
    return file


@contextmanager
def _translated_errors(run: str) -> Iterator[None]:
    try:
        yield
    except (ObjectMissingError, pa.ArrowException) as error:
        problem = "missing from the library" if isinstance(error, ObjectMissingError) else f"damaged: {error}"
        raise LibraryError(f"The plan of run {run} is {problem}. Run index instead of merge.") from error


def _key(run: str) -> str:
    return f"plans/{run}.parquet"
