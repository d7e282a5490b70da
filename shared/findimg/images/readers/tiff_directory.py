"""Read the directory of a TIFF's first page, and write it in the form that all decoders understand.

Cameras, scanners and scientific programs write numbers of odd types, leave out tags that have an obvious value, or
state impossible ones. Other software shows these files.

Sources: TIFF 6.0 (Adobe, 1992); BigTIFF (AWare Systems, 2007); libtiff's TIFFRGBAImageBegin for missing tags.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from findimg.images.readers.jpeg import frame_size
from findimg.images.refusals import check_pixels, too_complex, unknown_kind

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS, _PLANAR = 273, 274, 277, 278, 279, 284
_PREDICTOR, _PALETTE, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 317, 320, 322, 323, 324, 325
_EXTRA_SAMPLES, _SAMPLE_FORMAT, _SUBSAMPLING = 338, 339, 530
_TILE_TAGS = (_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS)
_YCBCR_TAGS = (529, _SUBSAMPLING, 531, 532)
_NUMBERS = {
    *(_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER, _STRIP_OFFSETS, _ORIENTATION, _SAMPLES),
    *(_ROWS_PER_STRIP, _STRIP_COUNTS, _PLANAR, _PREDICTOR, _PALETTE, *_TILE_TAGS, _EXTRA_SAMPLES, _SAMPLE_FORMAT),
}
# Further tags that are needed for the pixels, their colours and the capture date. Their values stay where they are.
_OTHERS = {
    *(292, 293, 332, 334, 336, 340, 341, 347, 512, 513, 514, 515, 519, 520, 521, *_YCBCR_TAGS, 34665, 34675, 50674),
}
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE_COLOUR, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {_RGB: 3, _CMYK: 4, _YCBCR: 3, 8: 3, 9: 3}
_CCITT, _OLD_JPEG, _JPEG = (2, 3, 4), 6, 7
_SHORT, _LONG, _LONG8 = 3, 4, 16
_RATIONALS = (5, 10)
_TYPES = {
    **{1: "u1", 2: "u1", 3: "u2", 4: "u4", 5: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 10: "i4", 11: "f4", 12: "f8"},
    **{13: "u4", 16: "u8", 17: "i8", 18: "u8"},
}
_READ_AS_NUMBERS = {_SHORT, _LONG, 13, _LONG8, 18}  # by every decoder
_MAX_SEGMENTS = 200_000  # strips or tiles. Each takes time of its own.
_MAX_NUMBERS = 3 * 2**16  # in any other tag: the largest palette
_MAX_SAMPLES = 64  # per pixel


@dataclass(frozen=True, slots=True)
class _Entry:
    type: int
    count: int
    value: bytes  # 4 or 8 bytes: the value itself, or its offset
    at: int  # offset of the value


@dataclass(slots=True)
class Directory:
    """The tags of the first page. A tag that is there twice counts once."""

    data: bytes
    order: str  # "<" or ">"
    is_big: bool  # BigTIFF
    entries: dict[int, _Entry] = field(default_factory=dict)

    def numbers(self, tag: int) -> list[int] | None:
        """Return a tag's values as integers, None if it is missing or has none.

        Raises:
            ImageError: far more values than any photograph has.
        """
        entry = self.entries.get(tag)
        if entry is None or entry.type not in _TYPES or not entry.count:
            return None
        is_segments = tag in (_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS)
        if entry.count > (_MAX_SEGMENTS if is_segments else _MAX_NUMBERS):
            raise too_complex()
        per_value = 2 if entry.type in _RATIONALS else 1
        kind = np.dtype(self.order + _TYPES[entry.type])
        if entry.at + entry.count * per_value * kind.itemsize > len(self.data):
            return None
        values: NDArray[np.generic] = np.frombuffer(self.data, kind, entry.count * per_value, entry.at)
        if entry.type in _RATIONALS:
            values = values[::2] // np.maximum(values[1::2], 1)
        return [int(value) if math.isfinite(value) else 0 for value in values.tolist()]

    def number(self, tag: int, default: int) -> int:
        values = self.numbers(tag)
        return values[0] if values else default


def read_directory(data: bytes) -> Directory:
    """Read the first directory.

    Raises:
        ValueError: the file has none.
    """
    order, is_big = _byte_order(data)
    try:
        (offset,) = struct.unpack_from(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
    except struct.error as error:
        raise ValueError("no directory") from error
    return read_directory_at(data, offset)


def read_directory_at(data: bytes, offset: int) -> Directory:
    """Read the directory at an offset.

    Raises:
        ValueError: there is none.
    """
    order, is_big = _byte_order(data)
    directory = Directory(data, order, is_big)
    head, entry_size, wide = (8, 20, "Q") if is_big else (2, 12, "I")
    try:
        (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, offset)
        for at in range(offset + head, min(offset + head + count * entry_size, len(data)), entry_size):
            tag, kind, values = struct.unpack_from(order + "HH" + wide, data, at)
            place = at + entry_size - struct.calcsize(wide)
            size = values * (2 if kind in _RATIONALS else 1) * np.dtype(_TYPES.get(kind, "u1")).itemsize
            value_at = place
            if size > struct.calcsize(wide):
                (value_at,) = struct.unpack_from(order + wide, data, place)
            directory.entries.setdefault(tag, _Entry(kind, values, data[place : at + entry_size], value_at))
    except (struct.error, OverflowError) as error:
        if not directory.entries:
            raise ValueError("no directory") from error
    return directory


def _byte_order(data: bytes) -> tuple[str, bool]:
    """Return the byte order, and whether the file is a BigTIFF."""
    return "<" if data[:1] == b"I" else ">", data[2:4] in (b"+\0", b"\0+")


def corrections(directory: Directory) -> dict[int, list[int] | None]:
    """Return the tags that decoders would misunderstand: their right values, or None for a tag to leave out.

    Raises:
        ValueError: the directory does not state what no other tag tells.
        ImageError: far more pixels, strips, tiles or samples than any photograph has.
    """
    fixed: dict[int, list[int] | None] = {
        tag: directory.numbers(tag)
        for tag in _NUMBERS & directory.entries.keys()
        if directory.entries[tag].type not in _READ_AS_NUMBERS
    }
    width, height = directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)
    if width <= 0 or height <= 0:
        raise ValueError("no size")
    check_pixels(width, height)
    compression = directory.number(_COMPRESSION, 1)
    if compression == 0:
        compression = 1
        fixed[_COMPRESSION] = [1]
    samples, photometric = _colours(directory, compression, fixed)
    if samples > _MAX_SAMPLES:
        raise unknown_kind("TIFF")
    fixed |= _fixed_layout(directory)
    bits = directory.numbers(_BITS) or [1]
    if len(bits) < samples:
        bits = fixed[_BITS] = bits[:1] * samples
    fixed |= _fixed_values(directory, samples, photometric)
    if compression != _OLD_JPEG:
        is_planar = directory.number(_PLANAR, 1) == 2 and samples > 1
        is_plain = compression == 1 and photometric != _YCBCR
        bits_per_pixel = sum(bits[:1] if is_planar else bits[:samples]) if is_plain else 0
        _segments(directory, (width, height), samples if is_planar else 1, bits_per_pixel, fixed)
    return fixed


def _fixed_layout(directory: Directory) -> dict[int, list[int] | None]:
    """Return how samples are arranged, where the directory states it in a way that does not exist."""
    fixed: dict[int, list[int] | None] = {}
    for tag, valid in ((_PLANAR, (1, 2)), (_FILL_ORDER, (1, 2)), (_PREDICTOR, None)):
        value = directory.number(tag, 1)
        if value == 0 or (valid and value not in valid):
            fixed[tag] = [1]
    return fixed


def _fixed_values(directory: Directory, samples: int, photometric: int) -> dict[int, list[int] | None]:
    """Return what the samples' values mean, where decoders would misunderstand it."""
    fixed: dict[int, list[int] | None] = {}
    formats = directory.numbers(_SAMPLE_FORMAT)
    if formats and any(kind not in (1, 2, 3, 5, 6) for kind in formats):
        fixed[_SAMPLE_FORMAT] = [1] * samples
    if photometric != _YCBCR:
        fixed |= {tag: None for tag in _YCBCR_TAGS if tag in directory.entries}
    palette = directory.numbers(_PALETTE) or [0]
    if photometric == _PALETTE_COLOUR and 0 < max(palette) < 256:
        # Some programs store 8 bits.
        fixed[_PALETTE] = [257 * value for value in palette]
    return fixed


def with_directory(directory: Directory, changed: dict[int, list[int] | None]) -> bytes:
    """Return a copy whose first directory has only the tags that are needed, some with other values."""
    order, wide = directory.order, "Q" if directory.is_big else "I"
    values_at = len(directory.data) + len(directory.data) % 2
    values, entries = b"", b""
    tags = {tag for tag in directory.entries if tag in _NUMBERS or tag in _OTHERS} | changed.keys()
    written = 0
    for tag in sorted(tags):
        numbers = changed.get(tag, [])
        if numbers is None:
            continue
        written += 1
        if tag not in changed:
            entry = directory.entries[tag]
            entries += struct.pack(order + "HH" + wide, tag, entry.type, entry.count) + entry.value
            continue
        kind, letter = _number_type(tag, numbers, directory.is_big)
        packed = struct.pack(f"{order}{len(numbers)}{letter}", *numbers)
        entries += struct.pack(order + "HH" + wide, tag, kind, len(numbers))
        if len(packed) > struct.calcsize(wide):
            entries += struct.pack(order + wide, values_at + len(values))
            values += packed + bytes(len(packed) % 2)
        else:
            entries += packed.ljust(struct.calcsize(wide), b"\0")
    start = struct.pack(order + wide, values_at + len(values))
    head = directory.data[:8] + start if directory.is_big else directory.data[:4] + start
    count = struct.pack(order + ("Q" if directory.is_big else "H"), written)
    body = (head + directory.data[len(head) :]).ljust(values_at, b"\0")
    return body + values + count + entries + bytes(struct.calcsize(wide))


def _number_type(tag: int, numbers: Sequence[int], is_big: bool) -> tuple[int, str]:
    if tag in (_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_OFFSETS, _TILE_COUNTS, _WIDTH, _HEIGHT, _ROWS_PER_STRIP):
        return (_LONG8, "Q") if is_big and max(numbers) >= 2**32 else (_LONG, "I")
    return (_SHORT, "H") if all(0 <= number < 2**16 for number in numbers) else (_LONG, "I")


def _colours(directory: Directory, compression: int, fixed: dict[int, list[int] | None]) -> tuple[int, int]:
    """Return the samples a pixel and the photometric interpretation, as libtiff guesses them if they are missing."""
    photometric = directory.number(_PHOTOMETRIC, -1)
    samples = directory.number(_SAMPLES, 0)
    extra = len(directory.numbers(_EXTRA_SAMPLES) or ())
    if samples <= 0:
        bits = directory.numbers(_BITS) or [1]
        samples = len(bits) if len(bits) > 1 else _COLOURS.get(photometric, 1) + extra
        if compression == _JPEG:
            samples = _samples_of_jpeg(directory) or samples
        if samples > 1:
            fixed[_SAMPLES] = [samples]
    if photometric < 0:
        if samples - extra >= 3:
            photometric = _YCBCR if compression == _JPEG else _RGB
        else:
            photometric = _WHITE_IS_ZERO if compression in _CCITT else _BLACK_IS_ZERO
        fixed[_PHOTOMETRIC] = [photometric]
    return samples, photometric


def _samples_of_jpeg(directory: Directory) -> int:
    offsets = directory.numbers(_STRIP_OFFSETS) or directory.numbers(_TILE_OFFSETS)
    try:
        return frame_size(directory.data[offsets[0] :])[2] if offsets else 0
    except ValueError:
        return 0


def _segments(
    directory: Directory, size: tuple[int, int], planes: int, bits: int, fixed: dict[int, list[int] | None]
) -> None:
    """Correct the tags of strips and tiles.

    Args:
        directory: the tags.
        size: (width, height) of the image.
        planes: 1, or the samples of a planar image.
        bits: bits a pixel in one plane of an uncompressed image, 0 if another number of bytes may be stored.
        fixed: receives the corrections.
    """
    width, height = size
    tile_width, tile_height = directory.number(_TILE_WIDTH, 0), directory.number(_TILE_HEIGHT, 0)
    if tile_width > 0 and tile_height > 0:
        across, down = math.ceil(width / tile_width), math.ceil(height / tile_height)
        if across * down > _MAX_SEGMENTS:
            raise too_complex()
        heights = [tile_height] * (across * down)
        places = (
            (_TILE_OFFSETS, _TILE_COUNTS) if _TILE_OFFSETS in directory.entries else (_STRIP_OFFSETS, _STRIP_COUNTS)
        )
    else:
        fixed |= {tag: None for tag in _TILE_TAGS if tag in directory.entries}
        rows = directory.number(_ROWS_PER_STRIP, 0)
        if not 0 < rows <= height:
            rows = _rows_per_strip(directory, height, planes, math.ceil(width * bits / 8))
            fixed[_ROWS_PER_STRIP] = [rows]
        tile_width = width
        if height // rows > _MAX_SEGMENTS:
            raise too_complex()
        heights = [min(rows, height - top) for top in range(0, height, rows)]
        places = (_STRIP_OFFSETS, _STRIP_COUNTS)
    offsets, counts = (directory.numbers(place) for place in places)
    if offsets is None or len(offsets) < len(heights) * planes:
        return
    needed = [math.ceil(tile_width * bits / 8) * rows for rows in heights] * planes
    is_sound = counts is not None and len(counts) >= len(needed) and all(counts)
    if is_sound and counts is not None and all(map(int.__ge__, counts, needed)):
        return
    if bits:
        fixed[places[1]] = needed
    elif not is_sound:
        ends = [*sorted({*offsets, len(directory.data)}), len(directory.data)]
        following = dict(pairwise(ends))
        fixed[places[1]] = [max(following[offset] - offset, 0) for offset in offsets]


def _rows_per_strip(directory: Directory, height: int, planes: int, row_bytes: int) -> int:
    """Return the rows of a strip by the number of strips and by the bytes of the first one.

    Raises:
        ValueError: there are several strips, and nothing states their rows.
    """
    offsets, counts = directory.numbers(_STRIP_OFFSETS), directory.numbers(_STRIP_COUNTS)
    if offsets is None or len(offsets) <= planes:
        return height
    rows = counts[0] // row_bytes if counts and row_bytes else 0
    if rows == 0 or math.ceil(height / rows) * planes != len(offsets):
        raise ValueError("no rows per strip")
    return rows
