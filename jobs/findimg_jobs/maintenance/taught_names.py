"""Verify taught names, and delete the thumbnails of examples that no name uses."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from findimg.errors import LibraryError, ObjectMissingError
from findimg.library.layout import TAUGHT_THUMBNAILS, taught_thumbnail_key, thumbnail_key
from findimg.storage.base import Storage
from findimg.taught.events import EVENTS, MOST_BYTES, ExampleEvent, parse_event
from findimg.taught.log import TaughtLog

_READERS = 16


def used_contents(storage: Storage) -> set[str]:
    """Return the SHA-256 of every image that is an example, which another encoder embeds from its thumbnail.

    Raises:
        StorageError: the library cannot be reached.
    """
    return {event.example.sha256 for event in TaughtLog(storage).refresh().events}


def prune_taught(storage: Storage, used: set[str], grace: float) -> int:
    """Delete thumbnails of examples that were taken back. Return their number.

    Args:
        storage: of the library.
        used: SHA-256 of the images that are examples.
        grace: seconds to keep a thumbnail, because its example may be written just now.
    """
    old = time.time() - grace
    unused = [
        entry.key
        for entry in storage.list(TAUGHT_THUMBNAILS)
        if (sha256 := PurePosixPath(entry.key).stem) not in used
        and entry.key == taught_thumbnail_key(sha256)
        and entry.modified <= old
    ]
    for key in unused:
        storage.delete(key)
    return len(unused)


def verify_taught(storage: Storage) -> list[str]:
    """Return the problems of taught names: damaged events, and uploaded examples without a thumbnail.

    Raises:
        StorageError: the library cannot be reached.
    """
    keys = [entry.key for entry in storage.list(EVENTS)]
    with ThreadPoolExecutor(_READERS) as readers:
        damaged = list(filter(None, readers.map(lambda key: _problem(storage, key), keys)))
    kept = {PurePosixPath(entry.key).stem for entry in storage.list(TAUGHT_THUMBNAILS)}
    uploads = (event for event in TaughtLog(storage).refresh().events if not event.example.uri)
    missing = [event for event in uploads if event.example.sha256 not in kept]
    return [*damaged, *(_missing(event) for event in missing if not _is_indexed(storage, event))]


def _problem(storage: Storage, key: str) -> str:
    try:
        parse_event(key, storage.read(key, limit=MOST_BYTES + 1))
    except ObjectMissingError:
        return ""  # deleted since it was listed
    except LibraryError as error:
        return f"{key} is not a taught event: {error}. It is ignored. Delete it."
    return ""


def _is_indexed(storage: Storage, event: ExampleEvent) -> bool:
    return storage.exists(thumbnail_key(event.example.sha256))


def _missing(event: ExampleEvent) -> str:
    return (
        f"The example {event.example.sha256} of {event.name!r} has no thumbnail, so another encoder cannot embed it. "
        "Teach it again."
    )
