"""Remove images from a library at once, and keep later runs from indexing them again."""

import unicodedata
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain

from findimg.errors import LibraryError
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg.taught.log import TaughtLog
from findimg.taught.teaching import erase_examples
from findimg.terminal import counted
from findimg_jobs.build.publish import delete_unused, delete_version
from findimg_jobs.build.rebuild import VersionChange, publish_images
from findimg_jobs.build.reuse import segments_with
from findimg_jobs.build.session import write_to_live
from findimg_jobs.indexing.plan import (
    Plan,
    delete_plan,
    new_run_id,
    planned_runs,
    read_folders,
    read_images,
    write_plan,
)
from findimg_jobs.indexing.records import SourceImage
from findimg_jobs.maintenance.duplicates import find_others
from findimg_jobs.store.blocklist import block, is_blocked, unblock
from findimg_jobs.store.delete_rows import delete_rows
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.shards import CommittedShard, ImageKey, combine_shards, fingerprints, read_shards
from findimg_jobs.store.texts import delete_texts


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """Counts of what `forget` removed."""

    version: str  # the live version, without the images
    images: int  # in the live version
    rows: int  # rows removed from the embedding store
    thumbnails: int  # thumbnails removed
    versions: int  # versions removed because they held one of the images
    copies: tuple[str, ...]  # URIs of images that stay and have the same content

    def lines(self) -> list[str]:
        """Return the report as lines of text for a person."""
        lines = [
            f"Version {self.version} with {counted(self.images, 'image')} is live. "
            "It does not contain the forgotten images.",
            f"Removed {self.rows} rows of embeddings, {self.thumbnails} thumbnails and {self.versions} versions.",
        ]
        if self.copies:
            lines.append(f"The same content stays in the library under {', '.join(self.copies)}.")
        return lines


@dataclass(frozen=True, slots=True)
class ForgetPreview:
    """What `forget` would remove, and what it would leave."""

    uris: tuple[str, ...]  # the images to forget
    copies: tuple[str, ...]  # URIs in the live version with the same content, which stay
    near_duplicates: tuple[str, ...]  # URIs in the live version that look the same, which stay
    versions: tuple[str, ...]  # earlier versions that hold one of the images and would be deleted

    def lines(self) -> list[str]:
        """Return the preview as lines of text for a person."""
        return [
            *(f"Forget: {uri}" for uri in self.uris),
            *(f"Copy, stays: {uri}" for uri in self.copies),
            *(f"Near-duplicate, stays: {uri}" for uri in self.near_duplicates),
            *(f"Earlier version, deleted: {version}" for version in self.versions),
        ]


def preview_forget(settings: Settings, uris: Sequence[str]) -> ForgetPreview:
    """Return what `forget` would do, without changing anything.

    Raises:
        LibraryError: an image is not in the library.
    """
    library, wanted = Library(settings.library, settings.cache), frozenset(uris)
    live = library.manifest(library.live_version())
    stores = _read_stores(library.storage)
    planned = read_images(library.storage, live.run)
    wanted = _in_stored_form(wanted, _uris(planned, stores))
    _check_known(library, wanted, planned, stores)
    copies, near_duplicates = find_others(library, live, wanted)
    rows = {key.sha256 for key in _keys(stores) if key.uri in wanted}
    kept = {key.sha256 for key in _keys(stores) if key.uri in copies}
    gone = rows - kept
    named = wanted | {key.uri for key in _keys(stores) if key.sha256 in gone}
    manifests, _ = _naming(library, named, gone)
    versions = [each.version for each in manifests if each.version != live.version]
    return ForgetPreview(
        tuple(sorted(wanted)), tuple(sorted(copies)), tuple(sorted(near_duplicates)), tuple(sorted(versions))
    )


def forget(settings: Settings, uris: Sequence[str]) -> ForgetReport:
    """Remove images from the library and block later runs from indexing them.

    The function publishes a version without the images. Then it deletes their embeddings, their thumbnails and all
    earlier versions that hold one of them, so that a rollback cannot restore them. Content that another image of the
    live version shares stays. After an interruption, a second call completes the work.

    Raises:
        LibraryError: an image is not in the library, or the library holds no other image. Nothing was changed.
        LockedError: another run is writing. Nothing was changed.
        FindimgError: the work could not be completed.
    """
    wanted = frozenset(uris)
    with write_to_live(settings) as (session, live):
        library, storage = session.library, session.library.storage
        stores = _read_stores(storage)
        known = combine_shards(stores.get(live.fingerprint, []))
        planned = read_images(storage, live.run)
        wanted = _in_stored_form(wanted, _uris(planned, stores))
        _check_known(library, wanted, planned, stores)
        held = [image for image in planned if known.is_embedded(image)]
        stay = {known.keys[image.uri, image.version] for image in held if image.uri not in wanted}
        if not stay:
            raise LibraryError(
                f"{library.uri} holds no other image, so nothing was changed. Delete the library instead."
            )
        kept = {key.sha256 for key in stay}
        rows = [key for key in _keys(stores) if key.uri in wanted]
        gone = {key.sha256 for key in rows} - kept
        named = wanted | {key.uri for key in _keys(stores) if key.sha256 in gone}
        # Block the images first, so that an interruption cannot bring them back.
        for uri in sorted(wanted):
            block(storage, uri)
        holding = frozenset(segment.name for segment in segments_with(library, live, named, gone))
        if len(stay) < len(held) or holding:
            run = new_run_id()
            images = tuple(image for image in planned if image.uri not in wanted)
            write_plan(storage, Plan(run, images, (), read_folders(storage, live.run)))
            change = VersionChange(run, images, allow_shrink=True, rewritten=holding)
            live = publish_images(session, settings, live, change)
        session.lock.check()
        versions = _withdraw(library, named, gone, live)
        # Delete the rows last: a second call needs them to find the content hashes.
        for sha256 in gone:
            storage.delete(thumbnail_key(sha256))
        erase_examples(storage, TaughtLog(storage), contents=gone)
        session.lock.check()
        delete_texts(storage, wanted, gone)
        session.lock.check()
        erased = sum(delete_rows(storage, name, shards, wanted, gone) for name, shards in stores.items())
    contents = {key.sha256 for key in rows}
    copies = tuple(sorted(key.uri for key in stay if key.sha256 in contents))
    return ForgetReport(live.version, live.images, erased, len(gone), versions, copies)


def allow(settings: Settings, uris: Sequence[str]) -> None:
    """Unblock forgotten images, so that the next run may index them.

    Raises:
        LibraryError: one of the images was not forgotten. Nothing was changed.
        LockedError: another run is writing. Nothing was changed.
    """
    library = Library(settings.library, settings.cache)
    library.live_version()  # taking the lock of a library that does not exist would create it
    with hold_lock(library.storage):
        for uri in uris:
            if not is_blocked(library.storage, uri):
                raise LibraryError(f"{uri} was not forgotten in {library.uri}, so nothing was changed.")
        for uri in uris:
            unblock(library.storage, uri)


def _check_known(
    library: Library,
    wanted: AbstractSet[str],
    planned: Sequence[SourceImage],
    stores: dict[str, list[CommittedShard]],
) -> None:
    for uri in sorted(wanted - _uris(planned, stores)):
        if not is_blocked(library.storage, uri):
            raise LibraryError(
                f"{uri} is not in {library.uri}, so nothing was changed. Use a URI that findimg-bot ask --json prints."
            )


def _read_stores(storage: Storage) -> dict[str, list[CommittedShard]]:
    """Return the committed shards of each encoder, by fingerprint."""
    return {name: read_shards(storage, name) for name in fingerprints(storage)}


def _in_stored_form(uris: AbstractSet[str], stored: AbstractSet[str]) -> frozenset[str]:
    """Return the URIs as the library stores them.

    A keyboard types composed characters, while macOS writes decomposed ones. Both forms name the same image.
    """
    by_form: dict[str, list[str]] = {}
    if not uris <= stored:
        for uri in stored:
            by_form.setdefault(unicodedata.normalize("NFC", uri), []).append(uri)
    forms = ([uri] if uri in stored else by_form.get(unicodedata.normalize("NFC", uri), [uri]) for uri in uris)
    return frozenset(chain.from_iterable(forms))


def _keys(stores: dict[str, list[CommittedShard]]) -> Iterator[ImageKey]:
    return (key for shards in stores.values() for shard in shards for key in shard.keys)


def _uris(planned: Sequence[SourceImage], stores: dict[str, list[CommittedShard]]) -> set[str]:
    """Return all URIs that the library knows."""
    failed = {failure.uri for shards in stores.values() for shard in shards for failure in shard.failures}
    return failed | {image.uri for image in planned} | {key.uri for key in _keys(stores)}


def _withdraw(library: Library, uris: AbstractSet[str], hashes: AbstractSet[str], live: Manifest) -> int:
    """Delete all versions, segments and plans that may hold one of the images. Return the number of versions."""
    manifests, runs = _naming(library, uris, hashes)
    old = [manifest for manifest in manifests if manifest.version != live.version]
    for manifest in old:
        delete_version(library, manifest.version)
    kept = [library.manifest(version) for version in library.versions()]
    delete_unused(library, kept)
    library.drop_cached(keep=[manifest.version for manifest in kept])
    for run in runs - {live.run}:
        delete_plan(library.storage, run)
    return len(old)


def _naming(library: Library, uris: AbstractSet[str], hashes: AbstractSet[str]) -> tuple[list[Manifest], set[str]]:
    """Return the versions and the planned runs that may hold one of the images, even as a deleted row."""
    planned = planned_runs(library.storage)
    unrelated = {run for run in planned if _names_none_of(library.storage, run, uris)}
    manifests = [library.manifest(version) for version in library.versions()]
    naming = [
        manifest
        for manifest in manifests
        if manifest.run not in unrelated or segments_with(library, manifest, uris, hashes)
    ]
    return naming, planned - unrelated


def _names_none_of(storage: Storage, run: str, uris: AbstractSet[str]) -> bool:
    try:
        return all(image.uri not in uris for image in read_images(storage, run))
    except LibraryError:
        return False  # an unreadable plan may name one of the images
