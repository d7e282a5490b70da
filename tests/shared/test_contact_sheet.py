import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from findimg.contact_sheet import (
    CAPTION_HEIGHT,
    COLUMNS,
    CORRECT,
    GAP,
    LEFT,
    MARGIN,
    PAPER,
    THUMBNAIL,
    WIDTH,
    WRONG,
    Cell,
    Row,
    draw_sheet,
)
from findimg.errors import SettingsError

RED, BLUE = (200, 30, 30), (30, 30, 200)


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (320, 320)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "JPEG", quality=95)
    return out.getvalue()


def drawn(*rows: Row) -> Image.Image:
    sheet = Image.open(io.BytesIO(draw_sheet(rows)))
    assert sheet.format == "JPEG"
    assert sheet.width == WIDTH
    return sheet.convert("RGB")


def near(pixel: object, colour: str | tuple[int, int, int]) -> bool:
    wanted = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    assert isinstance(wanted, tuple)
    return all(abs(a - b) < 12 for a, b in zip(pixel, wanted, strict=True))


def middle_of_hit(number: int) -> tuple[int, int]:
    line, column = divmod(number, COLUMNS)
    return (
        LEFT + column * (THUMBNAIL + GAP) + THUMBNAIL // 2,
        MARGIN + line * (THUMBNAIL + CAPTION_HEIGHT) + THUMBNAIL // 2,
    )


def has_ink(sheet: Image.Image, box: tuple[int, int, int, int]) -> bool:
    return min(sheet.crop(box).convert("L").tobytes()) < 200


def test_hits_are_side_by_side_and_long_rows_wrap() -> None:
    sheet = drawn(Row("/findimg cat", hits=[Cell(jpeg(RED if i % 2 else BLUE), f"0.{i}") for i in range(COLUMNS + 2)]))
    for number in range(COLUMNS + 2):
        assert near(sheet.getpixel(middle_of_hit(number)), RED if number % 2 else BLUE)
    assert near(sheet.getpixel(middle_of_hit(COLUMNS + 2)), PAPER)


def test_query_image_is_left_of_the_hits() -> None:
    sheet = drawn(Row("/similar", Image.new("RGB", (50, 400), RED), [Cell(jpeg(BLUE), "")]))
    column = sheet.crop((MARGIN, 0, MARGIN + THUMBNAIL, sheet.height))
    assert any(near(column.getpixel((THUMBNAIL // 2, y)), RED) for y in range(column.height))


def test_caption_is_below_its_thumbnail() -> None:
    below = (LEFT, MARGIN + THUMBNAIL, LEFT + THUMBNAIL, MARGIN + THUMBNAIL + CAPTION_HEIGHT)
    assert has_ink(drawn(Row("q", hits=[Cell(jpeg(RED), "0.97")])), below)
    assert not has_ink(drawn(Row("q", hits=[Cell(jpeg(RED), "")])), below)


@pytest.mark.parametrize(("correct", "colour"), [(True, CORRECT), (False, WRONG)])
def test_judged_hit_has_a_coloured_frame(correct: bool, colour: str) -> None:
    sheet = drawn(Row("q", hits=[Cell(jpeg((255, 255, 255)), "", correct)]))
    assert near(sheet.getpixel((LEFT + 1, MARGIN + THUMBNAIL // 2)), colour)


def test_hit_without_judgement_has_no_frame() -> None:
    sheet = drawn(Row("q", hits=[Cell(jpeg((255, 255, 255)), "")]))
    assert near(sheet.getpixel((LEFT + 1, MARGIN + THUMBNAIL // 2)), "#ffffff")


@pytest.mark.parametrize("thumbnail", [None, b"", b"no image", jpeg(RED)[:200]])
def test_missing_or_broken_thumbnail_is_drawn_as_a_card(thumbnail: bytes | None) -> None:
    sheet = drawn(Row("q", hits=[Cell(thumbnail, "0.5"), Cell(jpeg(BLUE), "0.4")]))
    assert has_ink(sheet, (LEFT, MARGIN, LEFT + THUMBNAIL, MARGIN + THUMBNAIL))
    assert near(sheet.getpixel(middle_of_hit(1)), BLUE)


@pytest.mark.parametrize("size", [(1, 1), (4000, 1), (1, 4000)])
def test_query_image_of_any_shape_is_drawn(size: tuple[int, int]) -> None:
    drawn(Row("/similar", Image.new("RGB", size, RED)))


def test_words_wrap_at_the_right_edge() -> None:
    one = drawn(Row("/tag", words=[("cat", 0.9)]))
    many = drawn(Row("/tag", words=[(f"word{i}", 0.9) for i in range(40)]))
    assert has_ink(one, (LEFT, MARGIN, LEFT + THUMBNAIL, one.height))
    assert many.height > one.height
    assert not has_ink(many, (WIDTH - MARGIN, 0, WIDTH, many.height))


def test_row_without_results_has_a_text() -> None:
    sheet = drawn(Row("q"))
    assert has_ink(sheet, (LEFT, 0, WIDTH, sheet.height))


@given(st.text(max_size=200) | st.sampled_from(["x" * 5000, "a b " * 2000, "\udcff", "line\nline"]))
@settings(max_examples=40, deadline=None)
def test_text_stays_in_its_column(text: str) -> None:
    sheet = drawn(Row(text, hits=[Cell(jpeg((255, 255, 255)), text)], words=[(text, 0.5)]))
    # A glyph may reach a pixel or two to the left of its position.
    assert not has_ink(sheet, (MARGIN + THUMBNAIL + 4, 0, LEFT - 2, sheet.height))
    assert not has_ink(sheet, (WIDTH - MARGIN, 0, WIDTH, sheet.height))


def test_too_many_rows_for_a_jpeg_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"2000 rows .* fewer rows"):
        draw_sheet([Row("q", hits=[Cell(None, "")])] * 2000)
