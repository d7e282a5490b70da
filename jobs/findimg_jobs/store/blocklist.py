"""The images that a library was told to forget: no run indexes them again until it is told otherwise."""

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

from findimg.storage.base import Storage
from findimg_jobs.indexing.sources import SourceImage

# An empty object for each, called by the SHA-256 of its URI: a name of a file can be the name of a person.
_PREFIX = "forgotten"


def block(storage: Storage, uri: str) -> None:
    """Has an image forgotten from now on."""
    storage.create(_key(uri), b"")


def unblock(storage: Storage, uri: str) -> None:
    """Lets an image be indexed again."""
    storage.delete(_key(uri))


def is_blocked(storage: Storage, uri: str) -> bool:
    """Whether an image is to be forgotten."""
    return storage.exists(_key(uri))


def without_blocked(storage: Storage, images: Iterable[SourceImage]) -> list[SourceImage]:
    """Those of the images that are not to be forgotten."""
    marks = {PurePosixPath(entry.key).name for entry in storage.list(_PREFIX)}
    return [image for image in images if not marks or _name(image.uri) not in marks]


def _key(uri: str) -> str:
    return f"{_PREFIX}/{_name(uri)}"


def _name(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()
