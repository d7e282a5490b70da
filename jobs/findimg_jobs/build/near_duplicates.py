"""Find the near-duplicates of a new version: the known pairs of the live one, and those of its new images."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.images.perceptual_hash import LENGTH
from findimg.index.duplicates import EXACT, compare_all
from findimg.index.float16 import Float16Matrix
from findimg.index.near_duplicates import ContentHashes, compare_hashed
from findimg.index.perceptual_hashes import PerceptualHashes
from findimg.library.items import ItemRows
from findimg.library.layout import HASHES_FILE, PERCEPTUAL_FILE, VISUAL_FILE, segment_folder
from findimg.library.library import Library
from findimg.library.manifest import SegmentEntry
from findimg.vectors import normalised, to_float32
from findimg_jobs.keys.temporary import build_folder

_READERS = 16  # requests for rows of one segment at the same time
_GAP = 32  # rows that are read although nobody needs them, to save a request
_ALIKE = 0.6  # least cosine of copies, which have nearly equal perceptual hashes
_PAIRS = 1024  # pairs whose features are compared at a time


@dataclass(frozen=True, slots=True)
class SegmentFiles:
    """A segment of a new version, and where its files are."""

    entry: SegmentEntry
    folder: Path  # has the files that a build needs
    is_new: bool  # then the folder has all its files, unless a worker built it

    def fetch(self, library: Library, *files: str) -> Path:
        """Make files of the segment available on this machine, and return the path of the first one.

        Raises:
            LibraryError: a file is missing or damaged.
            StorageError: the library cannot be read.
        """
        if all((self.folder / file).exists() for file in files):
            return self.folder / files[0]
        entries = self.entry.files | self.entry.build_files
        keys = {f"{segment_folder(self.entry.name)}/{file}": entries[file] for file in files}
        return library.fetch_files(keys) / next(iter(keys))


class SegmentRows:
    """Visual embeddings by item, read from files on this machine or row by row from the library."""

    def __init__(self, library: Library, segments: Sequence[SegmentFiles], rows: ItemRows, dim: int):
        """Use the segments of a version.

        Args:
            library: the library.
            segments: the segments.
            rows: the rows of the version's items.
            dim: dimension of the visual embeddings.
        """
        self.library = library
        self.segments = segments
        self.rows = rows
        self._dim = dim
        self.shape = len(rows), dim

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return some rows, float32[n, dim]."""
        found = np.empty((len(items), self._dim), np.float32)
        for segment, places, rows in self.rows.split(items):
            local = self._local[segment]
            found[places] = self._read(segment, rows) if local is None else local[rows]
        return found

    @cached_property
    def _local(self) -> list[Float16Matrix | None]:
        """The segments' embeddings, None for those that are not on this machine."""
        return [self._open(segment) for segment in self.segments]

    def _open(self, segment: SegmentFiles) -> Float16Matrix | None:
        entry = segment.entry
        path: Path | None = segment.folder / VISUAL_FILE
        if not segment.is_new:
            path = self.library.local_path(_key(entry), entry.files[VISUAL_FILE])
        return Float16Matrix(path, entry.images, self._dim) if path and path.is_file() else None

    def _read(self, segment: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return rows of a segment that is not on this machine."""
        ordered, places = np.unique(rows, return_inverse=True)
        runs = np.split(ordered, np.flatnonzero(np.diff(ordered) > _GAP) + 1)
        width = 2 * self._dim

        def read(run: NDArray[np.int64]) -> NDArray[np.float32]:
            first, count = int(run[0]), int(run[-1] - run[0]) + 1
            data = self.library.storage.read_range(_key(self.segments[segment].entry), first * width, count * width)
            return to_float32(np.frombuffer(data, np.float16).reshape(count, self._dim)[run - first])

        with ThreadPoolExecutor(_READERS) as readers:
            return np.concatenate(list(readers.map(read, runs)))[places]


def find_near_duplicates(
    visual: SegmentRows, contents: NDArray[np.int64], is_new: NDArray[np.bool_], cosine: float
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
        if len(contents) <= EXACT:
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


def _are_alike(visual: SegmentRows, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pairs of items have visual features that are at all alike, bool[pairs]."""
    alike = np.empty(len(pairs), np.bool_)
    for start in range(0, len(pairs), _PAIRS):
        chunk = pairs[start : start + _PAIRS]
        items, places = np.unique(chunk, return_inverse=True)
        one, other = normalised(visual[items])[places.reshape(chunk.shape)].swapaxes(0, 1)
        alike[start : start + len(chunk)] = np.vecdot(one, other) >= _ALIKE
    return alike


def _read(
    version: SegmentRows, contents: NDArray[np.int64], file: str, dtype: np.dtype[Any], width: int
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


def _key(entry: SegmentEntry) -> str:
    return f"{segment_folder(entry.name)}/{VISUAL_FILE}"
