"""Find the part of a picture that may have text, by its strokes: far cheaper than the detector.

Letters are rows of strokes. Where a row of pixels crosses a stroke, it has a strong edge in one direction and soon one
in the other. A window of the size of a short word has many of both.

Measured on thumbnails of 1,400 photographs, of which 133 have text that is read in the whole picture, and of 50 signs
that are drawn on photographs:

| the detector sees | pixels | photographs | milliseconds | text found in photographs | signs found |
|---|---|---|---|---|---|
| the whole thumbnail | 65,300 | 1.00 | 13.2 | 92 | 50 |
| the part with strokes | 20,800 | 0.67 | 5.6 | 85 | 49 |
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EDGE = 60  # difference of two pixels with one between them, from which on they are an edge; 0 to 255
_ROWS, _COLUMNS = 6, 24  # pixels of a window. Windows overlap by half.
_SHARE = 0.18  # of a window's pixels that are edges of each direction
_MARGIN = 32  # pixels around the windows, because the detector needs to see where text ends


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def part_with_strokes(grey: NDArray[np.uint8]) -> Part | None:
    """Return the part of a small picture that has all its windows with strokes, None if there are none.

    Text may run from left to right or from top to bottom.

    Args:
        grey: uint8[rows, columns].
    """
    signed = grey.astype(np.int16)
    rows, columns = _windows(signed)
    upright_columns, upright_rows = _windows(np.ascontiguousarray(signed.T))
    tops = np.concatenate([rows * (_ROWS // 2), upright_rows * (_COLUMNS // 2)])
    lefts = np.concatenate([columns * (_COLUMNS // 2), upright_columns * (_ROWS // 2)])
    if not len(tops):
        return None
    heights = np.repeat([_ROWS, _COLUMNS], [len(rows), len(upright_rows)])
    widths = np.repeat([_COLUMNS, _ROWS], [len(rows), len(upright_rows)])
    height, width = grey.shape
    return Part(
        left=max(0, int(lefts.min()) - _MARGIN),
        top=max(0, int(tops.min()) - _MARGIN),
        right=min(width, int((lefts + widths).max()) + _MARGIN),
        bottom=min(height, int((tops + heights).max()) + _MARGIN),
    )


def _windows(grey: NDArray[np.int16]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows and columns of windows with strokes, in half windows.

    Args:
        grey: int16[rows, columns], 0 to 255.
    """
    steps = grey[:, 2:] - grey[:, :-2]
    up, down = _counts(steps > _EDGE), _counts(steps < -_EDGE)
    found = np.nonzero(np.minimum(up, down) >= _SHARE * _ROWS * _COLUMNS)
    return found[0], found[1]


def _counts(edges: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the number of edges in each window."""
    half_rows, half_columns = _ROWS // 2, _COLUMNS // 2
    rows, columns = (side // half for side, half in zip(edges.shape, (half_rows, half_columns), strict=True))
    whole = edges[: rows * half_rows, : columns * half_columns].view(np.uint8)
    # Add rows before columns: numpy is slow along short axes.
    stripes = whole.reshape(rows, half_rows, columns * half_columns).sum(axis=1, dtype=np.uint8)
    halves = stripes.reshape(rows, columns, half_columns).sum(axis=2, dtype=np.int32)
    pairs = halves[1:] + halves[:-1]
    return np.asarray(pairs[:, 1:] + pairs[:, :-1])
