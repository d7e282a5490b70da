"""Memory-mapped float16 arrays, read as float32."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.vectors import SMALLEST, normalised, to_float32

_CHUNK = 2**17  # numbers converted at a time, so that they fit into the processor's caches


class Float16Matrix:
    """A memory-mapped file of float16[rows, dim].

    Methods that take many rows convert them chunk by chunk, so that memory does not grow with the number of rows.
    """

    def __init__(self, path: Path, rows: int, dim: int):
        # A plain array view, because every access to a memmap has overhead.
        self._mapped: NDArray[np.float16] = np.memmap(path, np.float16, "r", shape=(rows, dim)).view(np.ndarray)

    def __len__(self) -> int:
        return len(self._mapped)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows and of columns."""
        return self._mapped.shape

    @property
    def size(self) -> int:
        """Return the number of elements."""
        return self._mapped.size

    def __getitem__(self, rows: int | slice | NDArray[np.integer]) -> NDArray[np.float32]:
        """Return one row or several, float32[…, dim]."""
        return to_float32(self._mapped[rows])

    def stored_rows(self, rows: NDArray[np.integer]) -> NDArray[np.float16]:
        """Return several rows as they are stored, float16[n, dim]."""
        found: NDArray[np.float16] = self._mapped[rows]
        return found

    def cosines(self, vector: NDArray[np.float32], rows: NDArray[np.integer] | None = None) -> NDArray[np.float32]:
        """Return the cosine similarity of each row to a vector, float32[rows]; 0 for a row of zeros.

        That of a row does not depend on the other rows, so equal rows of different segments have equal ones.

        Args:
            vector: float32[dim], not zero.
            rows: int[m], the rows. The default is all of them.
        """
        unit = normalised(vector)
        return self._per_chunk(
            rows, lambda chunk: np.vecdot(chunk, unit) / np.maximum(np.sqrt(np.vecdot(chunk, chunk)), SMALLEST)
        )

    def _per_chunk(
        self, rows: NDArray[np.integer] | None, function: Callable[[NDArray[np.float32]], NDArray[np.floating]]
    ) -> NDArray[np.float32]:
        count = len(self) if rows is None else len(rows)
        result = np.empty(count, np.float32)
        step = max(1, _CHUNK // self._mapped.shape[1])
        for start in range(0, count, step):
            chunk = slice(start, start + step)
            result[chunk] = function(self[chunk if rows is None else rows[chunk]])
        return result
