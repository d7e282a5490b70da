import io

import pytest
from PIL import Image

from findimg_bot.slack.pictures.picture_grid import GAP, TILE, draw_grid


def jpeg(colour: str, size: tuple[int, int] = (320, 200)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG")
    return out.getvalue()


def colour_at(grid: Image.Image, column: int, row: int) -> tuple[int, ...]:
    """Return the colour at the centre of a tile."""
    x, y = column * (TILE + GAP) + TILE // 2, row * (TILE + GAP) + TILE // 2
    pixel = grid.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return pixel


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (4, 4, 1), (5, 4, 2), (8, 4, 2)])
def test_grid_has_four_columns_at_most(count: int, columns: int, rows: int) -> None:
    grid = Image.open(io.BytesIO(draw_grid([jpeg("red")] * count)))
    assert grid.format == "JPEG"
    assert grid.size == (columns * (TILE + GAP) - GAP, rows * (TILE + GAP) - GAP)


def test_tiles_are_in_reading_order() -> None:
    colours = ["red", "lime", "blue", "white", "black"]
    grid = Image.open(io.BytesIO(draw_grid([jpeg(colour) for colour in colours])))
    expected = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]
    shown = [colour_at(grid, place % 4, place // 4) for place in range(5)]
    assert [max(abs(a - b) for a, b in zip(x, y, strict=True)) < 8 for x, y in zip(shown, expected, strict=True)] == [
        True
    ] * 5


def test_numbers_depend_on_the_first() -> None:
    tile = jpeg("black")
    assert draw_grid([tile], first=1) != draw_grid([tile], first=9)


def test_unreadable_thumbnail_becomes_a_grey_tile() -> None:
    grid = Image.open(io.BytesIO(draw_grid([b"no picture", jpeg("red")])))
    red, green, blue = colour_at(grid, 0, 0)[:3]
    assert max(red, green, blue) - min(red, green, blue) < 12
