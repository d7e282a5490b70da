"""Repair WebP files that state a wrong size, or whose end is missing behind the first picture.

Source: RFC 9649, chapter 2 (container).
"""

import struct

from findimg.images.readers.codestreams import webp_size
from findimg.images.refusals import too_complex

_HEADER = 12  # bytes: RIFF, size, WEBP
_ANIMATION = 2  # flag of VP8X
_MAX_ANIMATED_PIXELS = 30_000_000  # the decoder of animations takes 16 bytes a pixel
_PICTURES = (b"VP8 ", b"VP8L", b"ANMF")


def is_webp(data: bytes) -> bool:
    """Return whether a file begins like a WebP."""
    return data.startswith(b"RIFF") and data[8:_HEADER] == b"WEBP"


def check_animation(data: bytes) -> None:
    """Check the size of an animation before it is decoded.

    Raises:
        ImageError: the animation would take too much memory.
    """
    if data[_HEADER : _HEADER + 4] == b"VP8X" and len(data) >= 30 and data[20] & _ANIMATION:
        size = webp_size(data)
        if size.width * size.height > _MAX_ANIMATED_PIXELS:
            raise too_complex()


def with_true_size(data: bytes) -> bytes:
    """Return a copy with the complete chunks of a file, and their size in its header.

    A picture without its end is left out, so it is never shown half.
    """
    at = _HEADER
    kept = []
    while at + 8 <= len(data):
        kind = data[at : at + 4]
        (size,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + size
        # The padding of the last chunk may be missing.
        if end > len(data) or not kind.isascii():
            break
        kept.append(data[at:end] + bytes(size % 2))
        at = end + size % 2
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body if any(each[:4] in _PICTURES for each in kept) else data
