"""Tell by their first bytes which objects of a storage without an extension in their names are images.

That costs one small request for each object, so the library remembers the answers (`listing/extensionless_checks.py`).
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pyarrow as pa

from findimg.errors import StorageError
from findimg.images.formats import starts_like_an_image
from findimg.storage.base import open_object
from findimg_jobs.listing.extensionless_checks import EXTENSIONLESS_CHECKS, with_hashed_names
from findimg_jobs.listing.file_types import HEAD
from findimg_jobs.listing.listing import PartialListing
from findimg_jobs.listing.storage_listing import ParallelMap
from findimg_jobs.tables.disk_tables import DiskTable, DiskTableWriter, write_query
from findimg_jobs.tables.image_table import SCHEMA, ImageTable, images_of
from findimg_jobs.tables.source_records import Failure, SourceImage

_log = logging.getLogger(__name__)
_AT_ONCE = 16  # requests of one task
_CHUNK = 500  # objects of one task
_SKIPPED = "not an image: no extension"
_LOOKED_AT = pa.schema([("uri", pa.string()), ("version", pa.string()), ("is_image", pa.bool_())])


def add_extensionless_images(
    objects: ImageTable, known: DiskTable | None, parallel_map: ParallelMap, found: PartialListing
) -> DiskTable | None:
    """Add the images among objects, and count the others. Return all checks, None if there are no objects.

    Args:
        objects: objects without an extension.
        known: the checks that the library remembers.
        parallel_map: looks into the other objects.
        found: receives what is found.
    """
    if not len(objects):
        return None
    before = known or DiskTableWriter(EXTENSIONLESS_CHECKS).finish()
    tables = {"objects": objects.file, "known": before}
    query = f"SELECT objects.*, name, is_image FROM ({with_hashed_names('objects')}) AS objects"
    settled = write_query(f"{query} JOIN known USING (name)", tables)
    for batch in settled.batches([*SCHEMA.names, "is_image"]):
        images = batch.filter(batch["is_image"])
        for image in images_of(images):
            found.add_image(image)
        found.skipped[_SKIPPED] += len(batch) - len(images)
    rest = ImageTable.select(f"FROM ({with_hashed_names('objects')}) AS objects ANTI JOIN known USING (name)", **tables)
    looked_at = write_query(
        f"SELECT name, is_image FROM ({with_hashed_names('fresh')})", {"fresh": _check_all(rest, parallel_map, found)}
    )
    query = "SELECT name, is_image FROM settled UNION ALL SELECT name, is_image FROM looked_at ORDER BY name"
    return write_query(query, {"settled": settled, "looked_at": looked_at})


def _check_all(objects: ImageTable, parallel_map: ParallelMap, found: PartialListing) -> DiskTable:
    """Add the images among objects, and return whether each one is an image. Unreadable ones are left out."""
    if len(objects):
        _log.info("%d objects without an extension cost one request each.", len(objects))
    checks = DiskTableWriter(_LOOKED_AT)
    for part in parallel_map(_check_contents, _chunks(objects)):
        rows = []
        for image, answer in part:
            if isinstance(answer, str):
                found.failures.append(Failure(image.uri, image.etag, answer, transient=True))
                continue
            rows.append({"uri": image.uri, "version": image.etag, "is_image": answer})
            if answer:
                found.add_image(image)
            else:
                found.skipped[_SKIPPED] += 1
        checks.add(pa.Table.from_pylist(rows, _LOOKED_AT))
    return checks.finish()


def _chunks(objects: ImageTable) -> Iterator[tuple[SourceImage, ...]]:
    rest = iter(objects)
    while chunk := tuple(islice(rest, _CHUNK)):
        yield chunk


def _check_contents(objects: Sequence[SourceImage]) -> list[tuple[SourceImage, bool | str]]:
    """Return for each object whether it is an image, or why it cannot be read."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(zip(objects, pool.map(_is_image, objects), strict=True))


def _is_image(image: SourceImage) -> bool | str:
    storage, key = open_object(image.uri)
    try:
        return starts_like_an_image(storage.read_start(key, HEAD))
    except StorageError as error:
        return str(error).replace(image.uri, "The object", 1).replace(image.uri, "the object")
