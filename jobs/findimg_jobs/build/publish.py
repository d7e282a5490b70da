"""Publish a version: write its new files, check them in storage, and replace `CURRENT` last."""

import time
from collections.abc import Iterable

from findimg.errors import NotPublishedError, ObjectMissingError
from findimg.library.layout import CURRENT, MANIFEST_FILE, SEGMENTS, SHARED, VERSIONS, version_key
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg_jobs.build.part_builder import BuiltVersion
from findimg_jobs.store.lock import Lock


def publish(library: Library, built: BuiltVersion, lock: Lock, allow_shrink: bool) -> None:
    """Make a version the live one, or change nothing.

    Only the files that the library lacks are uploaded and read back.

    Args:
        library: the library.
        built: the version.
        lock: the library's lock.
        allow_shrink: publish even if the version has less than half of the live version's images.

    Raises:
        NotPublishedError: too many images would be lost, a file is not complete in storage, or the lock was lost.
        StorageError: the library cannot be written.
    """
    manifest = built.manifest
    live = library.live_manifest()
    before = live.images if live else 0
    if manifest.images * 2 < before and not allow_shrink:
        raise NotPublishedError(
            f"The new version would hold {manifest.images} images where the live one holds {before}. "
            "If the others are really gone, run again with --allow-shrink."
        )
    for key, path in built.uploads.items():
        library.storage.upload(path, key)
    library.storage.write(version_key(manifest.version, MANIFEST_FILE), manifest.to_json())
    problems = list(library.check(built.written))
    if not problems and library.manifest(manifest.version) != manifest:
        problems = ["The manifest in storage differs from the one written."]
    if problems:
        raise NotPublishedError(f"The new version is not complete in storage: {problems[0]} Run again.")
    set_current(library, manifest.version, lock)
    for key, path in built.uploads.items():
        library.keep_in_cache(path, key)


def set_current(library: Library, version: str, lock: Lock) -> None:
    """Make `version` the live one, in one atomic write.

    Raises:
        NotPublishedError: another run took the lock.
    """
    storage, name = library.storage, f"{version}\n".encode()
    try:
        before = storage.read(CURRENT)
    except ObjectMissingError:
        before = None
    lock.check()
    # If this process sleeps here until another run has taken the lock and published, the write fails as well.
    written = storage.create(CURRENT, name) if before is None else storage.swap(CURRENT, before, name)
    # If the answer to a successful write was lost, the retried write is refused although CURRENT is right.
    if not written and storage.read(CURRENT) != name:
        raise NotPublishedError("Another run published first, so this run publishes nothing. Run again.")


def delete_version(library: Library, version: str) -> None:
    """Delete a version that is not the live one. Files that versions share stay, see `delete_unused`."""
    # Delete the manifest first: without it, what is left is not a version.
    library.storage.delete(version_key(version, MANIFEST_FILE))
    library.storage.clear(f"{VERSIONS}/{version}")


def delete_unused(library: Library, kept: Iterable[Manifest], age: float = 0.0) -> int:
    """Delete segments and shared files that no version uses, and return the number of deleted folders.

    Args:
        library: the library.
        kept: the manifests of all versions.
        age: seconds. Folders that changed more recently stay.
    """
    used = {_shared_folder(key) for manifest in kept for key in manifest.all_files()}
    changed: dict[str, float] = {}
    for prefix in (SEGMENTS, SHARED):
        for entry in library.storage.list(prefix):
            folder = _shared_folder(entry.key)
            changed[folder] = max(entry.modified, changed.get(folder, 0.0))
    unused = [folder for folder, time_ in changed.items() if folder not in used and time_ <= time.time() - age]
    for folder in unused:
        library.storage.clear(folder)
    return len(unused)


def _shared_folder(key: str) -> str:
    """Return the folder of a segment, or of a shared file, that a key is in."""
    return "/".join(key.split("/")[:2])
