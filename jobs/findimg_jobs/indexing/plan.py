"""Plan a run: decide which images the next version has and which shards must be embedded first.

A plan is written before the work starts and never changed.
"""

import io
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from findimg.errors import LibraryError, ObjectMissingError
from findimg.storage.base import Storage
from findimg_jobs.indexing.records import FolderIdentity, Listing, Sidecar, SourceImage
from findimg_jobs.store.shards import CommittedImages, Shard, make_shards

_FOLDERS = b"findimg.folders"
_SIDECAR = pa.struct([("uri", pa.string()), ("version", pa.string()), ("captions", pa.string())])


@dataclass(frozen=True, slots=True)
class Plan:
    """The images of the next version, and the shards to embed for it."""

    run: str
    images: tuple[SourceImage, ...]  # every image of the sources with a valid name
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
    is_done = committed.is_embedded if retry_failed else committed.is_settled
    to_embed = [image for image in listing.images if not is_done(image)]
    return Plan(run, tuple(listing.images), tuple(make_shards(to_embed, fingerprint, shard_size)), listing.folders)


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
    shard_of = {image: shard.name for shard in plan.shards for image in shard.images}
    table = pa.table(
        {
            "uri": pa.array([image.uri for image in plan.images], pa.string()),
            "version": pa.array([image.version for image in plan.images], pa.string()),
            "shard": pa.array([shard_of.get(image) for image in plan.images], pa.string()),
            "modified": pa.array([image.modified for image in plan.images], pa.float64()),
            "sidecar": pa.array([image.sidecar and asdict(image.sidecar) for image in plan.images], _SIDECAR),
        }
    )
    in_use = folders_above(image.uri for image in plan.images)
    folders = {path: astuple(folder) for path, folder in plan.folders.items() if path in in_use}
    table = table.replace_schema_metadata({_FOLDERS: json.dumps(folders)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    storage.write(_key(plan.run), buffer.getvalue())


def read_images(storage: Storage, run: str) -> list[SourceImage]:
    """Return the images of a run's plan, in URI order.

    Raises:
        LibraryError: the plan is missing or damaged.
    """
    # Plans of older releases have no modification times and no sidecars.
    rows = _open(storage, run).read(["uri", "version", "modified", "sidecar"]).to_pylist()
    for row in rows:
        row["sidecar"] = Sidecar(**row["sidecar"]) if row.get("sidecar") else None
    return [SourceImage(**row) for row in rows]


def read_folders(storage: Storage, run: str) -> dict[str, FolderIdentity]:
    """Return the folders that had images when a run was planned. Plans of older releases have none.

    Raises:
        LibraryError: the plan is missing or damaged.
    """
    metadata = _open(storage, run).schema_arrow.metadata or {}
    return {path: FolderIdentity(*values) for path, values in json.loads(metadata.get(_FOLDERS, b"{}")).items()}


def folders_above(uris: Iterable[str]) -> set[str]:
    """Return the paths of all folders above some images."""
    folders: set[str] = set()
    for uri in uris:
        folder = os.path.dirname(uri)
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


def _open(storage: Storage, run: str) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(io.BytesIO(storage.read(_key(run))))
    except (ObjectMissingError, pa.ArrowException) as error:
        problem = "missing from the library" if isinstance(error, ObjectMissingError) else f"damaged: {error}"
        raise LibraryError(f"The plan of run {run} is {problem}. Run index instead of merge.") from error


def _key(run: str) -> str:
    return f"plans/{run}.parquet"
