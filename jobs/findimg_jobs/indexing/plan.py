"""Plans: what a run sets out to do, written before it starts and never changed."""

import io
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from findimg.errors import LibraryError, ObjectMissingError
from findimg.storage.base import Storage
from findimg_jobs.indexing.sources import Listing, SourceImage
from findimg_jobs.store.shards import CommittedImages, Shard, make_shards


@dataclass(frozen=True, slots=True)
class Plan:
    """The images that a run wants in the next version, and the shards it must embed for that."""

    run: str
    images: tuple[SourceImage, ...]  # all that the sources hold and that can be named
    shards: tuple[Shard, ...]  # those of the images that are not settled yet


def make_plan(
    run: str, listing: Listing, known: CommittedImages, fingerprint: str, shard_size: int, retry_failed: bool = False
) -> Plan:
    """Compares a listing with what is committed; only new and changed images are to be embedded.

    Args:
        shard_size: images in a full shard.
        retry_failed: images that are broken are to be tried again, although they did not change.
    """
    done = known.embedded if retry_failed else known.settled
    todo = [image for image in listing.images if not done(image)]
    return Plan(run, tuple(listing.images), tuple(make_shards(todo, fingerprint, shard_size)))


def write_plan(storage: Storage, plan: Plan) -> None:
    """Writes `plans/<run>.parquet`: a row per image, with its shard, or none when it is committed already."""
    shard_of = {image: shard.name for shard in plan.shards for image in shard.images}
    table = pa.table(
        {
            "uri": pa.array([image.uri for image in plan.images], pa.string()),
            "version": pa.array([image.version for image in plan.images], pa.string()),
            "shard": pa.array([shard_of.get(image) for image in plan.images], pa.string()),
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    storage.write(_key(plan.run), buffer.getvalue())


def read_images(storage: Storage, run: str) -> list[SourceImage]:
    """The images that a run's plan names, in URI order.

    Raises:
        LibraryError: the plan is gone or damaged.
    """
    try:
        table = pq.read_table(io.BytesIO(storage.read(_key(run))), columns=["uri", "version"])
    except (ObjectMissingError, pa.ArrowException) as error:
        problem = "gone from the library" if isinstance(error, ObjectMissingError) else f"damaged: {error}"
        raise LibraryError(f"The plan of run {run} is {problem}; run index instead of merge.") from error
    return [SourceImage(row["uri"], row["version"]) for row in table.to_pylist()]


def planned_runs(storage: Storage) -> set[str]:
    """The runs whose plans are there."""
    return {PurePosixPath(entry.key).stem for entry in storage.list("plans")}


def last_run(storage: Storage) -> str | None:
    """The run that planned last."""
    return max(planned_runs(storage), default=None)


def delete_plan(storage: Storage, run: str) -> None:
    """Removes a run's plan."""
    storage.delete(_key(run))


def _key(run: str) -> str:
    return f"plans/{run}.parquet"
