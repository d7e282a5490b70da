"""Find the pairs of near-duplicates that new contents of a version have."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.images.perceptual_hash import LENGTH
from findimg.index.duplicates.groups import COMPARE_ALL_UP_TO, compare_all
from findimg.index.duplicates.similar_features import ContentHashes, compare_hashed
from findimg.index.duplicates.similar_hashes import PerceptualHashes
from findimg.library.layout import HASHES_FILE, PERCEPTUAL_FILE
from findimg.vectors import normalised
from findimg_jobs.segments.visual_embeddings import VisualEmbeddings
from findimg_jobs.tables.temporary_folders import build_folder

_ALIKE = 0.6  # least cosine of copies, which have nearly equal perceptual hashes
_PAIRS = 1024  # pairs whose features are compared at a time


def find_near_duplicates(
    visual: VisualEmbeddings, contents: NDArray[np.int64], is_new: NDArray[np.bool_], cosine: float
) -> NDArray[np.int64]:
    """Return the pairs of near-duplicates with a new content, int64[p, 2], the smaller item first.

    Args:
        visual: the visual embeddings of the version.
        contents: int64[n], the first item of each content.
        is_new: bool[n], the contents whose pairs are not known.
        cosine: the least cosine of near-duplicates.

    Raises:
        LibraryError: a file is damaged.
        StorageError: the library cannot be read.
    """
    if not is_new.any():
        return np.empty((0, 2), np.int64)
    with build_folder() as folder:
        if len(contents) <= COMPARE_ALL_UP_TO:
            pairs = compare_all(visual, contents, is_new, cosine)
        else:
            hashes = ContentHashes.in_files(folder, len(contents))
            for places, rows in _read(visual, contents, HASHES_FILE, np.dtype(np.uint64), 6):
                hashes.put(places, rows)
            pairs = compare_hashed(visual, contents, is_new, hashes, cosine)
        perceptual = PerceptualHashes.in_files(folder, len(contents))
        for places, rows in _read(visual, contents, PERCEPTUAL_FILE, np.dtype(np.uint8), LENGTH):
            perceptual.put(places, rows)
        one, other = np.searchsorted(contents, pairs.T)
        pairs = pairs[~perceptual.are_only_alike(one, other)]
        copies = contents[perceptual.copies(is_new)]
    return np.unique(np.concatenate([pairs, copies[_are_alike(visual, copies)]]), axis=0)


def _are_alike(visual: VisualEmbeddings, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs of items have visual features that are at all alike, bool[pairs]."""
    alike = np.empty(len(pairs), np.bool_)
    for start in range(0, len(pairs), _PAIRS):
        chunk = pairs[start : start + _PAIRS]
        items, places = np.unique(chunk, return_inverse=True)
        one, other = normalised(visual[items])[places.reshape(chunk.shape)].swapaxes(0, 1)
        alike[start : start + len(chunk)] = np.vecdot(one, other) >= _ALIKE
    return alike


def _read(
    version: VisualEmbeddings, contents: NDArray[np.int64], file: str, dtype: np.dtype[Any], width: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Yield places of contents and their rows of a segment's file."""
    for number, places, rows in version.rows.split(contents):
        segment = version.segments[number]
        if file == PERCEPTUAL_FILE and file not in segment.entry.build_files:
            continue  # an older release built the segment
        yield places, _open_rows(segment.fetch(version.library, file), (segment.entry.images, width), dtype)[rows]


def _open_rows(path: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        rows = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    if rows.shape != shape or rows.dtype != dtype:
        raise LibraryError(f"{path} does not hold the hashes of {shape[0]} images. Publish again with index.")
    return np.asarray(rows)
