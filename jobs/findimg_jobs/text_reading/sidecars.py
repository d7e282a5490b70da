"""XMP sidecars: files beside an image with its captions, `IMG.jpg.xmp` or `IMG.xmp`.

The plan of a run keeps their captions, so that a run reads only new and changed sidecars.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa

from findimg.errors import StorageError
from findimg.images.captions import SIDECAR_BYTES, read_sidecar
from findimg.storage.base import read_uri
from findimg_jobs.tables.disk_tables import AnyTable, DiskTable, DiskTableWriter, fetch_number, write_query
from findimg_jobs.tables.image_table import SIDECAR, ImageTable
from findimg_jobs.tables.source_records import Sidecar

SUFFIX = ".xmp"
_READERS = 16  # sidecars that are read at the same time
_AT_ONCE = 1000  # sidecars whose captions are Python objects
_log = logging.getLogger(__name__)


_LISTED_AND_KNOWN = """
    WITH listed AS (
        SELECT DISTINCT sidecar.uri AS uri, sidecar.version AS version FROM images WHERE sidecar.uri IS NOT NULL
    ), known AS (
        SELECT sidecar.uri AS uri, max(sidecar.version) AS version, max(sidecar.captions) AS captions
        FROM before WHERE sidecar.uri IS NOT NULL GROUP BY sidecar.uri
    )
"""
_CHANGED = """
    SELECT listed.uri, listed.version, captions FROM listed LEFT JOIN known USING (uri)
    WHERE known.version IS DISTINCT FROM listed.version
"""


def is_sidecar(name: str) -> bool:
    """Return whether a file with this name may be a sidecar."""
    return name[-len(SUFFIX) :].lower() == SUFFIX


def with_sidecars(images: ImageTable, sidecars: ImageTable) -> ImageTable:
    """Return images with their sidecars, which are not read yet.

    Args:
        images: as they were listed.
        sidecars: the files that `is_sidecar` accepts, with their versions.
    """
    if not len(sidecars):
        return images
    # A sidecar is named after the image's name, or after the name without its extension.
    query = f"""
        WITH named AS (
            SELECT
                left(uri, length(uri) - {len(SUFFIX)}) AS image,
                max(struct_pack(uri := uri, version := version, captions := '')) AS file
            FROM sidecars GROUP BY image
        )
        SELECT
            images.uri, images.version, modified, coalesce(
                CASE WHEN by_name.file.uri IS NOT NULL THEN by_name.file END,
                CASE WHEN by_stem.file.uri IS NOT NULL THEN by_stem.file END
            ) AS sidecar
        FROM images
        LEFT JOIN named AS by_name ON images.uri = by_name.image
        LEFT JOIN named AS by_stem ON regexp_replace(images.uri, '([^/])[.][^./]*$', '\\1') = by_stem.image
    """
    return ImageTable.select(query, images=images, sidecars=sidecars)


def read_captions_beside(images: ImageTable, before: ImageTable) -> ImageTable:
    """Return images with the captions of their sidecars.

    A sidecar that cannot be read keeps its captions of the run before, and the next run reads it again.

    Args:
        images: with their sidecars.
        before: the images of the live version, whose sidecars were read.
    """
    tables = {"images": images.file, "before": before.file}
    if not fetch_number("SELECT count(sidecar.uri) FROM images", tables):
        return images
    query = f"""
        {_LISTED_AND_KNOWN}
        SELECT
            images.uri, images.version, modified,
            CASE WHEN sidecar.uri IS NOT NULL THEN struct_pack(
                uri := sidecar.uri,
                version := coalesce(fresh.file.version, sidecar.version),
                captions := coalesce(fresh.file.captions, known.captions, '')
            ) END AS sidecar
        FROM images LEFT JOIN fresh ON sidecar.uri = fresh.file.uri LEFT JOIN known ON sidecar.uri = known.uri
    """
    return ImageTable.select(query, fresh=_read_changed(tables), images=images, before=before)


def _read_changed(tables: Mapping[str, AnyTable]) -> DiskTable:
    """Return the new and changed sidecars with their captions, in the column `file`."""
    fresh = DiskTableWriter(pa.schema([("file", SIDECAR)]))
    with ThreadPoolExecutor(_READERS) as readers:
        for batch in write_query(f"{_LISTED_AND_KNOWN} {_CHANGED}", tables).batches(rows=_AT_ONCE):
            rows = batch.to_pylist()
            read = readers.map(_read, [Sidecar(row["uri"], row["version"]) for row in rows])
            files = [
                (sidecar.uri, sidecar.etag, sidecar.captions if sidecar.etag else row["captions"] or "")
                for sidecar, row in zip(read, rows, strict=True)
            ]
            fresh.add(pa.table({"file": pa.array(files, SIDECAR)}))
    return fresh.finish()


def _read(sidecar: Sidecar) -> Sidecar:
    """Return a sidecar with its captions, and without a version if it cannot be read."""
    try:
        data = read_uri(sidecar.uri, SIDECAR_BYTES + 1, sidecar.etag)
    except StorageError as error:
        _log.warning("The captions in %s are not read: %s", sidecar.uri, error)
        return replace(sidecar, etag="")
    return replace(sidecar, captions=read_sidecar(data))
