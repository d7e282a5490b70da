"""The size that compressed pixels state themselves. A TIFF can state a small size around a huge codestream.

Sources: ITU-T T.800, A.5.1 (JPEG 2000); ISO/IEC 18181-1, chapters 9 and C (JPEG XL); RFC 9649 (WebP); Esri LERC 2.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from findimg.images.readers.jpeg import frame_size, has_too_many_scans

_SIZ = b"\xff\x4f\xff\x51"  # start of a JPEG 2000 codestream
_JPEG_XL, _JPEG_XL_CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_LERC = re.compile(rb"Lerc2 ")


@dataclass(frozen=True, slots=True)
class Size:
    width: int
    height: int
    samples: int = 1  # per pixel, as far as the header states them


def jpeg_size(data: bytes) -> Size:
    if has_too_many_scans(data):
        raise ValueError("too many scans")
    return Size(*frame_size(data))


def jpeg2000_size(data: bytes) -> Size:
    # A file may hold several codestreams, so the largest counts.
    sizes = []
    at = -1
    while (at := data.find(_SIZ, at + 1)) >= 0:
        width, height, left, top = struct.unpack_from(">4I", data, at + 8)
        (samples,) = struct.unpack_from(">H", data, at + 40)
        sizes.append(Size(width - left, height - top, samples))
    return max(sizes, key=lambda size: size.width * size.height * size.samples)


def jpeg_xl_size(data: bytes) -> Size:
    if data.startswith(_JPEG_XL_CONTAINER):
        data = _jpeg_xl_codestream(data)
    if not data.startswith(_JPEG_XL):
        raise ValueError("no JPEG XL")
    bits = _Bits(data[2:32])
    is_small = bits.read(1)
    height = _jpeg_xl_side(bits, is_small)
    ratio = bits.read(3)
    if ratio == 0:
        return Size(_jpeg_xl_side(bits, is_small), height)
    over, under = [(1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1)][ratio - 1]
    return Size(height * over // under, height)


def webp_size(data: bytes) -> Size:
    kind, body = data[12:16], data[20:30]
    if not data.startswith(b"RIFF") or data[8:12] != b"WEBP":
        raise ValueError("no WebP")
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
    elif kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", body, 1)
        width, height = 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    return Size(width, height, 4)


def lerc_size(data: bytes) -> Size:
    if not data.startswith(b"Lerc2 "):
        raise ValueError("no LERC 2")
    # Samples can be stored one blob after the other.
    width = height = samples = 0
    for blob in _LERC.finditer(data):
        (version,) = struct.unpack_from("<i", data, blob.end())
        at = blob.end() + (8 if version >= 3 else 4)
        rows, columns = struct.unpack_from("<2I", data, at)
        width, height = max(width, columns), max(height, rows)
        samples += struct.unpack_from("<I", data, at + 8)[0] if version >= 4 else 1
    return Size(width, height, samples)


# By the number of the compression in a TIFF.
STATED_SIZE: dict[int, Callable[[bytes], Size]] = {
    7: jpeg_size,
    33003: jpeg2000_size,
    33004: jpeg2000_size,
    33005: jpeg2000_size,
    34712: jpeg2000_size,
    34887: lerc_size,
    34892: jpeg_size,
    50001: webp_size,
    50002: jpeg_xl_size,
    52546: jpeg_xl_size,
}


class _Bits:
    """Read numbers from bytes, the lowest bit first."""

    def __init__(self, data: bytes):
        self._bits = int.from_bytes(data, "little")

    def read(self, count: int) -> int:
        number = self._bits & ((1 << count) - 1)
        self._bits >>= count
        return number


def _jpeg_xl_side(bits: _Bits, is_small: int) -> int:
    if is_small:
        return 8 * (bits.read(5) + 1)
    return 1 + bits.read((9, 13, 18, 30)[bits.read(2)])


def _jpeg_xl_codestream(data: bytes) -> bytes:
    """Return the start of the codestream in a container of boxes."""
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = at + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, body)
            body += 8
        if kind in (b"jxlc", b"jxlp"):
            return data[body + (4 if kind == b"jxlp" else 0) :]
        if length < 8:
            break
        at += length
    raise ValueError("no codestream")
