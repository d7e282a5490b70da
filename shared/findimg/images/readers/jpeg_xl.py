"""Decode JPEG XL with the extra `jxl`."""

import io
from typing import Any

import PIL.Image
from PIL.ExifTags import Base

from findimg.images.readers.codestreams import jpeg_xl_size
from findimg.images.refusals import check_pixels, needs_extra, too_complex

_STARTS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_MAX_PIXELS = 40_000_000  # libjxl takes 7 bytes a pixel beside the picture


def is_jpeg_xl(data: bytes) -> bool:
    """Return whether a file begins like a JPEG XL."""
    return data.startswith(_STARTS)


def open_jpeg_xl(data: bytes) -> PIL.Image.Image:
    """Decode the first frame.

    Raises:
        ImageError: the extra is missing, or the image has too many pixels.
        Exception: the decoder may raise any for hostile bytes.
    """
    try:
        from pillow_jxl.JpegXLImagePlugin import JXLImageFile
    except ImportError as error:
        raise needs_extra("JPEG XL", "jxl") from error
    size = jpeg_xl_size(data)
    check_pixels(size.width, size.height)
    if size.width * size.height > _MAX_PIXELS:
        raise too_complex()
    picture: Any = JXLImageFile(io.BytesIO(data), "")
    check_pixels(*picture.size)
    picture.load()
    if not picture.jpeg:
        # The decoder has turned the picture. ISO/IEC 18181-2 ignores the orientation in EXIF.
        picture.getexif()[Base.Orientation] = 1
    assert isinstance(picture, PIL.Image.Image)
    return picture
