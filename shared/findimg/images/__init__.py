"""Decode untrusted image files: upright sRGB pixels, a thumbnail, and the facts that a file states.

`readers` holds what Pillow refuses or decodes wrongly, `captions` reads what people wrote about an image.
"""

from findimg.images.decode import MODEL_SIDE, THUMBNAIL_SIDE, Image, decode, thumbnail
from findimg.images.facts import ImageFacts
from findimg.images.formats import EXTENSIONS
from findimg.images.refusals import LIMIT_BYTES, LIMIT_PIXELS

__all__ = [
    "EXTENSIONS",
    "LIMIT_BYTES",
    "LIMIT_PIXELS",
    "MODEL_SIDE",
    "THUMBNAIL_SIDE",
    "Image",
    "ImageFacts",
    "decode",
    "thumbnail",
]
