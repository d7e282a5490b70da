"""Tell by its name, or by its first bytes if the name has no extension, whether a file is an image."""

import os

import PIL.Image
import pillow_heif

from findimg.images import EXTENSIONS
from findimg.images.formats import FORMATS

_HEAD = 64  # bytes


def is_image_name(name: str) -> bool:
    """Return whether the name has the extension of an image format that findimg reads."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def is_image_content(path: str) -> bool:
    """Return whether a file of this machine begins like an image that findimg reads.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    accepts = (PIL.Image.OPEN[name][1] for name in FORMATS if name in PIL.Image.OPEN)
    # Decoders read the first bytes without a check of their number.
    start = head.ljust(16, b"\0")
    return bool(head) and (any(accept and accept(start) for accept in accepts) or pillow_heif.is_supported(start))


def extension_of(name: str) -> str:
    """Return a file's extension for the report, or "no extension"."""
    return os.path.splitext(name)[1].lower() or "no extension"
