"""Tell by its name whether a file is an image that findimg reads."""

import os

from findimg.images import EXTENSIONS


def is_image_name(name: str) -> bool:
    """Return whether the name has the extension of an image format that findimg reads."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def extension_of(name: str) -> str:
    """Return a file's extension for the report, or "no extension"."""
    return os.path.splitext(name)[1].lower() or "no extension"
