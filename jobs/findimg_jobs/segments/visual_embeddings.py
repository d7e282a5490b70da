"""Read the visual embeddings of a version by item, from this machine or from the library."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.index.float16 import Float16Matrix
from findimg.library.items import ItemRows
from findimg.library.layout import VISUAL_FILE, segment_folder
from findimg.library.library import Library
from findimg.library.manifest import SegmentEntry
from findimg.vectors import to_float32
from findimg_jobs.segments.segment_files import SegmentFiles

_READERS = 16  # requests for rows of one segment at the same time
_GAP = 32  # rows that are read although nobody needs them, to save a request


class VisualEmbeddings:
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


def _key(entry: SegmentEntry) -> str:
    return f"{segment_folder(entry.name)}/{VISUAL_FILE}"
