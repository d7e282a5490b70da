"""Decode the first page of a TIFF: by Pillow where it is correct, by tifffile and imagecodecs otherwise.

Source: TIFF 6.0 (Adobe, 1992), ExtraSamples in section 18.
"""

import io
from collections.abc import Iterator
from typing import Any

import PIL.Image
from PIL.TiffImagePlugin import TiffImageFile

from findimg.errors import ImageError
from findimg.images.readers.tiff_directory import corrections, read_directory, with_directory
from findimg.images.refusals import broken, check_pixels, needs_extra

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_ASSOCIATED, _UNASSOCIATED = 1, 2
_JPEG = (6, 7)
# None, CCITT, LZW, JPEG, Deflate, PackBits. Pillow's libtiff has no decoder for other ones.
_COMPRESSIONS = {1, 2, 3, 4, 5, *_JPEG, 8, 32773, 32946}


def is_tiff(data: bytes) -> bool:
    """Return whether a file begins like a TIFF or a BigTIFF."""
    return data.startswith(_STARTS)


def open_tiff(data: bytes) -> PIL.Image.Image:
    """Decode the first page.

    Tags that decoders would misunderstand are corrected first. A file that neither library reads is tried again
    without its metadata.

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
    """Yield the file as decoders understand it best, then with another directory."""
    try:
        directory = read_directory(data)
        changed = corrections(directory)
    except ValueError:
        yield data
        return
    if not changed:
        yield data
    yield with_directory(directory, changed)
    if changed:
        yield data


def _by_pillow(data: bytes) -> PIL.Image.Image | None:
    """Decode by Pillow, None if it does not know the kind or would decode it wrongly."""
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
        from findimg.images.readers.tiff_pages import PageReader
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
    if tags.get(259, 1) not in _COMPRESSIONS:
        return False
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
