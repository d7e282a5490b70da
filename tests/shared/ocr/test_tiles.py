"""Test that tiles cover a picture, overlap, and stay small."""

from itertools import pairwise

import numpy as np
import pytest

from findimg.ocr.tiles import GRID, TileLimits, cut, scaled, tiles

LIMITS = TileLimits(tile=1_000_000, picture=2_500_000, short_side=640, most=12)


@pytest.mark.parametrize(
    ("width", "height"), [(300, 200), (1920, 1080), (4000, 3000), (1080, 9000), (20_000, 300), (7, 5000), (1, 1)]
)
def test_tiles_cover_the_picture_within_the_limit_of_pixels(width: int, height: int) -> None:
    found = list(tiles(width, height, LIMITS))
    assert len(found) <= LIMITS.most
    covered = np.zeros((height, width) if width * height < 2e7 else (height // 10 + 1, width // 10 + 1), bool)
    step = 1 if covered.shape == (height, width) else 10
    for tile in found:
        assert tile.width == width or tile.height == height
        assert tile.scaled_width % GRID == tile.scaled_height % GRID == 0
        assert tile.scaled_width * tile.scaled_height < LIMITS.tile * 1.3
        covered[
            tile.y // step : (tile.y + tile.height) // step + 1, tile.x // step : (tile.x + tile.width) // step + 1
        ] = 1
    assert covered.all()


def test_long_picture_keeps_its_small_letters() -> None:
    found = list(tiles(1080, 9000, LIMITS))
    assert len(found) > 3
    assert all(tile.scaled_width >= LIMITS.short_side - GRID for tile in found)
    assert all(before.y + before.height > after.y for before, after in pairwise(found))


def test_region_of_a_tile_is_placed_in_the_picture() -> None:
    second = list(tiles(1080, 9000, LIMITS))[1]
    corners = np.asarray([[0, 0], [second.scaled_width, 0], [second.scaled_width, second.scaled_height], [0, 10]])
    placed = scaled(corners.astype(np.float32), second)
    assert placed[0].tolist() == [0, second.y]
    assert placed[2].tolist() == pytest.approx([1080, second.y + second.height])


def test_tile_is_cut_at_its_scale() -> None:
    picture = np.zeros((1000, 1500, 3), np.uint8)
    tile = next(tiles(1500, 1000, LIMITS))
    assert cut(picture, tile).shape == (tile.scaled_height, tile.scaled_width, 3)
