"""Publishing: a version's files first, verified from storage, `CURRENT` last."""

from pathlib import Path

from findimg.errors import NotPublishedError, ObjectMissingError
from findimg.library.library import Library, Manifest
from findimg_jobs.store.lock import Lock


def publish(library: Library, manifest: Manifest, folder: Path, lock: Lock, allow_shrink: bool) -> None:
    """Makes a version the live one, or leaves everything as it is.

    Args:
        folder: holds the files that the manifest names, but those that workers have put into the version themselves.
        allow_shrink: publish even when more than half of the live version's images would be lost.

    Raises:
        NotPublishedError: too many images would be lost, a file did not arrive whole, or the lock was lost.
        StorageError: the library cannot be written.
    """
    name = library.current()
    before = library.manifest(name).images if name else 0
    if manifest.images * 2 < before and not allow_shrink:
        raise NotPublishedError(
            f"The new version would hold {manifest.images} images where the live one holds {before}; "
            "if so many are really gone, run again with --allow-shrink."
        )
    for file in manifest.files:
        if (folder / file).exists():
            library.storage.upload(folder / file, f"versions/{manifest.version}/{file}")
    library.storage.write(
        f"versions/{manifest.version}/manifest.json", manifest.model_dump_json(by_alias=True, indent=1).encode()
    )
    problems = list(library.check(manifest))
    if not problems and library.manifest(manifest.version) != manifest:
        problems = ["The manifest reads back as another."]
    if problems:
        raise NotPublishedError(f"The new version did not arrive whole: {problems[0]} Run again.")
    set_current(library, manifest.version, lock)


def set_current(library: Library, version: str, lock: Lock) -> None:
    """Names `version` the live one, in one atomic write.

    Raises:
        NotPublishedError: another run took the lock meanwhile.
    """
    storage, name = library.storage, f"{version}\n".encode()
    try:
        before = storage.read("CURRENT")
    except ObjectMissingError:
        before = None
    lock.check()
    # Nor does it pass when this process sleeps from here until another run has taken the lock and published.
    flipped = storage.create("CURRENT", name) if before is None else storage.swap("CURRENT", before, name)
    # The answer to a write that succeeded may get lost, and the repeated one is refused.
    if not flipped and storage.read("CURRENT") != name:
        raise NotPublishedError("Another run has published meanwhile, so this one publishes nothing; run again.")


def delete_version(library: Library, version: str) -> None:
    """Removes a version that is not the live one."""
    # Without its manifest it is no version, however much of it is left.
    library.storage.delete(f"versions/{version}/manifest.json")
    library.storage.clear(f"versions/{version}")
