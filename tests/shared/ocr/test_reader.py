"""Test that text is read: in order, with boxes, turned, small, light on dark, in long and in narrow pictures."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from findimg.ocr.lines import TextLine, clean, is_readable, joined
from findimg.ocr.reader import TextReader
from tests.shared.ocr.drawn_text import draw_lines

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader() -> TextReader:
    return TextReader(threads=1)


def texts(lines: list[TextLine]) -> list[str]:
    return [line.text for line in lines]


def test_lines_are_read_from_top_to_bottom(reader: TextReader) -> None:
    page = draw_lines("Quarterly report", "Revenue 4,200 EUR", "Server error 500 on status page")
    assert texts(reader.read(page)) == ["Quarterly report", "Revenue 4,200 EUR", "Server error 500 on status page"]


def test_box_is_where_the_line_is(reader: TextReader) -> None:
    page = Image.new("RGB", (1000, 800), "white")
    page.paste(draw_lines("Emergency exit", size=30, width=300, height=100), (600, 500))
    (line,) = reader.read(page)
    x, y = np.asarray(line.box).reshape(4, 2).T
    assert line.confidence > 0.9
    assert 0.6 < x.min() < x.max() < 0.9
    assert 0.62 < y.min() < y.max() < 0.75


@pytest.mark.parametrize("angle", [-10, 10, 90, 180, 270])
def test_turned_page_is_read(reader: TextReader, angle: int) -> None:
    page = draw_lines("Platform seven", "Train to Hamburg", width=500, height=300).rotate(
        angle, Image.Resampling.BICUBIC, expand=True, fillcolor="white"
    )
    assert {"Platform seven", "Train to Hamburg"} <= set(texts(reader.read(page)))


@pytest.mark.parametrize(("ink", "paper"), [("white", "black"), ("#ffd966", "#10243f"), ("#999999", "white")])
def test_light_and_pale_text_is_read(reader: TextReader, ink: str, paper: str) -> None:
    assert texts(reader.read(draw_lines("Connection refused", ink=ink, paper=paper))) == ["Connection refused"]


def test_small_text_of_a_large_screenshot_is_read(reader: TextReader) -> None:
    screen = draw_lines("permission denied while opening the file", size=13, width=1920, height=1080)
    assert texts(reader.read(screen)) == ["permission denied while opening the file"]


def test_long_screenshot_loses_no_line_and_doubles_none(reader: TextReader) -> None:
    lines = [f"message number {number} of the long chat" for number in range(60)]
    assert texts(reader.read(draw_lines(*lines, size=26, width=700))) == lines


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (5000, 12), (40, 40)])
def test_odd_sizes_have_no_text(reader: TextReader, size: tuple[int, int]) -> None:
    assert reader.read(Image.new("RGB", size, "white")) == []
    assert reader.glance(Image.new("RGB", size, "white")) == []


def test_photographs_of_things_have_no_text(reader: TextReader) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    assert reader.read(Image.fromarray(noise).resize((600, 400), Image.Resampling.BICUBIC)) == []


def test_glance_sees_text_of_a_thumbnail_and_its_boxes_are_read(reader: TextReader) -> None:
    page = draw_lines("Conference room", size=60, width=800, height=400)
    small = page.resize((320, 160))
    boxes = reader.glance(small)
    assert boxes
    assert texts(reader.read_boxes(page, boxes)) == ["Conference room"]
    assert reader.read_boxes(Image.new("RGB", page.size, "white"), boxes) == []


def test_glance_places_boxes_in_the_whole_thumbnail(reader: TextReader) -> None:
    page = Image.new("RGB", (320, 240), "white")
    page.paste(draw_lines("Way out", size=20, width=160, height=80), (160, 150))
    (box,) = reader.glance(page)
    assert min(box[::2]) > 190 / 320
    assert min(box[1::2]) > 170 / 240
    assert texts(reader.read_boxes(page, [box])) == ["Way out"]


def test_threads_share_a_reader(reader: TextReader) -> None:
    pages = [draw_lines(f"Page number {number}") for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        assert [texts(lines) for lines in pool.map(reader.read, pages)] == [[f"Page number {n}"] for n in range(6)]


def test_recognised_text_becomes_one_clean_line() -> None:
    assert clean("Ｅｘｉｔ\tnow\u200b \x07here ") == "Exit now here"
    assert joined([TextLine("a b", 1.0, (0,) * 8), TextLine("c", 1.0, (0,) * 8)]) == "a b\nc"


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("OK", True),
        ("α = 2", True),
        ("Δt = 5 s at phase φ", True),
        ("7", False),
        ("漢字", True),
        ("口", False),
        ("— •", False),
        ("δρκσ προ", False),
        ("POΔIA", False),
        ("ZAPIA Σ'ETA OΣTEOΦYAAKIO", False),
    ],
)
def test_stray_marks_and_unknown_scripts_are_no_text(text: str, readable: bool) -> None:
    assert is_readable(text) is readable
