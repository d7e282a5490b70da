"""Cut a picture into parts of a size that the detector takes, without a loss of small letters in long pictures."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GRID = 32  # the detector's sides are multiples of this many pixels
_LARGEST = 2.0  # to which small pictures are enlarged
_OVERLAP = 1 / 8  # of the length of a tile
_LOWEST = 256  # pixels, the height of a tile of a wide picture


@dataclass(frozen=True, slots=True)
class Tile:
    """A part of a picture at the detector's scale. Its sides are multiples of `GRID`."""

    x: int  # pixels of the picture
    y: int
    width: int
    height: int
    scaled_width: int  # pixels for the detector
    scaled_height: int


@dataclass(frozen=True, slots=True)
class TileLimits:
    """How a picture is scaled and cut."""

    tile: int  # pixels of a tile at the detector's scale, roughly
    picture: int  # pixels of all tiles together; a larger picture is reduced
    short_side: int = 0  # pixels that the short side keeps even then, and to which a small picture is enlarged
    most: int = 1  # number of tiles, whatever the short side


def tiles(width: int, height: int, limits: TileLimits) -> Iterator[Tile]:
    """Yield the parts of a picture, which overlap by an eighth of their length.

    A picture is cut between its rows, so that lines of text stay whole, unless it is too wide for that.
    """
    area, short = width * height, min(width, height)
    scale = min(1.0, max(math.sqrt(limits.picture / area), limits.short_side / short))
    if short < limits.short_side:
        scale = min(limits.short_side / short, _LARGEST)
    scale = min(scale, math.sqrt(limits.most * limits.tile / area))
    count = min(limits.most, max(1, math.ceil(area * scale**2 / limits.tile)))
    by_rows = width * scale <= limits.tile / _LOWEST
    side = height if by_rows else width
    length = math.ceil(side / (count - (count - 1) * _OVERLAP))
    for number in range(count):
        start = 0 if count == 1 else round(number * (side - length) / (count - 1))
        if by_rows:
            yield Tile(0, start, width, length, _grid(width * scale), _grid(length * scale))
        else:
            yield Tile(start, 0, length, height, _grid(length * scale), _grid(height * scale))


def cut(picture: NDArray[np.uint8], tile: Tile) -> NDArray[np.uint8]:
    """Return a tile's pixels at the detector's scale, uint8[scaled_height, scaled_width, 3]."""
    part = picture[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width]
    size = (tile.scaled_width, tile.scaled_height)
    if part.shape[1::-1] == size:
        return part
    return np.asarray(Image.fromarray(part).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


def scaled(corners: NDArray[np.float32], tile: Tile) -> NDArray[np.float32]:
    """Return a region of a tile in pixels of the picture.

    Args:
        corners: float32[4, 2], pixels at the detector's scale, x before y.
        tile: the tile.
    """
    factors = (tile.width / tile.scaled_width, tile.height / tile.scaled_height)
    return np.asarray(corners * np.asarray(factors) + np.asarray((tile.x, tile.y)), np.float32)


def _grid(side: float) -> int:
    return max(GRID, round(side / GRID) * GRID)
