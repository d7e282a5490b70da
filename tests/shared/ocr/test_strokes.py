"""Test that the part of a picture that may have text is found by its strokes."""

import numpy as np
import pytest
from PIL import Image

from findimg.ocr.strokes import part_with_strokes
from tests.shared.ocr.drawn_text import draw_lines


def grey(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


def word(text: str = "Exit") -> Image.Image:
    """Return a word of about 50 × 20 pixels."""
    return draw_lines(text, size=24, width=110, height=70).crop((36, 28, 96, 62))


def picture_with(text: Image.Image, left: int, top: int) -> Image.Image:
    """Return a smooth picture with a text on it."""
    slope = np.linspace(120, 255, 320).astype(np.uint8)
    picture = Image.fromarray(np.broadcast_to(slope[None, :, None], (240, 320, 3)).copy())
    picture.paste(text, (left, top))
    return picture


@pytest.mark.parametrize("turned", [False, True])
def test_part_has_the_text_and_little_else(turned: bool) -> None:
    text = word().rotate(90, expand=True) if turned else word()
    part = part_with_strokes(grey(picture_with(text, 160, 120)))
    assert part is not None
    assert part.left <= 166
    assert part.top <= 126
    assert part.right >= 160 + text.width - 16
    assert part.bottom >= 120 + text.height - 16
    assert (part.right - part.left) * (part.bottom - part.top) < 320 * 240 / 4


def test_part_has_all_texts() -> None:
    picture = picture_with(word(), 10, 10)
    picture.paste(word("Way"), (250, 200))
    part = part_with_strokes(grey(picture))
    assert part
    assert max(part.left, part.top) < 20
    assert part.right > 280
    assert part.bottom > 210


def test_light_text_on_dark_has_strokes() -> None:
    text = Image.eval(word(), lambda value: 255 - value)
    assert part_with_strokes(grey(picture_with(text, 160, 120)))


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (320, 240)])
def test_picture_without_strokes_has_no_part(size: tuple[int, int]) -> None:
    assert part_with_strokes(grey(Image.new("RGB", size, "white"))) is None
    half = Image.new("L", size, 0)
    half.paste(255, (size[0] // 2, 0, *size))
    assert part_with_strokes(grey(half)) is None, "an edge of a thing is no stroke"
