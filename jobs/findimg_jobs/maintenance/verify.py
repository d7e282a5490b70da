"""Check a version: its files and counts, its catalog against its indexes, and the recall of its indexes."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.segmented import SegmentedIndex, SegmentedMatrix
from findimg.index.vector_types.base import NEIGHBOURS, VectorIndex, VectorRows
from findimg.index.vector_types.exact import measure_recall
from findimg.index.version_files import (
    indexed_vectors,
    open_items,
    open_joint,
    open_joint_index,
    open_visual,
    open_visual_index,
)
from findimg.library.catalog import Catalog, CatalogRow
from findimg.library.catalog_filters import NO_FILTERS
from findimg.library.layout import CATALOG_FILE, JOINT_FILE, VISUAL_FILE
from findimg.library.library import Library, Version
from findimg.library.manifest import IndexEntry, Manifest, SegmentEntry
from findimg.library.version_catalog import VersionCatalog
from findimg.storage.base import Storage
from findimg_jobs.maintenance.taught_names import verify_taught
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.shards import read_vectors
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import SourceImage

_ROWS = 200  # sampled rows for each check
_MISSED = 0.05  # share of rows that an approximate index may miss by their own vectors
_TOLERANCE = 0.02  # accepted difference to the recall in the manifest, which was measured with other queries


@dataclass(slots=True)
class VerifyReport:
    """Problems of a version and the figures measured on it."""

    problems: list[str] = field(default_factory=list)
    compared: int = 0  # rows compared with the embedding store
    recall: dict[str, float] = field(default_factory=dict)  # recall@10 by index
    taught: list[str] = field(default_factory=list)  # problems of taught names, which are no part of a version


def verify(library: Library, manifest: Manifest) -> VerifyReport:
    """Compare a version with its manifest and with the embedding store, and check its indexes and taught names.

    Raises:
        LibraryError: a file is damaged and cannot be opened.
        StorageError: the library cannot be reached.
    """
    report = VerifyReport(list(library.check(manifest.all_files())), taught=verify_taught(library.storage))
    if report.problems:
        return report
    for part in library.open(manifest.version, all_parts=True).parts:
        _verify_part(library, part, f"{part.manifest.backbone} " if manifest.second else "", report)
    return report


def _verify_part(library: Library, version: Version, prefix: str, report: VerifyReport) -> None:
    """Check the features of one encoder.

    Args:
        library: the library.
        version: the features, opened.
        prefix: of the names of the indexes in the report.
        report: receives the problems and figures.
    """
    manifest = version.manifest
    problems = [
        problem
        for segment in manifest.segments
        for problem in _count_problems(segment, version.folder(segment), manifest.dim)
    ]
    if problems:
        report.problems += problems
        return
    places, _ = open_items(version)
    items = range(0, manifest.images, -(-manifest.images // _ROWS))
    with VersionCatalog(version, places) as catalog:
        rows = {item: catalog.row(item) for item in items}
    compared, different = _compare(library.storage, manifest.fingerprint, rows, open_visual(version, places))
    report.compared += compared
    report.problems += different
    indexes: dict[str, tuple[IndexEntry, SegmentedIndex, VectorRows]] = {
        "visual": (manifest.visual, open_visual_index(version, places), indexed_vectors(version, places))
    }
    if manifest.joint and (joint := open_joint(version, places)):
        indexes["joint"] = manifest.joint, open_joint_index(version, places), joint
    for kind, (index, opened, vectors) in indexes.items():
        name = f"{prefix}{kind}"
        with closing(opened):
            missed = _count_missed(opened, vectors, items)
            found = measure_recall(opened, vectors, _nonzero(vectors, items))
        if missed > _MISSED * len(items):
            report.problems.append(
                f"{missed} of {len(items)} images are not found by their own vectors in the {name} index."
            )
        if found < index.recall - _TOLERANCE:
            report.problems.append(
                f"The {name} index has a recall of {found:.3f}. The manifest states {index.recall:.3f}."
            )
        report.recall[name] = round(found, 4)


def _count_problems(segment: SegmentEntry, folder: Path, dim: int) -> Iterator[str]:
    with closing(Catalog(folder / CATALOG_FILE)) as catalog:
        items = catalog.matching(NO_FILTERS)
    if not np.array_equal(items, np.arange(segment.images)):
        yield f"The catalog has {len(items)} rows. They are not the items 0 to {segment.images - 1} of the manifest."
    shapes, indexes = {VISUAL_FILE: dim}, {"visual": segment.visual}
    if segment.joint:
        shapes[JOINT_FILE] = segment.joint.dim
        indexes["joint"] = segment.joint
    for name, width in shapes.items():
        if (folder / name).stat().st_size != segment.images * width * 2:
            yield f"{name} does not have {segment.images} rows of {width} dimensions."
    for name, index in indexes.items():
        if sum(index.counts) != segment.images:
            yield f"The {name} index has {sum(index.counts)} items. The manifest states {segment.images} images."


def _compare(
    storage: Storage, fingerprint: str, rows: dict[int, CatalogRow], visual: SegmentedMatrix
) -> tuple[int, list[str]]:
    """Compare rows with the embedding store. Return the number of compared rows and the problems."""
    known = read_committed(storage, fingerprint)
    keys = known.keys_of(ImageTable.of(SourceImage(row.uri, row.etag) for row in rows.values()))
    holders = known.rows_with_vectors(row.sha256 for row in rows.values())
    wrong = []
    by_shard: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for item, row in rows.items():
        key = keys.get((row.uri, row.etag))
        if key and key.sha256 != row.sha256:
            wrong.append(f"Row {item} of the catalog, {row.uri}, differs in content from the embedding store.")
        if row.sha256 in holders:
            by_shard[holders[row.sha256].shard][row.sha256].append(item)
    compared = 0
    for shard, wanted in by_shard.items():
        try:
            for sha256, content in read_vectors(storage, fingerprint, shard):
                for item in wanted.get(sha256, ()):
                    compared += 1
                    if not np.array_equal(visual[item], np.asarray(content.visual, np.float16).astype(np.float32)):
                        wrong.append(f"Row {item} of {VISUAL_FILE} is not the embedding of {rows[item].uri}.")
        except LibraryError as error:
            wrong.append(str(error))
    return compared, wrong


def _count_missed(index: VectorIndex, vectors: VectorRows, items: Sequence[int]) -> int:
    """Return the number of items that the index does not find by their own vectors."""
    missed = 0
    for item in items:
        vector = np.asarray(vectors[item], np.float32)
        if vector.any():
            found, cosines = index.search(vector, NEIGHBOURS)
            # Copies of an image have equal vectors, so the index may return other copies.
            missed += item not in found and cosines[-1] < 1 - 1e-4
    return missed


def _nonzero(vectors: VectorRows, items: Sequence[int]) -> NDArray[np.float32]:
    """Return the rows with a non-zero vector, float32[n, dim]."""
    chosen = np.asarray(vectors[np.asarray(items)], np.float32)
    return chosen[np.any(chosen, axis=1)]
