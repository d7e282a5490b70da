"""Find what a new version can take over from the live one: rows of its segments, near-duplicates and measures."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.projection import open_projection
from findimg.index.version_files import open_items
from findimg.library.items import ItemRows
from findimg.library.layout import CENTRE_FILE, ITEMS_FILE, KEYS_FILE, PAIRS_FILE, PROJECTION_FILE
from findimg.library.library import Library, Version
from findimg.library.manifest import Manifest, SegmentEntry
from findimg_jobs.build.pairs_file import read_pairs
from findimg_jobs.build_config.build_context import BuildConfig, hash_recipe
from findimg_jobs.segments.library_measures import LibraryMeasures
from findimg_jobs.segments.row_dependencies import key_table
from findimg_jobs.segments.version_images import VersionImages
from findimg_jobs.tables.disk_tables import fetch_query, sql_text


@dataclass(frozen=True, slots=True, eq=False)
class ReusableParts:
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

    def pairs_of(
        self, firsts: NDArray[np.int32], reread: AbstractSet[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return the near-duplicates of a new version that the live version knows.

        Args:
            firsts: int32[images], for each image of the new version the first item with its content.
            reread: names of segments whose facts were read again, so that the pairs of their images are not known.

        Returns:
            For each image whether it is the first with its content and its pairs are known, bool[images], and the
            pairs, int64[p, 2], the smaller item first.
        """
        known = np.zeros(len(firsts), np.bool_)
        starts = np.concatenate([[0], np.cumsum([segment.images for segment in self.live.segments])])
        old_items = np.concatenate([self.rows.items(number) for number in range(len(self.live.segments))])
        found = np.flatnonzero(self.segment_of >= 0)
        old = old_items[starts[self.segment_of[found]] + self.row_of[found]]
        # A row that was deleted in the live version can be live again. Its pairs are not known.
        changed = np.array([segment.name in reread for segment in self.live.segments])
        kept = (old < len(self.rows)) & ~changed[self.segment_of[found]]
        found, old = found[kept], old[kept]
        was_first = self.firsts[old]
        known[firsts[found[was_first]]] = True
        new_first = np.full(len(self.rows), -1, np.int64)
        new_first[old[was_first]] = firsts[found[was_first]]
        moved = new_first[self.pairs]
        return known, np.sort(moved[(moved >= 0).all(axis=1)], axis=1)


def find_reusable_parts(
    library: Library, live: Manifest | None, config: BuildConfig, images: VersionImages
) -> ReusableParts | None:
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
    return ReusableParts(live, version.root, _read_measures(version), rows, whole, segment_of, row_of, firsts, pairs)


def _find_rows(
    version: Version, whole: Sequence[bool], images: VersionImages, sources: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return for each image the segment and the row that hold it, -1 for an image that no segment holds."""
    segment_of = np.full(len(images), -1, np.int32)
    row_of = np.full(len(images), -1, np.int64)
    wanted = key_table(images, sources).append_column("item", pa.array(np.arange(len(images))))
    # Newer segments come later, so that of two equal rows the one in the newer segment counts.
    for number, segment in enumerate(version.manifest.segments):
        if not whole[number]:
            continue
        keys = sql_text(str(version.folder(segment) / KEYS_FILE))
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


def _read_measures(version: Version) -> LibraryMeasures:
    manifest = version.manifest
    if PROJECTION_FILE in manifest.files:
        path = version.path(PROJECTION_FILE)
        projection = open_projection(path, manifest.dim, manifest.visual.dim)
        return LibraryMeasures(
            projection, projection.mean, manifest.coherence, manifest.captured_variance, manifest.measured_images
        )
    path = version.path(CENTRE_FILE)
    try:
        centre = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    if centre.shape != (manifest.dim,):
        raise LibraryError(f"{path} does not hold the mean of vectors of {manifest.dim} dimensions.")
    return LibraryMeasures(
        None, np.asarray(centre, np.float32), manifest.coherence, manifest.captured_variance, manifest.measured_images
    )
