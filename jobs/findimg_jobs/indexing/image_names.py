"""Tell by its name, or by its first bytes if the name has no extension, whether a file is an image."""

import os

from findimg.images import EXTENSIONS
from findimg.images.formats import readable_formats

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
    return bool(head) and any(readable_formats(head))


def extension_of(name: str) -> str:
    """Return a file's extension for the report, or "no extension"."""
    return os.path.splitext(name)[1].lower() or "no extension"
