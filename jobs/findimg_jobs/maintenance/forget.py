"""Forgetting: images leave a library at once, whether or not their sources still hold them, and do not come back."""

import secrets
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from findimg.errors import LibraryError
from findimg.library.library import Library, thumbnail_key
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg_jobs.build.publish import delete_version
from findimg_jobs.engines.base import Engine
from findimg_jobs.indexing.plan import Plan, delete_plan, planned_runs, read_images, write_plan
from findimg_jobs.indexing.run import publish_again
from findimg_jobs.indexing.sources import SourceImage
from findimg_jobs.store.blocklist import block, is_blocked, unblock
from findimg_jobs.store.delete_rows import delete_rows
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.shards import CommittedShard, ImageKey, combine_shards, read_shards


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What forgetting did."""

    version: str  # the live one, which holds none of the images
    images: int  # in it
    rows: int  # removed from the embedding store
    thumbnails: int  # removed
    versions: int  # removed, for they held one of the images
    copies: tuple[str, ...]  # other images with the content of a forgotten one, which stay

    def lines(self) -> list[str]:
        """What was done, for a person."""
        told = [
            f"Version {self.version} with {self.images} images is live and holds none of the forgotten.",
            f"Removed {self.rows} rows of embeddings, {self.thumbnails} thumbnails and {self.versions} versions.",
        ]
        if self.copies:
            told.append(f"The same content stays, for it is also at {', '.join(self.copies)}.")
        return told


def forget(settings: Settings, uris: Sequence[str]) -> Forgotten:
    """Removes images from the live version, and whatever else the library has of them; no run indexes them again.

    Content that another image of the live version holds as well stays, with its vectors and its thumbnail. Versions
    that held one of the images are removed, so that no rollback brings it back. Interrupted at any moment, a second
    call finishes it.

    Raises:
        LibraryError: one of them is not in the library, or nothing else is; nothing was changed.
        LockedError: a run is going on; nothing was changed.
        FindimgError: it could not be finished.
    """
    library, wanted = Library(settings.library, settings.cache), frozenset(uris)
    storage = library.storage
    _check_published(library)
    with Engine(settings) as engine, hold_lock(storage) as lock:
        live = library.manifest(str(library.current()))
        stores = {name: read_shards(storage, name) for name in _fingerprints(storage)}
        known = combine_shards(stores.get(live.fingerprint, []))
        planned = read_images(storage, live.run)
        for uri in sorted(wanted - _uris(planned, stores)):
            if not is_blocked(storage, uri):
                raise LibraryError(
                    f"{uri} is not in {library.uri}, so nothing was changed; name it as findimg-bot ask --json does."
                )
        held = [image for image in planned if known.embedded(image)]
        stay = {known.keys[image.uri, image.version] for image in held if image.uri not in wanted}
        if not stay:
            raise LibraryError(f"{library.uri} holds nothing else; nothing was changed. Delete the library instead.")
        # From here on no run brings them back, wherever this one ends.
        for uri in sorted(wanted):
            block(storage, uri)
        if len(stay) < len(held):
            run = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(2)}"
            images = tuple(image for image in planned if image.uri not in wanted)
            write_plan(storage, Plan(run, images, ()))
            live = publish_again(settings, library, live, run, images, lock, engine, allow_shrink=True)
        kept = {key.sha256: key.uri for key in stay}
        rows = [key for key in _keys(stores) if key.uri in wanted]
        gone = {key.sha256 for key in rows} - kept.keys()
        lock.check()
        versions = _withdraw(library, wanted | {key.uri for key in _keys(stores) if key.sha256 in gone}, live.version)
        # The rows go last: they tell a second call which content this was.
        for sha256 in gone:
            storage.delete(thumbnail_key(sha256))
        lock.check()
        erased = sum(delete_rows(storage, name, shards, wanted, gone) for name, shards in stores.items())
    copies = tuple(sorted({kept[key.sha256] for key in rows if key.sha256 in kept}))
    return Forgotten(live.version, live.images, erased, len(gone), versions, copies)


def allow(settings: Settings, uris: Sequence[str]) -> None:
    """Lets forgotten images be indexed again, by the next run that finds them.

    Raises:
        LibraryError: one of them was not forgotten; nothing was changed.
        LockedError: a run is going on; nothing was changed.
    """
    library = Library(settings.library, settings.cache)
    _check_published(library)
    with hold_lock(library.storage):
        for uri in uris:
            if not is_blocked(library.storage, uri):
                raise LibraryError(f"{uri} was not forgotten in {library.uri}, so nothing was changed.")
        for uri in uris:
            unblock(library.storage, uri)


def _check_published(library: Library) -> None:
    # Taking the lock of a library that is not there would create it.
    if library.current() is None:
        raise LibraryError(f"Nothing is published in {library.uri}; run findimg-jobs index first.")


def _fingerprints(storage: Storage) -> set[str]:
    return {entry.key.split("/")[1] for entry in storage.list("embeddings")}


def _keys(stores: dict[str, list[CommittedShard]]) -> Iterator[ImageKey]:
    return (key for shards in stores.values() for shard in shards for key in shard.keys)


def _uris(planned: Sequence[SourceImage], stores: dict[str, list[CommittedShard]]) -> set[str]:
    """Everything that the library knows by name."""
    failed = {failure.uri for shards in stores.values() for shard in shards for failure in shard.failures}
    return failed | {image.uri for image in planned} | {key.uri for key in _keys(stores)}


def _withdraw(library: Library, uris: AbstractSet[str], live: str) -> int:
    """Removes the versions that may hold one of the images, and the plans that may name one; how many versions."""
    runs = planned_runs(library.storage)
    clear = {run for run in runs if _is_clear_of(library.storage, run, uris)}
    manifests = [library.manifest(version) for version in library.versions()]
    old = [manifest for manifest in manifests if manifest.version != live and manifest.run not in clear]
    for manifest in old:
        delete_version(library, manifest.version)
    library.drop_cached(before=live)
    for run in runs - clear - {manifest.run for manifest in manifests if manifest.version == live}:
        delete_plan(library.storage, run)
    return len(old)


def _is_clear_of(storage: Storage, run: str, uris: AbstractSet[str]) -> bool:
    try:
        return all(image.uri not in uris for image in read_images(storage, run))
    except LibraryError:
        return False  # what cannot be read may name one
