"""Draws one picture of all hits on a page, which Slack shows in place of single thumbnails."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

# All lengths are pixels. Slack shows the picture about half as large.
COLUMNS = 4
TILE = 240
GAP = 8
_BADGE = 44
_FONT = ImageFont.load_default(28)
_PAPER, _EMPTY, _INK = "#ffffff", "#e3e5e9", "#16181d"


def draw_grid(thumbnails: Sequence[bytes], first: int = 1) -> bytes:
    """Return a JPEG with the thumbnails as numbered tiles, from left to right and top to bottom.

    Args:
        thumbnails: JPEGs, at least one. One that cannot be decoded becomes a grey tile.
        first: number of the first tile.
    """
    columns = min(COLUMNS, len(thumbnails))
    rows = -(-len(thumbnails) // COLUMNS)
    grid = Image.new("RGB", (columns * (TILE + GAP) - GAP, rows * (TILE + GAP) - GAP), _PAPER)
    pen = ImageDraw.Draw(grid)
    for position, thumbnail in enumerate(thumbnails):
        row, column = divmod(position, COLUMNS)
        x, y = column * (TILE + GAP), row * (TILE + GAP)
        grid.paste(_tile(thumbnail), (x, y))
        label = str(first + position)
        width = max(_BADGE, round(_FONT.getlength(label)) + 20)
        pen.rectangle((x, y, x + width, y + _BADGE), fill=_PAPER)
        pen.text((x + width / 2, y + _BADGE / 2), label, fill=_INK, font=_FONT, anchor="mm")
    out = io.BytesIO()
    grid.save(out, "JPEG", quality=85, optimize=True)
    return out.getvalue()


def _tile(thumbnail: bytes) -> Image.Image:
    """Return a square of the thumbnail's middle."""
    try:
        image = Image.open(io.BytesIO(thumbnail), formats=("JPEG",)).convert("RGB")
    except (OSError, Image.DecompressionBombError):
        return Image.new("RGB", (TILE, TILE), _EMPTY)
    return ImageOps.fit(image, (TILE, TILE), Image.Resampling.LANCZOS)
