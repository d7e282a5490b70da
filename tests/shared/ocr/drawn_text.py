"""Draw text with Pillow's own font, which every machine has."""

from PIL import Image, ImageDraw, ImageFont


def draw_lines(
    *lines: str, size: int = 28, ink: str = "black", paper: str = "white", width: int = 900, height: int = 0
) -> Image.Image:
    """Return a picture with lines of text below each other."""
    picture = Image.new("RGB", (width, height or 60 + len(lines) * 2 * size), paper)
    draw = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        draw.text((40, 30 + row * 2 * size), line, ink, ImageFont.load_default(size))
    return picture
