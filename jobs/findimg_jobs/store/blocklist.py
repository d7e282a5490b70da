"""The blocklist of a library: forgotten images, which no run indexes again until they are allowed."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from findimg.storage.base import Storage
from findimg_jobs.indexing.records import SourceImage

# One empty object per image, named after the SHA-256 of its URI, because a file name can contain a person's name.
_PREFIX = "forgotten"


def block(storage: Storage, uri: str) -> None:
    """Add an image to the blocklist."""
    storage.create(_key(uri), b"")


def unblock(storage: Storage, uri: str) -> None:
    """Remove an image from the blocklist."""
    storage.delete(_key(uri))


def is_blocked(storage: Storage, uri: str) -> bool:
    """Return whether an image is on the blocklist."""
    return storage.exists(_key(uri))


def without_blocked(storage: Storage, images: Iterable[SourceImage]) -> list[SourceImage]:
    """Return the images that are not on the blocklist."""
    blocked = {PurePosixPath(entry.key).name for entry in storage.list(_PREFIX)}
    return [image for image in images if not blocked or _name(image.uri) not in blocked]


def _key(uri: str) -> str:
    return f"{_PREFIX}/{_name(uri)}"


def _name(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()
