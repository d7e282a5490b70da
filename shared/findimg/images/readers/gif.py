"""Complete GIF files whose end is missing within the first frame, and clear the screen around frames.

Source: GIF89a Specification, chapters 18 to 22 and appendix F (LZW).
"""

import struct

import PIL.Image
from PIL.GifImagePlugin import GifImageFile

STARTS = (b"GIF87a", b"GIF89a")
_MIN_SHARE = 0.9  # of the pixels that a cut file must have
_MAX_PIXELS = 4_000_000  # counting them takes a second for each million
_END = b"\0;"  # end of the frame's data, end of the file
_LONGEST_CODE = 12  # bits


def completed(data: bytes) -> bytes | None:
    """Return a GIF whose first frame is complete, with missing pixels in the first colour of the palette.

    Return None if the file has less than nine tenths of the frame's pixels, or is broken elsewhere.
    """
    try:
        start, pixels = _first_frame(data)
        if not 0 < pixels <= _MAX_PIXELS:
            return None
        # A pixel takes at most 1.5 bytes. Further bytes of a hostile file would only cost time.
        blocks = _blocks(data, start + 1)[: 2 * pixels + 256]
        found = _decoded_pixels(blocks, data[start])
    except (IndexError, struct.error, ValueError):
        return None
    if found < _MIN_SHARE * pixels:
        return None
    # Zeros are the code of the first colour, whatever the length of a code is by now.
    filled = blocks + bytes(max(0, pixels - found) * _LONGEST_CODE // 8 + 4)
    chunks = [filled[at : at + 255] for at in range(0, len(filled), 255)]
    return data[: start + 1] + b"".join(bytes([len(chunk)]) + chunk for chunk in chunks) + _END


def clear_screen(picture: GifImageFile) -> None:
    """Make transparent what browsers leave transparent, which Pillow fills with a colour of the palette.

    This is the screen around a smaller first frame, and the place of a frame that is removed before the next one.

    Args:
        picture: a frame of it is loaded.
    """
    extent = picture.dispose_extent
    # With a transparent colour Pillow clears both.
    if extent is None or "transparency" in picture.info:
        return
    is_smaller = picture.tell() == 0 and extent != (0, 0, *picture.size)
    is_removed = picture.disposal_method == 2
    if picture.mode != "RGBA" and (is_smaller or is_removed):
        screen = picture.convert("RGBA")
        if is_smaller:
            frame = screen.crop(extent)
            screen = PIL.Image.new("RGBA", picture.size)
            screen.paste(frame, extent[:2])
        picture.im, picture._mode = screen.im, "RGBA"
    if is_removed:
        left, top, right, bottom = extent
        picture.dispose = PIL.Image.new("RGBA", (right - left, bottom - top)).im


def _first_frame(data: bytes) -> tuple[int, int]:
    """Return the offset of the first frame's data, and its number of pixels."""
    at = 13 + _palette_bytes(data[10])
    while data[at] == 0x21:  # an extension
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    if data[at] != 0x2C:
        raise ValueError("no frame")
    width, height = struct.unpack_from("<HH", data, at + 5)
    return at + 10 + _palette_bytes(data[at + 9]), width * height


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(data: bytes, at: int) -> bytes:
    """Return the content of the data blocks, of which the last may be cut."""
    found = []
    while at < len(data) and data[at]:
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(found)


def _decoded_pixels(data: bytes, literal_bits: int) -> int:
    """Return the number of pixels that LZW codes stand for.

    Raises:
        ValueError: a code is impossible.
    """
    if not 1 <= literal_bits <= 8:
        raise ValueError("no LZW")
    clear = 1 << literal_bits
    lengths: list[int] = []
    size, previous, total = literal_bits + 1, 0, 0
    bits = available = 0
    for byte in data:
        bits |= byte << available
        available += 8
        while available >= size:
            code = bits & ((1 << size) - 1)
            bits >>= size
            available -= size
            if code == clear:
                lengths, size, previous = [1] * (clear + 2), literal_bits + 1, 0
                continue
            if code == clear + 1:
                return total
            if not lengths or code > len(lengths) or (code == len(lengths) and not previous):
                raise ValueError("impossible code")
            length = lengths[code] if code < len(lengths) else previous + 1
            if previous and len(lengths) < 1 << _LONGEST_CODE:
                lengths.append(previous + 1)
                if len(lengths) == 1 << size and size < _LONGEST_CODE:
                    size += 1
            total += length
            previous = length
    return total
