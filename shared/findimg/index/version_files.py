"""Open the arrays and indexes of a version over all its segments."""

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.duplicates.groups import open_groups
from findimg.index.float16 import Float16Matrix
from findimg.index.postings import Postings, posting_files
from findimg.index.projection import ProjectedVectors, Projection, open_projection
from findimg.index.segmented import (
    SegmentedIndex,
    SegmentedMatrix,
    SegmentedPostings,
    SegmentedRelevance,
    SegmentedTextIndex,
)
from findimg.index.text_index import TextIndex
from findimg.index.vector_types.base import VectorRows, open_index
from findimg.library.items import ItemRows, read_items
from findimg.library.layout import (
    DUPLICATES_FILE,
    ITEMS_FILE,
    JOINT_FILE,
    PROJECTION_FILE,
    RELEVANCE_FILE,
    TEXT_FILE,
    VISUAL_FILE,
)
from findimg.library.library import Version


def open_items(version: Version, hidden: NDArray[np.int64] | None = None) -> tuple[ItemRows, NDArray[np.int32]]:
    """Return the rows of a version's items, and the group of each item, int32[images].

    Args:
        version: the version.
        hidden: int64[n], items that are left out as if they were deleted, but not all. The others are numbered anew.

    Raises:
        LibraryError: a file is damaged.
    """
    rows, groups = _read_all_items(version)
    if hidden is None or not len(hidden):
        return rows, groups
    kept = np.delete(np.arange(len(rows)), hidden)
    _, firsts, group_of = np.unique(groups[kept], return_index=True, return_inverse=True)
    return ItemRows(rows.sizes, rows.rows[kept]), firsts[group_of].astype(np.int32)


def _read_all_items(version: Version) -> tuple[ItemRows, NDArray[np.int32]]:
    manifest = version.manifest
    sizes = [segment.images for segment in manifest.segments]
    if ITEMS_FILE in manifest.files:
        return read_items(version.path(ITEMS_FILE), sizes, manifest.images)
    rows = ItemRows(sizes)
    if len(rows) != manifest.images:
        raise LibraryError(
            f"The manifest of version {manifest.version} does not say which rows its images are. Publish again with "
            "index."
        )
    if DUPLICATES_FILE in manifest.files:
        return rows, open_groups(version.path(DUPLICATES_FILE), manifest.images)
    return rows, np.arange(manifest.images, dtype=np.int32)


def open_visual(version: Version, rows: ItemRows) -> SegmentedMatrix:
    """Open the visual embeddings, float16[images, dim]."""
    return _open_matrix(version, rows, VISUAL_FILE, version.manifest.dim)


def open_joint(version: Version, rows: ItemRows) -> SegmentedMatrix | None:
    """Open the joint embeddings, float16[images, joint dim]. Return None if the version has none."""
    joint = version.manifest.joint
    return _open_matrix(version, rows, JOINT_FILE, joint.dim) if joint else None


def open_relevance(version: Version, rows: ItemRows, labels: int) -> SegmentedRelevance:
    """Open the relevance of a trained head's labels, float16[labels, images]."""
    return SegmentedRelevance(
        [
            Float16Matrix(version.folder(segment) / RELEVANCE_FILE, labels, segment.images)
            for segment in version.manifest.segments
        ],
        rows,
    )


def open_postings(version: Version, rows: ItemRows, name: str) -> SegmentedPostings | None:
    """Open posting lists by name, WHOLE or REGIONS. Return None if no segment has them.

    Raises:
        LibraryError: a file is damaged.
    """
    parts = [
        Postings(version.folder(segment), segment.images, name)
        if segment.files.keys() >= set(posting_files(name))
        else None
        for segment in version.manifest.segments
    ]
    return SegmentedPostings(parts, rows) if any(parts) else None


def open_text_index(version: Version, rows: ItemRows) -> SegmentedTextIndex | None:
    """Open the text index. Return None for a version of an older release, which has none.

    Raises:
        LibraryError: a file is damaged.
    """
    segments = version.manifest.segments
    if not all(TEXT_FILE in segment.files for segment in segments):
        return None
    return SegmentedTextIndex([TextIndex(version.folder(segment) / TEXT_FILE) for segment in segments], rows)


def open_visual_index(version: Version, rows: ItemRows) -> SegmentedIndex:
    """Open the index of the visual embeddings, projected if the version has a projection.

    Raises:
        LibraryError: a file is damaged, or an index has an unknown type.
    """
    segments = version.manifest.segments
    return SegmentedIndex([open_index(version.folder(each), "visual", each.visual) for each in segments], rows)


def open_joint_index(version: Version, rows: ItemRows) -> SegmentedIndex:
    """Open the index of the joint embeddings, which the version must have.

    Raises:
        LibraryError: a file is damaged, or an index has an unknown type.
    """
    segments = version.manifest.segments
    return SegmentedIndex(
        [open_index(version.folder(each), "joint", each.joint) for each in segments if each.joint], rows
    )


def open_version_projection(version: Version) -> Projection | None:
    """Open the projection of a version, None if it has none.

    Raises:
        LibraryError: the file is damaged.
    """
    manifest = version.manifest
    if PROJECTION_FILE not in manifest.files:
        return None
    return open_projection(version.path(PROJECTION_FILE), manifest.dim, manifest.visual.dim)


def indexed_vectors(version: Version, rows: ItemRows) -> VectorRows:
    """Return the vectors of the visual index: embeddings, or their projections if the version has a projection."""
    projection, visual = open_version_projection(version), open_visual(version, rows)
    return ProjectedVectors(visual, projection) if projection else visual


def _open_matrix(version: Version, rows: ItemRows, file: str, dim: int) -> SegmentedMatrix:
    return SegmentedMatrix(
        [Float16Matrix(version.folder(segment) / file, segment.images, dim) for segment in version.manifest.segments],
        rows,
    )
