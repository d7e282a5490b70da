"""Draw pictures with text: a screenshot, a slide, a receipt and a sign. They show what reading text is for."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from findimg.errors import StorageError

_INK, _PALE = "#20242c", "#6b7280"


def draw_pages(folder: Path) -> list[Path]:
    """Write the pictures and return their paths. A picture that is there already is replaced.

    Raises:
        StorageError: the folder cannot be written.
    """
    pages = {
        "screenshot.png": _screenshot(),
        "slide.png": _slide(),
        "receipt.png": _receipt(),
        "sign.jpg": _sign(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            page.save(folder / name)
    except OSError as error:
        raise StorageError(f"Cannot write to {folder}: {error.strerror}.") from error
    return [folder / name for name in pages]


def _screenshot() -> Image.Image:
    page = Image.new("RGB", (1000, 640), "#eef1f5")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 1000, 56), "#33415c")
    draw.text((24, 16), "status.example.com", "white", _font(22))
    draw.rounded_rectangle((140, 140, 860, 480), 12, "white", "#c9d0da")
    draw.text((190, 180), "Server error 500", "#b3261e", _font(40))
    draw.text((190, 260), "The payment service did not answer in time.", _INK, _font(22))
    draw.text((190, 300), "Request 7f3a-2291 · try again in ten minutes", _PALE, _font(20))
    draw.rounded_rectangle((190, 370, 360, 424), 8, "#33415c")
    draw.text((222, 384), "Try again", "white", _font(22))
    return page


def _slide() -> Image.Image:
    page = Image.new("RGB", (1280, 720), "#10243f")
    draw = ImageDraw.Draw(page)
    draw.text((90, 80), "Roadmap for the second half", "white", _font(56))
    for row, text in enumerate(
        ("Move the archive to the new storage", "Open the Hamburg office", "Hire two engineers")
    ):
        draw.text((120, 230 + row * 90), f"• {text}", "#ffd966", _font(34))
    return page


def _receipt() -> Image.Image:
    page = Image.new("RGB", (440, 620), "#fbfaf5")
    draw = ImageDraw.Draw(page)
    draw.text((60, 40), "Café Blankenese", _INK, _font(34))
    rows = (("Flat white", "4.20"), ("Cinnamon roll", "3.10"), ("Orange juice", "4.80"), ("Total EUR", "12.10"))
    for row, (name, price) in enumerate(rows):
        draw.text((60, 150 + row * 60), name, _INK, _font(24))
        draw.text((320, 150 + row * 60), price, _INK, _font(24))
    draw.text((60, 480), "Invoice 2024-0815", _PALE, _font(22))
    return page


def _sign() -> Image.Image:
    page = Image.linear_gradient("L").resize((900, 600)).point(lambda value: 150 + value // 4).convert("RGB")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 430, 900, 600), "#6f8f5a")
    draw.rectangle((436, 300, 464, 560), "#5a5f66")
    board = Image.new("RGB", (420, 190), "#0b5d1e")
    drawn = ImageDraw.Draw(board)
    drawn.rectangle((8, 8, 411, 181), None, "white", 4)
    drawn.text((48, 36), "Nature reserve", "white", _font(44))
    drawn.text((48, 108), "Dogs on a leash, please", "white", _font(28))
    # Seen from the left.
    turned = board.transform(
        board.size, Image.Transform.QUAD, (0, 0, 0, 190, 420, 204, 420, -14), Image.Resampling.BICUBIC
    )
    page.paste(turned, (240, 130))
    return page


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
