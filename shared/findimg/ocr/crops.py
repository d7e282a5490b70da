"""Cut lines of text out of a picture, straight and upright."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_VERTICAL = 1.5  # a region that is so many times higher than wide is a line from top to bottom
_SMALLEST = 2  # pixels


def crop(picture: NDArray[np.uint8], corners: NDArray[np.float32], height: int) -> NDArray[np.uint8]:
    """Return the pixels of a region, made rectangular. A vertical line is turned to the left.

    Args:
        picture: uint8[rows, columns, 3].
        corners: float32[4, 2], pixels of the region's corners, x before y, clockwise from the top left.
        height: pixels of the result's short side, at most. A region that is higher is reduced.
    """
    left_to_right = _length(corners[0], corners[1], corners[3], corners[2])
    top_to_bottom = _length(corners[0], corners[3], corners[1], corners[2])
    if top_to_bottom > left_to_right * _VERTICAL:
        corners = np.roll(corners, -1, axis=0)
        left_to_right, top_to_bottom = top_to_bottom, left_to_right
    scale = min(1.0, height / max(top_to_bottom, 1))
    size = max(_SMALLEST, round(left_to_right * scale)), max(_SMALLEST, round(top_to_bottom * scale))
    # Only the part around the region becomes an image, because large pictures have many regions.
    low = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    high = np.ceil(corners.max(axis=0)).astype(int) + 2
    part = Image.fromarray(np.ascontiguousarray(picture[low[1] : high[1], low[0] : high[0]]))
    x, y = corners.T - low[:, None]
    # Pillow wants the corners in another order: top left, bottom left, bottom right, top right.
    quad = [value for corner in (0, 3, 2, 1) for value in (float(x[corner]), float(y[corner]))]
    if scale < 1:
        # QUAD samples single pixels, so reduce afterwards.
        full = max(_SMALLEST, round(left_to_right)), max(_SMALLEST, round(top_to_bottom))
        whole = part.transform(full, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
        return np.asarray(whole.resize(size, Image.Resampling.BILINEAR))
    return np.asarray(part.transform(size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC))


def _length(a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32], d: NDArray[np.float32]) -> float:
    """Return the longer one of two opposite sides, from a to b and from c to d."""
    return float(max(np.linalg.norm(a - b), np.linalg.norm(c - d)))
