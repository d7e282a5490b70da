"""Decode untrusted image files: upright sRGB pixels, a thumbnail, and the capture date."""

from findimg.images.decode import LIMIT_BYTES, LIMIT_PIXELS, MODEL_SIDE, THUMBNAIL_SIDE, Image, decode, thumbnail
from findimg.images.formats import EXTENSIONS

__all__ = [
    "EXTENSIONS",
    "LIMIT_BYTES",
    "LIMIT_PIXELS",
    "MODEL_SIDE",
    "THUMBNAIL_SIDE",
    "Image",
    "decode",
    "thumbnail",
]
