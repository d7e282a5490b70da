"""Read the text in a picture: find lines, crop them from the full picture, recognise them, drop what is uncertain."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.ocr.crops import crop
from findimg.ocr.engine import LINE_HEIGHT, TextEngine
from findimg.ocr.lines import Box, TextLine, clean, is_readable
from findimg.ocr.scripts import ScriptModel
from findimg.ocr.strokes import part_with_strokes
from findimg.ocr.tiles import TileLimits, cut, scaled, tiles

READ_SIDES = (2000, 1500)  # pixels, long and short side of a picture that suffice to read its text
MIN_CONFIDENCE = 0.8  # nearly all lines below this are marks on photographs that are no text, see tests/benchmarks
# In more than a million pixels at once the detector misses a lonely small line. A pixel takes 250 bytes of memory.
_LIMITS = TileLimits(tile=950_000, picture=2_600_000, short_side=640, most=12)
_GLANCE = TileLimits(tile=150_000, picture=150_000)
BATCH_WIDTH = 2_400  # pixels of all lines that are recognised together
_SIMILAR = 1.2  # times the narrowest line, the width of the widest one that is recognised together with it
LONGEST = 40  # times its height; what is longer is reduced in width
DOUBTED = 0.9  # a line with less confidence may stand on its head
_WHOLE = 1.05  # times its extent, from which another region of the same line has more of it
PROBABLE = 0.6  # confidence that a box of a glance has text
_LONG = 1.6  # times its height, the width of what looks like a word rather than like a ring or a wheel


@dataclass(frozen=True, slots=True)
class _Region:
    """A part of a picture that looks like a line."""

    corners: NDArray[np.float32]  # float32[4, 2], pixels of the picture
    pixels: NDArray[np.uint8]  # uint8[height, width, 3], straight

    @property
    def width(self) -> int:
        """Return the width in the recogniser, in pixels."""
        rows, columns, _ = self.pixels.shape
        return max(LINE_HEIGHT, int(columns) * LINE_HEIGHT // int(rows))


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class TextReader:
    """Reads the text in pictures. Several threads may use it at the same time."""

    def __init__(self, threads: int | None = None, scripts: Sequence[ScriptModel] = ()):
        """Load the models.

        Args:
            threads: number of cores that one call uses. None for all of this machine.
            scripts: recognition models of further scripts.

        Raises:
            ModelError: the extra `ocr` is not installed.
        """
        self._engine = TextEngine(threads or usable_cores(), scripts)
        self._knows_greek = any(each.script == "greek" for each in scripts)

    def read(self, picture: Image.Image) -> list[TextLine]:
        """Return the lines of text in a picture, in reading order.

        Args:
            picture: RGB, upright.

        Raises:
            ImageError: the models fail.
        """
        pixels = _blue_first(picture)
        regions = [_Region(corners, _line_pixels(pixels, corners)) for corners in self._find(pixels)]
        return [line for line in self._lines(regions, picture.size) if line.confidence >= MIN_CONFIDENCE]

    def glance(self, thumbnail: Image.Image) -> list[Box]:
        """Return the parts of a picture that look like lines of text, in a fraction of the time of `read`.

        Single letters and small print are missed.

        Args:
            thumbnail: RGB, upright, a few hundred pixels wide.

        Raises:
            ImageError: the models fail.
        """
        part = part_with_strokes(np.asarray(thumbnail.convert("L")))
        if part is None:
            return []
        pixels = _blue_first(thumbnail)[part.top : part.bottom, part.left : part.right]
        rows, columns = pixels.shape[:2]
        (tile,) = tiles(columns, rows, _GLANCE)
        corner = np.asarray((part.left, part.top), np.float32)
        found = (scaled(corners, tile) + corner for corners in self._engine.find(cut(pixels, tile)).corners)
        return [_box(corners, thumbnail.size) for corners in found if _is_long(corners)]

    def read_boxes(self, picture: Image.Image, boxes: Sequence[Box]) -> list[TextLine]:
        """Return the lines of text in some parts of a picture, also those with a confidence from `PROBABLE` on.

        Args:
            picture: RGB, upright.
            boxes: from `glance`.

        Raises:
            ImageError: the models fail.
        """
        pixels = _blue_first(picture)
        places = np.asarray(boxes, np.float32).reshape(-1, 4, 2) * np.asarray(picture.size, np.float32)
        regions = [_Region(corners, _line_pixels(pixels, corners)) for corners in places]
        return [line for line in self._lines(regions, picture.size) if line.confidence >= PROBABLE]

    def _lines(self, regions: Sequence[_Region], size: tuple[int, int]) -> Iterator[TextLine]:
        """Yield the readable text of regions, whatever its confidence."""
        for region, (text, confidence) in zip(regions, self._recognise(regions), strict=True):
            cleaned = clean(text)
            if is_readable(cleaned, self._knows_greek):
                yield TextLine(cleaned, round(confidence, 3), _box(region.corners, size))

    def _find(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return the corners of all regions that look like lines, in reading order."""
        height, width = pixels.shape[:2]
        found: list[NDArray[np.float32]] = []
        for tile in tiles(width, height, _LIMITS):
            new = [scaled(corners, tile) for corners in self._engine.find(cut(pixels, tile)).corners]
            # Tiles overlap. Of a line that is in both, one may have only a part.
            doubled = [(old, other) for old in found for other in new if _is_same(old, other)]
            dropped = {id(old if _extent(old) * _WHOLE < _extent(other) else other) for old, other in doubled}
            found = [each for each in [*found, *new] if id(each) not in dropped]
        return found

    def _recognise(self, regions: Sequence[_Region]) -> list[tuple[str, float]]:
        """Return text and confidence of each region."""
        read = self._read_in_batches(regions)
        doubted = [place for place, (_, confidence) in enumerate(read) if confidence < DOUBTED]
        turned = self._engine.upside_down([regions[place].pixels for place in doubted]) if doubted else []
        again = [place for place, is_turned in zip(doubted, turned, strict=True) if is_turned]
        upright = [_Region(regions[place].corners, regions[place].pixels[::-1, ::-1]) for place in again]
        for place, other in zip(again, self._read_in_batches(upright), strict=True):
            read[place] = max(read[place], other, key=lambda each: each[1])
        return read

    def _read_in_batches(self, regions: Sequence[_Region]) -> list[tuple[str, float]]:
        read = [("", 0.0)] * len(regions)
        for places in _batches(regions):
            found = self._engine.recognise([np.ascontiguousarray(regions[place].pixels) for place in places])
            for place, each in zip(places, found, strict=True):
                read[place] = each
        return read


def _blue_first(picture: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of an RGB image as the models take them, uint8[rows, columns, 3]."""
    return np.ascontiguousarray(np.asarray(picture)[..., ::-1])


def _batches(regions: Sequence[_Region]) -> Iterator[list[int]]:
    """Yield places of regions of similar width. Time and memory grow with their number times the widest one."""
    batch: list[int] = []
    for place in sorted(range(len(regions)), key=lambda place: regions[place].width):
        width = regions[place].width
        if batch and ((len(batch) + 1) * width > BATCH_WIDTH or width > _SIMILAR * regions[batch[0]].width):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _line_pixels(pixels: NDArray[np.uint8], corners: NDArray[np.float32]) -> NDArray[np.uint8]:
    line = crop(pixels, corners, LINE_HEIGHT)
    most = line.shape[0] * LONGEST
    if line.shape[1] > most:
        return np.asarray(Image.fromarray(line).resize((most, line.shape[0])))
    return line


def _box(corners: NDArray[np.float32], size: tuple[int, int]) -> Box:
    x1, y1, x2, y2, x3, y3, x4, y4 = (corners / np.asarray(size, np.float32)).clip(0, 1).ravel().tolist()
    return (x1, y1, x2, y2, x3, y3, x4, y4)


def _is_same(first: NDArray[np.float32], second: NDArray[np.float32]) -> bool:
    return _is_inside(first, second) or _is_inside(second, first)


def _is_inside(inner: NDArray[np.float32], outer: NDArray[np.float32]) -> bool:
    """Return whether the centre of one region is in another one."""
    sides = np.roll(outer, -1, axis=0) - outer
    to_centre = inner.mean(axis=0) - outer
    # Clockwise on the screen, where y grows downwards: the inside is to the right of every side.
    return bool(np.all(sides[:, 0] * to_centre[:, 1] - sides[:, 1] * to_centre[:, 0] >= 0))


def _is_long(corners: NDArray[np.float32]) -> bool:
    width, height = np.linalg.norm(corners[0] - corners[1]), np.linalg.norm(corners[0] - corners[3])
    return bool(max(width, height) >= _LONG * min(width, height))


def _extent(corners: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(corners[0] - corners[2]))
