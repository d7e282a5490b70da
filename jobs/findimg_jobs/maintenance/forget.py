"""Remove images from a library at once, and keep later runs from indexing them again."""

import unicodedata
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa

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
from findimg_jobs.build.write_session import write_to_live
from findimg_jobs.maintenance.duplicates import find_duplicates_of
from findimg_jobs.segments.row_dependencies import segments_with
from findimg_jobs.store.blocklist import block, is_blocked, unblock
from findimg_jobs.store.committed_images import CommittedImages, read_committed, sha256_table
from findimg_jobs.store.delete_rows import delete_rows
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.plan import (
    Plan,
    delete_plan,
    new_run_id,
    planned_runs,
    read_plan,
    read_planned_images,
    write_plan,
)
from findimg_jobs.store.shards import ImageKey, fingerprints
from findimg_jobs.tables.addresses import is_utf8
from findimg_jobs.tables.disk_tables import AnyTable, fetch_query
from findimg_jobs.tables.image_table import ImageTable, uri_table
from findimg_jobs.text_store.text_shards import delete_texts


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
    library = Library(settings.library, settings.cache)
    live = library.manifest(library.live_version())
    stores = _read_stores(library.storage)
    wanted = _in_stored_form(library, frozenset(uris), read_planned_images(library.storage, live.run), stores)
    copies, near_duplicates = find_duplicates_of(library, live, wanted)
    rows = {key.sha256 for key in _keys_of_uris(stores, wanted)}
    kept = {key.sha256 for key in _keys_of_uris(stores, copies)}
    gone = rows - kept
    named = wanted | _uris_of_contents(stores, gone)
    manifests, _ = _versions_and_runs_with(library, named, gone)
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
        plan = read_plan(storage, live.run)
        planned = plan.images
        wanted = _in_stored_form(library, wanted, planned, stores)
        forgotten = planned.with_uris(wanted)
        stay = planned.without_uris_of(forgotten)
        known = stores.get(live.fingerprint)
        if known is None or not known.count_embedded(stay):
            raise LibraryError(
                f"{library.uri} holds no other image, so nothing was changed. Delete the library instead."
            )
        contents = {key.sha256 for key in _keys_of_uris(stores, wanted)}
        sharing = known.select_keys("counts AND sha256 IN (FROM contents)", contents=sha256_table(contents))
        staying = {(image.uri, image.etag) for image in stay.with_uris(key.uri for key in sharing)}
        copies = [key for key in sharing if (key.uri, key.etag) in staying]
        gone = contents - {key.sha256 for key in copies}
        named = wanted | _uris_of_contents(stores, gone)
        # Block the images first, so that an interruption cannot bring them back.
        for uri in sorted(wanted):
            block(storage, uri)
        holding = frozenset(segment.name for segment in segments_with(library, live, named, gone))
        if known.count_embedded(forgotten) or holding:
            run = new_run_id()
            write_plan(storage, Plan(run, stay, folders=plan.folders))
            change = VersionChange(run, stay, allow_shrink=True, rewritten=holding)
            live = publish_images(session, settings, live, change)
        session.lock.check()
        versions = _delete_versions_with(library, named, gone, live)
        # Delete the rows last: a second call needs them to find the content hashes.
        for sha256 in gone:
            storage.delete(thumbnail_key(sha256))
        erase_examples(storage, TaughtLog(storage), contents=gone)
        session.lock.check()
        delete_texts(storage, wanted, gone)
        session.lock.check()
        erased = sum(delete_rows(storage, name, committed, wanted, gone) for name, committed in stores.items())
    staying_uris = tuple(sorted(key.uri for key in copies))
    return ForgetReport(live.version, live.images, erased, len(gone), versions, staying_uris)


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


def _read_stores(storage: Storage) -> dict[str, CommittedImages]:
    """Return what is committed for each encoder, by fingerprint."""
    return {name: read_committed(storage, name) for name in fingerprints(storage)}


def _in_stored_form(
    library: Library, uris: AbstractSet[str], planned: ImageTable, stores: Mapping[str, CommittedImages]
) -> frozenset[str]:
    """Return the URIs as the library stores them.

    A keyboard types composed characters, while macOS writes decomposed ones. Both forms name the same image.

    Raises:
        LibraryError: the library does not know one of the images. A forgotten image is known.
    """
    tables: dict[str, AnyTable] = {"planned": planned.file}
    for number, store in enumerate(stores.values()):
        tables |= {f"keys_{number}": store.keys, f"failures_{number}": store.failures}
    known = " UNION ALL ".join(f"SELECT uri FROM {name}" for name in tables)
    asked = {unicodedata.normalize("NFC", uri): uri for uri in uris if is_utf8(uri)}
    tables["asked"] = pa.table({"form": pa.array(asked, pa.string())})
    query = (
        f"SELECT DISTINCT form, uri FROM (SELECT uri, nfc_normalize(uri) AS form FROM ({known}))"
        " JOIN asked USING (form)"
    )
    stored: dict[str, set[str]] = {}
    for row in fetch_query(query, tables).to_pylist():
        stored.setdefault(row["form"], set()).add(row["uri"])
    found: set[str] = set()
    for uri in sorted(uris):
        forms = stored.get(unicodedata.normalize("NFC", uri), set())
        if not forms and not is_blocked(library.storage, uri):
            raise LibraryError(
                f"{uri} is not in {library.uri}, so nothing was changed. Use a URI that findimg-bot ask --json prints."
            )
        found |= {uri} if uri in forms or not forms else forms
    return frozenset(found)


def _keys_of_uris(stores: Mapping[str, CommittedImages], uris: AbstractSet[str]) -> list[ImageKey]:
    """Return the rows of some images, of every encoder and every version."""
    wanted = uri_table(uris)
    return [key for each in stores.values() for key in each.select_keys("uri IN (FROM uris)", uris=wanted)]


def _uris_of_contents(stores: Mapping[str, CommittedImages], hashes: AbstractSet[str]) -> set[str]:
    """Return all images that had one of some contents, by SHA-256."""
    wanted = sha256_table(hashes)
    return {key.uri for each in stores.values() for key in each.select_keys("sha256 IN (FROM hashes)", hashes=wanted)}


def _delete_versions_with(library: Library, uris: AbstractSet[str], hashes: AbstractSet[str], live: Manifest) -> int:
    """Delete all versions, segments and plans that may hold one of the images. Return the number of versions."""
    manifests, runs = _versions_and_runs_with(library, uris, hashes)
    old = [manifest for manifest in manifests if manifest.version != live.version]
    for manifest in old:
        delete_version(library, manifest.version)
    kept = [library.manifest(version) for version in library.versions()]
    delete_unused(library, kept)
    library.drop_cached(keep=[manifest.version for manifest in kept])
    for run in runs - {live.run}:
        delete_plan(library.storage, run)
    return len(old)


def _versions_and_runs_with(
    library: Library, uris: AbstractSet[str], hashes: AbstractSet[str]
) -> tuple[list[Manifest], set[str]]:
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
        return not len(read_planned_images(storage, run).with_uris(uris))
    except LibraryError:
        return False  # an unreadable plan may name one of the images
