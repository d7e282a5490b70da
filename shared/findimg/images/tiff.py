"""Decode the first page of a TIFF: by Pillow where it is correct, by tifffile and imagecodecs otherwise.

Sources: TIFF 6.0 (Adobe, 1992), ExtraSamples in section 18; BigTIFF (AWare Systems, 2007).
"""

import io
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import PIL.Image
from PIL.TiffImagePlugin import TiffImageFile

from findimg.errors import ImageError
from findimg.images.refusals import broken, check_pixels, needs_extra, too_complex

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_ASSOCIATED, _UNASSOCIATED = 1, 2
_JPEG = (6, 7)
_MAX_SEGMENTS = 200_000  # strips or tiles. Each takes time of its own.
_STRIP_OFFSETS, _ROWS_PER_STRIP, _TILE_OFFSETS = 273, 278, 324
_SMALL_NUMBERS = {259, 262, 266, 277, 284, 317}
_SHORT, _BYTE_TYPES = 3, (1, 6, 7)
# What is needed for the pixels, their colours, the orientation and the capture date.
_NEEDED = {
    *(256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 334),
    *(336, 338, 339, 340, 341, 347, 512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532, 34665, 34675, 50674),
}


def is_tiff(data: bytes) -> bool:
    """Return whether a file begins like a TIFF or a BigTIFF."""
    return data.startswith(_STARTS)


def open_tiff(data: bytes) -> PIL.Image.Image:
    """Decode the first page.

    A file that neither library reads is tried again without its metadata.

    Returns:
        An image with its pixels loaded, of mode 1, L, I;16, I, F, P, RGB, RGBA, CMYK or YCbCr.

    Raises:
        ImageError: the file is broken, of an unusual kind, has too many pixels, or needs the extra `tiff`.
    """
    refused: ImageError | None = None
    for candidate in _candidates(data):
        for read in (_by_pillow, _by_tifffile):
            try:
                picture = read(candidate)
            except ImageError as error:
                refused = refused or error
            except Exception:
                # A decoder may raise any exception for hostile bytes.
                refused = refused or broken("TIFF")
            else:
                if picture is not None:
                    picture.format = "TIFF"
                    return picture
    raise refused or broken("TIFF")


def _candidates(data: bytes) -> Iterator[bytes]:
    yield data
    with suppress(struct.error):
        yield _without_metadata(data)


def _by_pillow(data: bytes) -> PIL.Image.Image | None:
    """Decode by Pillow, None if it does not know the kind or would decode it wrongly."""
    for tag, count in _entries(data):
        if tag in (_STRIP_OFFSETS, _TILE_OFFSETS) and count > _MAX_SEGMENTS:
            raise too_complex()
    try:
        picture = TiffImageFile(io.BytesIO(data), "")
    except Exception:
        return None
    check_pixels(*picture.size)
    if not _is_safe_for_pillow(picture):
        return None
    picture.load()
    return picture


def _by_tifffile(data: bytes) -> PIL.Image.Image:
    try:
        from findimg.images.tiff_pages import PageReader
    except ImportError as error:
        raise needs_extra("This kind of TIFF", "tiff") from error
    return PageReader(data).read()


def _is_safe_for_pillow(picture: TiffImageFile) -> bool:
    """Return whether Pillow decodes this kind of TIFF correctly."""
    tags: Any = picture.tag_v2
    bits = set(tags.get(258, (1,)))
    photometric = tags.get(262, _BLACK_IS_ZERO)
    # JPEG states its samples itself.
    samples = tags.get(277, 3 if tags.get(259) in _JPEG and photometric in (_RGB, _YCBCR) else 1)
    kinds = set(tags.get(339, (1,)))
    extra = tuple(tags.get(338, ()))
    if photometric not in _COLOURS or samples != _COLOURS[photometric] + len(extra):
        return False
    if samples == 1 and bits == {32}:
        return photometric == _BLACK_IS_ZERO and kinds in ({2}, {3})
    if kinds != {1}:
        return False
    if samples == 1:
        return bits <= {1, 2, 4, 8} or (bits == {16} and photometric == _BLACK_IS_ZERO)
    is_planar = tags.get(284, 1) == 2
    has_plain_alpha = photometric == _RGB and extra in ((_ASSOCIATED,), (_UNASSOCIATED,))
    return bits == {8} and not is_planar and (not extra or has_plain_alpha)


def _without_metadata(data: bytes) -> bytes:
    """Return a copy whose first directory has only the tags that are needed for the pixels, and no next directory."""
    order, offset, head, entry_size = _directory(data)
    kept = []
    for at, (tag, count) in zip(range(offset + head, len(data), entry_size), _entries(data), strict=False):
        entry = data[at : at + entry_size]
        value = entry[entry_size // 2 + 2 :]
        if tag not in _NEEDED or (tag == _ROWS_PER_STRIP and not any(value)):
            continue
        if tag in _SMALL_NUMBERS and count == 1 and struct.unpack_from(order + "H", entry, 2)[0] in _BYTE_TYPES:
            # Readers expect a number of 16 bits.
            number = struct.pack(order + "H", value[0]).ljust(len(value), b"\0")
            entry = entry[:2] + struct.pack(order + "H", _SHORT) + entry[4 : -len(value)] + number
        kept.append(entry)
    number_of_entries = struct.pack(order + ("H" if head == 2 else "Q"), len(kept))
    directory = number_of_entries + b"".join(kept) + bytes(4 if head == 2 else 8)
    return data[:offset] + directory + data[offset + len(directory) :]


def _entries(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the tag and the number of values of each entry in the first directory."""
    try:
        order, offset, head, entry_size = _directory(data)
        (count,) = struct.unpack_from(order + ("H" if head == 2 else "Q"), data, offset)
        for at in range(offset + head, min(offset + head + count * entry_size, len(data)), entry_size):
            tag, _, values = struct.unpack_from(order + ("HHI" if head == 2 else "HHQ"), data, at)
            yield tag, values
    except struct.error:
        return


def _directory(data: bytes) -> tuple[str, int, int, int]:
    """Return the byte order, the offset of the first directory, the bytes of its count and of each entry."""
    order = "<" if data[:1] == b"I" else ">"
    if data[2:4] in (b"+\0", b"\0+"):
        (offset,) = struct.unpack_from(order + "Q", data, 8)
        return order, offset, 8, 20
    (offset,) = struct.unpack_from(order + "I", data, 4)
    return order, offset, 2, 12
