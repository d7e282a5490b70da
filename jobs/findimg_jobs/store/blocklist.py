"""The blocklist of a library: forgotten images, which no run indexes again until they are allowed."""

import hashlib
import unicodedata
from pathlib import PurePosixPath

import pyarrow as pa

from findimg.storage.base import Storage
from findimg_jobs.tables.image_table import ImageTable

# One empty object per image, named after the SHA-256 of its URI, because a file name can contain a person's name.
_PREFIX = "forgotten"


def block(storage: Storage, uri: str) -> None:
    """Add an image to the blocklist."""
    storage.create(f"{_PREFIX}/{_names(uri)[0]}", b"")


def unblock(storage: Storage, uri: str) -> None:
    """Remove an image from the blocklist."""
    for name in _names(uri):
        storage.delete(f"{_PREFIX}/{name}")


def is_blocked(storage: Storage, uri: str) -> bool:
    """Return whether an image is on the blocklist."""
    return any(storage.exists(f"{_PREFIX}/{name}") for name in _names(uri))


def without_blocked(storage: Storage, images: ImageTable) -> ImageTable:
    """Return the images that are not on the blocklist."""
    blocked = [PurePosixPath(entry.key).name for entry in storage.list(_PREFIX)]
    if not blocked:
        return images
    query = """
        FROM images WHERE sha256(nfc_normalize(uri)) NOT IN (SELECT name FROM blocked)
        AND sha256(uri) NOT IN (SELECT name FROM blocked)
    """
    return ImageTable.select(query, images=images, blocked=pa.table({"name": pa.array(blocked, pa.string())}))


def _names(uri: str) -> list[str]:
    """Return the names of an image's object: for its URI with composed characters, and for the unchanged URI.

    Composed and decomposed characters name the same image. Libraries from before used the URI as it is.
    """
    forms = dict.fromkeys((unicodedata.normalize("NFC", uri), uri))
    return [hashlib.sha256(form.encode()).hexdigest() for form in forms]
