"""Find what a new version can take over from the live one: rows of its segments, near-duplicates and measures."""

import io
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.projection import open_projection
from findimg.index.version_files import open_items
from findimg.library.items import ItemRows
from findimg.library.layout import CENTRE_FILE, ITEMS_FILE, KEYS_FILE, PAIRS_FILE, PROJECTION_FILE
from findimg.library.library import Library, Version
from findimg.library.manifest import Manifest, SegmentEntry
from findimg_jobs.build.measurements import LibraryMeasures
from findimg_jobs.build.texts import below_root, name_roots
from findimg_jobs.encoders.context import BuildConfig, hash_recipe
from findimg_jobs.keys.key_files import fetch_query, text
from findimg_jobs.store.version_images import VersionImages


@dataclass(frozen=True, slots=True, eq=False)
class Reused:
    """What a new version takes over from the live version."""

    live: Manifest
    root: Path  # the folder that has the live version's files by their keys
    measures: LibraryMeasures
    rows: ItemRows  # of the live version
    whole: tuple[bool, ...]  # for each segment of the live version, whether its files are undamaged
    segment_of: NDArray[np.int32]  # for each image of the new version its segment in the live version, -1 for none
    row_of: NDArray[np.int64]  # its row there
    firsts: NDArray[np.bool_]  # for each item of the live version, whether it is the first with its content
    pairs: NDArray[np.int64]  # int64[p, 2], near-duplicates among the items of the live version

    def folder(self, segment: SegmentEntry) -> Path:
        """Return the folder with the files of a segment of the live version."""
        return self.root / self.live.segment_folder(segment)


def find_reusable(library: Library, live: Manifest | None, config: BuildConfig, images: VersionImages) -> Reused | None:
    """Return what a new version takes over from the live version, None if nothing fits.

    Args:
        library: the library.
        live: the live version, None before the first publish.
        config: how segments of the new version are built.
        images: the images of the new version.

    Raises:
        LibraryError: a file of the live version is damaged.
        StorageError: the library cannot be read.
    """
    if live is None or live.recipe != hash_recipe(config) or live.schema_ == 1:
        return None
    damaged = library.damaged_folders(live)
    if any(str(PurePosixPath(live.file_key(file)).parent) in damaged for file in live.files):
        return None
    whole = tuple(live.segment_folder(segment) not in damaged for segment in live.segments)
    usable = {live.segment_folder(segment) for segment, is_whole in zip(live.segments, whole, strict=True) if is_whole}
    needed = {key: entry for key, entry in live.build_files().items() if not key.startswith("segments/")}
    needed |= {key: entry for key, entry in live.build_files().items() if str(PurePosixPath(key).parent) in usable}
    needed |= {live.file_key(file): live.files[file] for file in (ITEMS_FILE, PROJECTION_FILE) if file in live.files}
    version = Version(live, library.fetch_files(needed))
    rows, _ = open_items(version)
    segment_of, row_of = _find_rows(version, whole, images, config.sources)
    firsts, pairs = read_pairs(version.path(PAIRS_FILE), len(rows))
    return Reused(live, version.root, _read_measures(version), rows, whole, segment_of, row_of, firsts, pairs)


def _find_rows(
    version: Version, whole: Sequence[bool], images: VersionImages, sources: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return for each image the segment and the row that hold it, -1 for an image that no segment holds."""
    segment_of = np.full(len(images), -1, np.int32)
    row_of = np.full(len(images), -1, np.int64)
    wanted = _keys_of(images, sources).append_column("item", pa.array(np.arange(len(images))))
    # Newer segments come later, so that of two equal rows the one in the newer segment counts.
    for number, segment in enumerate(version.manifest.segments):
        if not whole[number]:
            continue
        keys = text(str(version.folder(segment) / KEYS_FILE))
        found = fetch_query(
            "SELECT item, file_row_number AS row FROM wanted"
            f" JOIN read_parquet({keys}, file_row_number = true) AS held USING (uri, version, sha256, text, name)"
            " WHERE wanted.modified IS NOT DISTINCT FROM held.modified",
            {"wanted": wanted},
        )
        items = found["item"].to_numpy()
        segment_of[items] = number
        row_of[items] = found["row"].to_numpy()
    return segment_of, row_of


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


def write_keys(path: Path, images: VersionImages, sources: Sequence[str]) -> None:
    """Write what decides whether a later version can keep the rows of a segment.

    Args:
        path: the file.
        images: the images of the segment's rows.
        sources: the addresses of the sources.
    """
    pq.write_table(_keys_of(images, sources), path, compression="zstd", use_dictionary=["version", "text", "name"])


def _keys_of(images: VersionImages, sources: Sequence[str]) -> pa.Table:
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


def write_pairs(path: Path, firsts: NDArray[np.bool_], pairs: NDArray[np.int64]) -> None:
    """Write near-duplicates, and which items are the first with their content. Equal values give equal bytes.

    Args:
        path: the file.
        firsts: bool[items].
        pairs: int64[p, 2].
    """
    np.savez_compressed(path, copies=np.flatnonzero(~firsts), pairs=pairs.astype(np.int32))


def read_pairs(path: Path, images: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Read what `write_pairs` wrote.

    Raises:
        LibraryError: the file is damaged.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes())) as arrays:
            firsts = np.ones(images, np.bool_)
            firsts[arrays["copies"]] = False
            pairs = np.asarray(arrays["pairs"], np.int64).reshape(-1, 2)
    except (OSError, ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    if len(pairs) and not 0 <= int(pairs.min()) <= int(pairs.max()) < images:
        raise LibraryError(f"{path} does not fit {images} images. Publish again with index.")
    return firsts, pairs


def _read_measures(version: Version) -> LibraryMeasures:
    manifest = version.manifest
    if PROJECTION_FILE in manifest.files:
        path = version.path(PROJECTION_FILE)
        projection = open_projection(path, manifest.dim, manifest.visual.dim)
        return LibraryMeasures(projection, projection.mean, manifest.coherence, manifest.captured, manifest.measured)
    path = version.path(CENTRE_FILE)
    try:
        centre = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    if centre.shape != (manifest.dim,):
        raise LibraryError(f"{path} does not hold the mean of vectors of {manifest.dim} dimensions.")
    return LibraryMeasures(
        None, np.asarray(centre, np.float32), manifest.coherence, manifest.captured, manifest.measured
    )
