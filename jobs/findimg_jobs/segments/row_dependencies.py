"""What each row of a segment depends on, `keys.parquet`. It decides whether a later version can keep the row."""

from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from findimg.library.layout import KEYS_FILE
from findimg.library.library import Library
from findimg.library.manifest import Manifest, SegmentEntry
from findimg_jobs.segments.text_draft import below_root, name_roots
from findimg_jobs.segments.version_images import VersionImages


def write_keys(path: Path, images: VersionImages, sources: Sequence[str]) -> None:
    """Write what decides whether a later version can keep the rows of a segment.

    Args:
        path: the file.
        images: the images of the segment's rows.
        sources: the addresses of the sources.
    """
    pq.write_table(key_table(images, sources), path, compression="zstd", use_dictionary=["version", "text", "name"])


def key_table(images: VersionImages, sources: Sequence[str]) -> pa.Table:
    """Return everything that an image's row in a segment depends on, besides the recipe."""
    rows = images.rows
    return pa.table(
        {
            "uri": rows["uri"],
            "version": rows["version"],
            "sha256": rows["sha256"],
            "modified": pa.compute.cast(pa.compute.trunc(rows["modified"]), pa.int64()),
            "text": pa.array(images.text_digests(), pa.string()),
            # The number of characters of the URI that are text, because they are below a source.
            "name": pa.array(_name_lengths(rows["uri"], name_roots(sources)), pa.int32()),
        }
    )


def _name_lengths(uris: pa.ChunkedArray, folders: Sequence[str]) -> NDArray[np.int32]:
    """Return the number of characters of each URI that `below_root` returns, int32[images]."""
    characters = pa.compute.utf8_length(uris).to_numpy()
    lengths = np.full(len(uris), -1, np.int32)
    for folder in folders:
        is_below = pa.compute.starts_with(uris, f"{folder}/").to_numpy()
        chosen = is_below & (lengths < 0)
        lengths[chosen] = characters[chosen] - len(folder) - 1
    for item in np.flatnonzero(lengths < 0).tolist():
        lengths[item] = len(below_root(uris[item].as_py(), ()))
    return lengths


def segments_with(
    library: Library, manifest: Manifest, uris: Collection[str], hashes: Collection[str]
) -> list[SegmentEntry]:
    """Return the segments of a version that hold some images, even if they are deleted there.

    Args:
        library: the library.
        manifest: the version.
        uris: the images.
        hashes: SHA-256 of content that counts whatever its URI.

    Raises:
        LibraryError: a file is damaged.
        StorageError: the library cannot be read.
    """
    if manifest.second:
        return [found for part in manifest.parts for found in segments_with(library, part, uris, hashes)]
    if manifest.schema_ == 1:
        return []
    keys = {key: entry for key, entry in manifest.build_files().items() if PurePosixPath(key).name == KEYS_FILE}
    root = library.fetch_files(keys)
    query = "SELECT count(*) FROM read_parquet(?) WHERE uri IN (SELECT unnest(?)) OR hex(sha256) IN (SELECT unnest(?))"
    wanted = [sorted(uris), [sha256.upper() for sha256 in sorted(hashes)]]
    found = []
    with duckdb.connect() as connection:
        for segment in manifest.segments:
            path = root / manifest.segment_folder(segment) / KEYS_FILE
            (count,) = connection.execute(query, [str(path), *wanted]).fetchone() or (0,)
            if count:
                found.append(segment)
    return found
