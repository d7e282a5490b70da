"""Contact sheets: queries and what they found, drawn as one picture."""

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
LEFT = MARGIN + THUMBNAIL + 2 * GAP  # where answers begin, beside the query's column
WIDTH = LEFT + COLUMNS * (THUMBNAIL + GAP) - GAP + MARGIN
MAX_HEIGHT = 65_500  # what JPEG can hold, libjpeg's JPEG_MAX_DIMENSION

TITLE_FONT, TEXT_FONT, SMALL_FONT = (ImageFont.load_default(size) for size in (25, 20, 17))
PAPER, CARD, LINE = "#ffffff", "#f3f4f6", "#e3e5e9"
INK, FAINT = "#16181d", "#6b7280"
RIGHT, WRONG = "#1a9850", "#d73027"


@dataclass(frozen=True, slots=True)
class Cell:
    """One hit on a sheet."""

    thumbnail: bytes | None  # a JPEG; None when there is none
    caption: str
    mark: bool | None = None  # right, wrong, or not judged


@dataclass(frozen=True, slots=True)
class Row:
    """One query on a sheet with its answer: hits, or words with their scores."""

    title: str
    query_image: Image.Image | None = None
    hits: Sequence[Cell] = ()
    words: Sequence[tuple[str, float]] = ()


def draw_sheet(rows: Sequence[Row]) -> bytes:
    """Draws a contact sheet: on the left the query, beside it its hits and words, best first.

    Args:
        rows: from top to bottom; long ones wrap, and long texts end in an ellipsis.

    Returns:
        A JPEG.

    Raises:
        SettingsError: the sheet would be higher than a JPEG can be.
    """
    heights = [_row_height(row) for row in rows]
    height = 2 * MARGIN + sum(heights) + 2 * MARGIN * max(len(rows) - 1, 0)
    if height > MAX_HEIGHT:
        raise SettingsError(
            f"A sheet of {len(rows)} rows would be {height:,} pixels high and a JPEG ends at {MAX_HEIGHT:,}; "
            "draw fewer rows on one sheet."
        )
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    top = MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        if top > MARGIN:
            pen.line((MARGIN, top - MARGIN, WIDTH - MARGIN, top - MARGIN), fill=LINE, width=2)
        _draw_query(sheet, row, top)
        _draw_answer(sheet, row, top)
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


def _draw_answer(sheet: Image.Image, row: Row, top: int) -> None:
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
    if cell.mark is not None:
        _draw_mark(pen, cell.mark, x, y)
    pen.text((x, y + THUMBNAIL + 4), _shorten(cell.caption, SMALL_FONT, THUMBNAIL), fill=FAINT, font=SMALL_FONT)


def _draw_mark(pen: ImageDraw.ImageDraw, right: bool, x: int, y: int) -> None:
    """A frame, and a tick or a cross in the corner: colour alone is nothing to a colour-blind reader."""
    colour = RIGHT if right else WRONG
    pen.rectangle((x, y, x + THUMBNAIL - 1, y + THUMBNAIL - 1), outline=colour, width=4)
    left, size = x + THUMBNAIL - 32, 32
    pen.rectangle((left, y, left + size - 1, y + size - 1), fill=colour)
    if right:
        pen.line((left + 8, y + 17, left + 14, y + 23, left + 24, y + 9), fill=PAPER, width=4, joint="curve")
    else:
        pen.line((left + 9, y + 9, left + 23, y + 23), fill=PAPER, width=4)
        pen.line((left + 9, y + 23, left + 23, y + 9), fill=PAPER, width=4)


def _place_words(words: Sequence[tuple[str, float]]) -> list[tuple[int, int]]:
    """Where each word goes, from the answer's corner: in lines, as in a text."""
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
        return None  # a sheet with one grey card beats no sheet
    return image


def _lines(title: str) -> list[str]:
    """Breaks a title at its spaces into at most TITLE_LINES lines that fit the query's column."""
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
    """Returns `text` on one line, cut with an ellipsis where it is longer than `width` pixels."""
    text = _plain(text)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def _plain(text: str) -> str:
    """Text as a font can measure it: one line, no broken surrogates, and not endless."""
    return " ".join(text[:500].encode("utf-8", "replace").decode().split())
