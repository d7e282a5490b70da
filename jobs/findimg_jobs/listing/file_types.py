"""Tell by its name, or by its first bytes if the name has no extension, whether a file is an image."""

import os
import re

from findimg.images import EXTENSIONS
from findimg.images.formats import EXTRAS, missing_extra, starts_like_an_image

HEAD = 64  # bytes that tell an image from other files
# "photo.jpg_large" and "2024.06.01" have no extension.
_EXTENSION = re.compile(r"\.(?=[0-9]*[a-z])[a-z0-9]{1,8}")
_OPTIONAL = frozenset[str]().union(*(extensions for _, extensions in EXTRAS.values()))


def reason_to_skip(name: str) -> str | None:
    """Return why a file with this name is not indexed. Return None if it has the extension of an image."""
    extension = extension_of(name)
    if extension in EXTENSIONS:
        return None
    if extension in _OPTIONAL:
        extra = missing_extra(extension)
        return f"needs the extra {extra}: {extension}" if extra else None
    return f"not an image: {extension}"


def has_no_extension(name: str) -> bool:
    """Return whether only the content tells what a file is."""
    return extension_of(name) == "no extension"


def is_image_content(path: str) -> bool:
    """Return whether a file of this machine begins like an image that findimg reads.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        return starts_like_an_image(file.read(HEAD))


def extension_of(name: str) -> str:
    """Return a file's extension for the report, or "no extension"."""
    extension = os.path.splitext(name)[1].lower()
    return extension if _EXTENSION.fullmatch(extension) else "no extension"
