"""Pages with known text: slides, receipts, code, screens, labels and signs on photographs, clean and degraded.

A page depends only on its number, so that a run can be repeated.
"""

import gzip
import io
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import findimg.text
from findimg.text.lexicon.translations import FILE

KINDS = ("slide", "receipt", "code", "screen", "label", "sign")
CONDITIONS = ("clean", "noisy", "rotated", "jpeg 40")
LANGUAGES = {
    "english": ("en",),
    "latin": ("de", "fr", "es", "pl", "cs", "sv", "tr", "vi"),
    "greek": ("el",),
    "cyrillic": ("ru", "uk", "bg"),
    "chinese": ("zh",),
    "japanese": ("ja",),
}  # script → languages whose words are drawn
UNSPACED = ("chinese", "japanese")
_FONT_FOLDERS = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
    "/Library/Fonts",
    "/System/Library/Fonts",
)
_SAMPLES = {
    "english": "Hamburg",
    "latin": "ÄéñłčşÅđếữ",
    "greek": "Ελλάδ",
    "cyrillic": "Жизнь",
    "chinese": "电脑汉语",
    "japanese": "ひらがなカタ漢",
}  # a font is used for a script if it draws all of these


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A drawn page."""

    image: Image.Image
    kind: str
    script: str
    condition: str
    lines: tuple[str, ...]
    phrases: tuple[str, ...]  # exact parts of lines, each on no other page of the same run


def draw_page(
    number: int, kind: str, script: str, condition: str, photos: Sequence[Path] = (), fonts: Path | None = None
) -> Page:
    """Draw a page.

    Args:
        number: decides the words, the font, the sizes and the degradation.
        kind: one of `KINDS`.
        script: a key of `LANGUAGES`.
        condition: one of `CONDITIONS`.
        photos: photographs for signs. Without any, signs hang on a drawn wall.
        fonts: a further folder of fonts.
    """
    rng = random.Random(f"{number} {kind} {script}")
    font = rng.choice(fonts_for(script, fonts))
    draw = {
        "slide": _slide,
        "receipt": _receipt,
        "code": _code,
        "screen": _screen,
        "label": _label,
        "sign": _sign,
    }[kind]
    words = _Words(script, number, rng)
    image = draw(words, font, rng, photos)
    return Page(_degrade(image, condition, rng), kind, script, condition, tuple(words.lines), tuple(words.phrases()))


@cache
def fonts_for(script: str, folder: Path | None = None) -> tuple[Path, ...]:
    """Return the fonts of this machine that draw a script, in the order of their names."""
    folders = [*map(Path, _FONT_FOLDERS), *([folder] if folder else [])]
    if sys.platform == "win32":
        folders.append(Path("C:/Windows/Fonts"))
    files = {
        path
        for each in folders
        for path in each.expanduser().rglob("*")
        if path.suffix.lower() in (".ttf", ".ttc", ".otf") and "Math" not in path.name
    }
    return tuple(sorted(path for path in files if _draws(path, _SAMPLES[script])))


@cache
def vocabulary(script: str) -> tuple[str, ...]:
    """Return words of a script's languages, from the translations that are part of findimg."""
    data = gzip.decompress((Path(findimg.text.__file__).parent / "lexicon" / FILE).read_bytes()).decode()
    english, _, rest = data.split("\n", 2)
    if script == "english":
        return tuple(word for word in english.split("\t") if word.isalpha() and len(word) > 2)
    wanted = set(LANGUAGES[script])
    rows = (line.split("\t") for line in rest.splitlines())
    found = {row[1] or row[0] for row in rows if wanted & set(row[3].split(" "))}
    least = 2 if script in UNSPACED else 4
    return tuple(sorted(word for word in found if word.isalpha() and least <= len(word) <= 14))


class _Words:
    """Chooses the text of a page and keeps what was chosen."""

    def __init__(self, script: str, number: int, rng: random.Random):
        self._script = script
        self._number = number
        self._rng = rng
        self.lines: list[str] = []

    def line(self, count: int, style: str = "lower", ending: str = "") -> str:
        """Return a new line of `count` words."""
        chosen = [self._rng.choice(vocabulary(self._script)) for _ in range(count)]
        if style == "upper" and self._script not in UNSPACED:
            chosen = [word.upper() for word in chosen]
        elif style == "title":
            chosen = [word[:1].upper() + word[1:] for word in chosen]
        text = ("" if self._script in UNSPACED else " ").join(chosen) + ending
        self.lines.append(text)
        return text

    def text(self, text: str) -> str:
        """Return a text that is on the page as it is."""
        self.lines.append(text)
        return text

    def number(self, low: int, high: int) -> int:
        return self._rng.randrange(low, high)

    def phrases(self) -> list[str]:
        """Return parts of lines: three words with spaces between them, or six characters of a script without spaces."""
        found = []
        for line in self.lines:
            if self._script in UNSPACED and not line.isascii():
                run = "".join(c for c in line if c.isalpha())
                if len(run) >= 6:
                    start = self._rng.randrange(len(run) - 5)
                    found.append(run[start : start + 6])
                continue
            words = line.split()
            words = [word for word in words if word.strip(",.;:()\"'=").isalpha()]
            if len(words) >= 3 and " ".join(words) in line:
                start = self._rng.randrange(len(words) - 2)
                found.append(" ".join(words[start : start + 3]))
        return found


def _slide(words: _Words, font: Path, rng: random.Random, photos: Sequence[Path]) -> Image.Image:
    """Return a slide: a title and bullets, dark on light or light on dark."""
    paper, ink = rng.choice([("white", "#202020"), ("#10243f", "white"), ("#f4efe4", "#5a1f1f"), ("#222", "#ffd966")])
    image = Image.new("RGB", (1280, 720), paper)
    draw = ImageDraw.Draw(image)
    _write(draw, (80, 60), words.line(3, "title"), ink, (font, 54))
    for row in range(rng.randrange(3, 7)):
        text = words.line(rng.randrange(4, 7))
        draw.ellipse((84, 203 + row * 78, 94, 213 + row * 78), ink)
        _write(draw, (120, 190 + row * 78), text, ink, (font, 30))
    _write(draw, (80, 670), words.line(3), ink, (font, 18))
    return image


def _receipt(words: _Words, font: Path, rng: random.Random, photos: Sequence[Path]) -> Image.Image:
    """Return a narrow paper with names and prices."""
    rows = rng.randrange(6, 14)
    image = Image.new("RGB", (420, 260 + rows * 34), "#fbfaf5")
    draw = ImageDraw.Draw(image)
    _write(draw, (40, 24), words.line(3, "title"), "#222", (font, 26))
    _write(
        draw, (40, 70), words.text(f"No {words.number(10_000, 99_999)}-{words.number(100, 999)}"), "#333", (font, 18)
    )
    for row in range(rows):
        y = 120 + row * 34
        _write(draw, (40, y), words.line(2), "#222", (font, 18))
        draw.text((320, y), f"{words.number(1, 90)}.{words.number(10, 99)}", "#222", _font(font, 18))
    _write(draw, (40, 140 + rows * 34), words.line(4), "#222", (font, 16))
    _write(draw, (40, 180 + rows * 34), words.line(3, "upper"), "#222", (font, 18))
    return image


def _code(words: _Words, font: Path, rng: random.Random, photos: Sequence[Path]) -> Image.Image:
    """Return an editor with a dark or light theme and small letters."""
    paper, ink, comment = rng.choice([("#1e1e1e", "#d4d4d4", "#6a9955"), ("#ffffff", "#24292e", "#22863a")])
    image = Image.new("RGB", (1000, 620), paper)
    draw = ImageDraw.Draw(image)
    size = rng.choice([13, 14, 16])
    for row in range(rng.randrange(12, 22)):
        y = 24 + row * 27
        draw.text((14, y), str(row + 1), comment, _font(font, size))
        if row % 3 == 0:
            _write(draw, (60, y), words.text(f"# {words.line(5)}"), comment, (font, size))
            words.lines.pop()
        else:
            _write(draw, (90, y), words.line(4), ink, (font, size))
    return image


def _screen(words: _Words, font: Path, rng: random.Random, photos: Sequence[Path]) -> Image.Image:
    """Return a screenshot of a dialog or of a list, with small letters, buttons and boxes."""
    image = Image.new("RGB", rng.choice([(1440, 900), (1100, 700), (800, 1000)]), "#e9edf2")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, image.width, 48), "#3f51b5")
    _write(draw, (20, 12), words.line(3, "title"), "white", (font, 20))
    for row in range(rng.randrange(5, 9)):
        y = 80 + row * 64
        draw.rectangle((40, y, image.width - 40, y + 48), "white", "#c5cbd3")
        _write(draw, (60, y + 14), words.line(rng.randrange(3, 6)), "#333", (font, rng.choice([14, 15, 17])))
    draw.rectangle((40, image.height - 90, 360, image.height - 44), "#2e7d32")
    _write(draw, (60, image.height - 80), words.line(3), "white", (font, 16))
    return image


def _label(words: _Words, font: Path, rng: random.Random, photos: Sequence[Path]) -> Image.Image:
    """Return a product's label: few large words on a coloured band, small print below."""
    hue = rng.randrange(360)
    image = Image.new("RGB", (700, 900), f"hsl({hue}, 30%, 85%)")
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 120, 660, 420), f"hsl({hue}, 60%, 30%)", "white", 6)
    for row in range(2):
        _write(draw, (80, 160 + row * 110), words.line(1, "upper"), "white", (font, rng.choice([48, 60])))
    _write(draw, (80, 450), words.line(3, "title"), "#222", (font, 28))
    for row in range(6):
        _write(draw, (80, 540 + row * 40), words.line(4), "#333", (font, 17))
    return image


def _sign(words: _Words, font: Path, rng: random.Random, photos: Sequence[Path]) -> Image.Image:
    """Return a photograph with a sign in it, seen a little from the side."""
    if photos:
        with Image.open(rng.choice(photos)) as file:
            photo = file.convert("RGB")
        scale = 900 / max(photo.size)
        image = photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.BICUBIC)
    else:
        noise = np.random.default_rng(rng.randrange(2**32)).integers(70, 200, (30, 40, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((900, 675), Image.Resampling.BICUBIC)
    paper, ink = rng.choice([("white", "black"), ("#0b5d1e", "white"), ("#ffd400", "black"), ("#a11", "white")])
    rows = rng.randrange(1, 4)
    size = rng.choice([26, 32, 40])
    texts = [words.line(3, rng.choice(["upper", "title", "lower"])) for _ in range(rows)]
    face = _font(font, size)
    width = int(max(face.getlength(text) for text in texts)) + 40
    sign = Image.new("RGB", (width, rows * (size + 16) + 30), paper)
    drawn = ImageDraw.Draw(sign)
    for row, text in enumerate(texts):
        drawn.text((20, 14 + row * (size + 16)), text, ink, face)
    if sign.width > image.width * 0.9:
        sign = sign.resize((int(image.width * 0.9), int(sign.height * image.width * 0.9 / sign.width)))
    return _pasted(image, sign, rng)


def _pasted(image: Image.Image, sign: Image.Image, rng: random.Random) -> Image.Image:
    """Paste a sign whose right side is up to an eighth shorter or longer than its left side."""
    width, height = sign.size
    lean = rng.uniform(-0.12, 0.12) * height
    near = (0, 0, 0, height, width, height + lean, width, -lean)
    mask = Image.new("L", sign.size, 255)
    moved = sign.transform(sign.size, Image.Transform.QUAD, near, Image.Resampling.BICUBIC)
    hole = mask.transform(sign.size, Image.Transform.QUAD, near)
    x = rng.randrange(max(1, image.width - width))
    y = rng.randrange(max(1, image.height - height))
    image.paste(moved, (x, y), hole)
    return image


def _degrade(image: Image.Image, condition: str, rng: random.Random) -> Image.Image:
    """Return a page as a poor camera or a rotated sheet shows it."""
    if condition == "noisy":
        soft = np.asarray(image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.7))), np.float32)
        noise = np.random.default_rng(rng.randrange(2**32)).normal(0, rng.uniform(8, 18), soft.shape)
        return Image.fromarray(np.clip(soft + noise, 0, 255).astype(np.uint8))
    if condition == "rotated":
        angle = rng.choice([-1, 1]) * rng.uniform(2, 10)
        return image.rotate(angle, Image.Resampling.BICUBIC, expand=True, fillcolor=image.getpixel((2, 2)))
    if condition == "jpeg 40":
        file = io.BytesIO()
        image.save(file, "JPEG", quality=40)
        return Image.open(file).convert("RGB")
    return image


def _write(draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, ink: str, face: tuple[Path, int]) -> None:
    """Write a line with a font and a size, smaller where it would not fit."""
    path, size = face
    room = draw.im.size[0] - place[0] - 20
    while size > 8 and _font(path, size).getlength(text) > room:
        size -= 1
    draw.text(place, text, ink, _font(path, size))


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def _draws(path: Path, sample: str) -> bool:
    """Return whether a font has all characters of a sample: none looks like the sign for a missing one."""
    try:
        face = ImageFont.truetype(path, 24)
        missing = bytes(face.getmask("\U0010fffe"))
        return all(bytes(face.getmask(character)) not in (missing, b"") for character in sample)
    except (OSError, ValueError):
        return False
