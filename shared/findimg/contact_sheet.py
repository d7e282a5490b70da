"""Draws contact sheets: one picture with queries and their results."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from findimg.errors import SettingsError

# All lengths are pixels.
THUMBNAIL = 200
GAP = 16
MARGIN = 28
COLUMNS = 5
CAPTION_HEIGHT = 36
PILL_HEIGHT = 44
TITLE_LINES = 3
TITLE_LINE_HEIGHT = 32
LEFT = MARGIN + THUMBNAIL + 2 * GAP  # left edge of the results, beside the column of the query
WIDTH = LEFT + COLUMNS * (THUMBNAIL + GAP) - GAP + MARGIN
MAX_HEIGHT = 65_500  # the largest JPEG, libjpeg's JPEG_MAX_DIMENSION

TITLE_FONT, TEXT_FONT, SMALL_FONT = (ImageFont.load_default(size) for size in (25, 20, 17))
PAPER, CARD, LINE = "#ffffff", "#f3f4f6", "#e3e5e9"
INK, FAINT = "#16181d", "#6b7280"
CORRECT, WRONG = "#1a9850", "#d73027"


@dataclass(frozen=True, slots=True)
class Cell:
    """One hit on a sheet."""

    thumbnail: bytes | None  # a JPEG
    caption: str
    correct: bool | None = None  # None draws no mark


@dataclass(frozen=True, slots=True)
class Row:
    """One query on a sheet with its results: hits, or words with their scores."""

    title: str
    query_image: Image.Image | None = None
    hits: Sequence[Cell] = ()
    words: Sequence[tuple[str, float]] = ()


def draw_sheet(rows: Sequence[Row]) -> bytes:
    """Return a contact sheet as a JPEG: queries on the left, and their results to the right of them.

    Args:
        rows: from top to bottom. Long rows wrap, and long texts end in an ellipsis.

    Raises:
        SettingsError: the sheet would be higher than a JPEG can be.
    """
    heights = [_row_height(row) for row in rows]
    height = 2 * MARGIN + sum(heights) + 2 * MARGIN * max(len(rows) - 1, 0)
    if height > MAX_HEIGHT:
        raise SettingsError(
            f"A sheet of {len(rows)} rows would be {height:,} pixels high. A JPEG has at most {MAX_HEIGHT:,}. "
            "Draw fewer rows on one sheet."
        )
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        if top > MARGIN:
            pen.line((MARGIN, top - MARGIN, WIDTH - MARGIN, top - MARGIN), fill=LINE, width=2)
        _draw_query(sheet, row, top)
        _draw_results(sheet, row, top)
        top += row_height + 2 * MARGIN
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=90, subsampling=0, optimize=True)
    return out.getvalue()


def _row_height(row: Row) -> int:
    query = TITLE_LINE_HEIGHT * len(_lines(row.title))
    if row.query_image:
        query += GAP + THUMBNAIL
    hits = -(-len(row.hits) // COLUMNS) * (THUMBNAIL + CAPTION_HEIGHT)
    return max(query, hits + _words_height(row.words))


def _draw_query(sheet: Image.Image, row: Row, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    for line in _lines(row.title):
        pen.text((MARGIN, top), line, fill=INK, font=TITLE_FONT)
        top += TITLE_LINE_HEIGHT
    if row.query_image:
        _paste(sheet, row.query_image, MARGIN, top + GAP)


def _draw_results(sheet: Image.Image, row: Row, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    if not row.hits and not row.words:
        pen.text((LEFT, top), "nothing found", fill=FAINT, font=TEXT_FONT)
    for position, (word, score) in zip(_place_words(row.words), row.words, strict=True):
        _draw_word(pen, word, score, LEFT + position[0], top + position[1])
    top += _words_height(row.words)
    for number, cell in enumerate(row.hits):
        line, column = divmod(number, COLUMNS)
        x, y = LEFT + column * (THUMBNAIL + GAP), top + line * (THUMBNAIL + CAPTION_HEIGHT)
        _draw_cell(sheet, cell, x, y)


def _draw_cell(sheet: Image.Image, cell: Cell, x: int, y: int) -> None:
    thumbnail = _decode(cell.thumbnail)
    pen = ImageDraw.Draw(sheet)
    if thumbnail:
        _paste(sheet, thumbnail, x, y)
    else:
        pen.rectangle((x, y, x + THUMBNAIL - 1, y + THUMBNAIL - 1), fill=CARD)
        pen.text((x + THUMBNAIL / 2, y + THUMBNAIL / 2), "no thumbnail", fill=FAINT, font=SMALL_FONT, anchor="mm")
    if cell.correct is not None:
        _draw_mark(pen, cell.correct, x, y)
    pen.text((x, y + THUMBNAIL + 4), _shorten(cell.caption, SMALL_FONT, THUMBNAIL), fill=FAINT, font=SMALL_FONT)


def _draw_mark(pen: ImageDraw.ImageDraw, correct: bool, x: int, y: int) -> None:
    """Draw a coloured frame, and a tick or a cross in the corner for colour-blind readers."""
    colour = CORRECT if correct else WRONG
    pen.rectangle((x, y, x + THUMBNAIL - 1, y + THUMBNAIL - 1), outline=colour, width=4)
    left, size = x + THUMBNAIL - 32, 32
    pen.rectangle((left, y, left + size - 1, y + size - 1), fill=colour)
    if correct:
        pen.line((left + 8, y + 17, left + 14, y + 23, left + 24, y + 9), fill=PAPER, width=4, joint="curve")
    else:
        pen.line((left + 9, y + 9, left + 23, y + 23), fill=PAPER, width=4)
        pen.line((left + 9, y + 23, left + 23, y + 9), fill=PAPER, width=4)


def _place_words(words: Sequence[tuple[str, float]]) -> list[tuple[int, int]]:
    """Return the place of each word, in pixels from the top left corner of the results. Lines wrap as in a text."""
    places = []
    x = y = 0
    for word, score in words:
        width = _pill_width(word, score)
        if x and x + width > WIDTH - MARGIN - LEFT:
            x, y = 0, y + PILL_HEIGHT + GAP // 2
        places.append((x, y))
        x += width + GAP // 2
    return places


def _words_height(words: Sequence[tuple[str, float]]) -> int:
    return _place_words(words)[-1][1] + PILL_HEIGHT + GAP if words else 0


def _pill_text(word: str) -> str:
    return _shorten(word, TEXT_FONT, 2 * THUMBNAIL)


def _pill_width(word: str, score: float) -> int:
    return round(TEXT_FONT.getlength(_pill_text(word)) + SMALL_FONT.getlength(f"{score:.2f}")) + 3 * GAP


def _draw_word(pen: ImageDraw.ImageDraw, word: str, score: float, x: int, y: int) -> None:
    width, middle = _pill_width(word, score), y + PILL_HEIGHT / 2
    pen.rounded_rectangle((x, y, x + width - 1, y + PILL_HEIGHT - 1), radius=8, fill=CARD)
    pen.text((x + GAP, middle), _pill_text(word), fill=INK, font=TEXT_FONT, anchor="lm")
    pen.text((x + width - GAP, middle), f"{score:.2f}", fill=FAINT, font=SMALL_FONT, anchor="rm")


def _paste(sheet: Image.Image, image: Image.Image, x: int, y: int) -> None:
    card = Image.new("RGB", (THUMBNAIL, THUMBNAIL), CARD)
    whole = image.convert("RGB")
    whole.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    card.paste(whole, ((THUMBNAIL - whole.width) // 2, (THUMBNAIL - whole.height) // 2))
    sheet.paste(card, (x, y))


def _decode(thumbnail: bytes | None) -> Image.Image | None:
    if thumbnail is None:
        return None
    try:
        image = Image.open(io.BytesIO(thumbnail), formats=("JPEG",))
        image.load()
    except (OSError, Image.DecompressionBombError):
        return None  # drawn as a grey card
    return image


def _lines(title: str) -> list[str]:
    """Return a title as at most TITLE_LINES lines that fit the column of the query."""
    words = _plain(title).split()
    lines: list[str] = []
    while words:
        count = len(words)
        while count > 1 and TITLE_FONT.getlength(" ".join(words[:count])) > THUMBNAIL:
            count -= 1
        if len(lines) == TITLE_LINES - 1:
            count = len(words)
        lines.append(_shorten(" ".join(words[:count]), TITLE_FONT, THUMBNAIL))
        words = words[count:]
    return lines or [""]


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """Return `text` on one line. If it is longer than `width` pixels, cut it and add an ellipsis."""
    text = _plain(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _plain(text: str) -> str:
    """Return text that a font can measure: one line of at most 500 characters, without broken surrogates."""
    return " ".join(text[:500].encode("utf-8", "replace").decode().split())
