"""A library at a folder or in S3, and its versions."""

import hashlib
import logging
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from findimg.errors import LibraryError, ObjectMissingError, StorageError
from findimg.library.layout import CURRENT, MANIFEST_FILE, VERSIONS, version_key
from findimg.library.manifest import Manifest, hash_file, parse_manifest
from findimg.storage.base import Storage, open_storage
from findimg.storage.folder import FolderStorage

_RECOVERY = "Go back with findimg-jobs rollback, or publish again with index."
_log = logging.getLogger(__name__)
_VERSION_NAME = re.compile(r"[0-9A-Za-z-]{1,100}")


@dataclass(frozen=True, slots=True)
class Version:
    """A complete version whose files are on this machine."""

    manifest: Manifest
    folder: Path


class Library:
    """A library at a folder or an s3:// prefix."""

    def __init__(self, uri: str, cache: Path):
        """Create the library object. Nothing is read yet.

        Args:
            uri: a folder or an s3:// prefix.
            cache: a folder on this machine for versions of libraries in S3.

        Raises:
            LibraryError: `uri` is empty.
        """
        if not uri:
            raise LibraryError("No library is named. Give --library or set FINDIMG_LIBRARY.")
        self.storage: Storage = open_storage(uri)
        self._cache = cache / "libraries" / hashlib.sha256(os.fsencode(self.storage.root)).hexdigest()[:16]

    @property
    def uri(self) -> str:
        """The library's address."""
        return self.storage.root

    def current(self) -> str | None:
        """Return the live version's name, or None before the first publish.

        Raises:
            LibraryError: CURRENT does not hold a version's name.
        """
        try:
            name = self.storage.read(CURRENT, limit=200).decode("ascii", "replace").strip()
        except ObjectMissingError:
            return None
        if not _VERSION_NAME.fullmatch(name):
            raise LibraryError(
                f"{self.storage.uri(CURRENT)} names no version. Write the name of a folder in "
                f"{self.storage.uri(VERSIONS)} into it. Received: {name!r}."
            )
        return name

    def live_version(self) -> str:
        """Return the live version's name.

        Raises:
            LibraryError: nothing is published, or CURRENT does not hold a version's name.
        """
        name = self.current()
        if name is None:
            raise self.not_published()
        return name

    def not_published(self) -> LibraryError:
        """Return the error for a library without a live version."""
        return LibraryError(f"Nothing is published in {self.uri}. Run findimg-jobs index first.")

    def check_published(self) -> None:
        """Check that the library has a version, even if CURRENT is damaged.

        Call it before taking the lock, which would create a library that does not exist.

        Raises:
            LibraryError: nothing is published.
        """
        if not self.versions():
            raise self.not_published()

    def versions(self) -> list[str]:
        """Return the names of all complete versions, oldest first."""
        keys = [entry.key.split("/") for entry in self.storage.list(VERSIONS)]
        return sorted(key[1] for key in keys if key[2:] == [MANIFEST_FILE] and _VERSION_NAME.fullmatch(key[1]))

    def manifest(self, version: str) -> Manifest:
        """Read a version's manifest.

        Raises:
            LibraryError: the version does not exist, or its manifest is malformed or has an unknown schema.
        """
        key = version_key(version, MANIFEST_FILE)
        missing = f"{self.uri} has no version {version!r}. `findimg-jobs versions` lists them."
        if not _VERSION_NAME.fullmatch(version):
            raise LibraryError(missing)
        try:
            text = self.storage.read(key)
        except ObjectMissingError as error:
            raise LibraryError(missing) from error
        manifest = parse_manifest(text, self.storage.uri(key))
        if manifest.version != version:
            raise LibraryError(
                f"{self.storage.uri(key)} is the manifest of {manifest.version!r}. Publish again with index."
            )
        return manifest

    def live_manifest(self) -> Manifest | None:
        """Return the live version's manifest; None before the first publish, or if this findimg cannot read it.

        An unreadable manifest is logged. It must not prevent a new version.

        Raises:
            LibraryError: CURRENT does not hold a version's name.
        """
        name = self.current()
        try:
            return self.manifest(name) if name else None
        except LibraryError as error:
            _log.warning("The live version is ignored: %s", error)
            return None

    def open(self, version: str | None = None) -> Version:
        """Make a version's files available on this machine.

        Files in S3 are fetched once into the cache, and their SHA-256 is checked. In a folder, sizes are checked.

        Args:
            version: name of a version. The default is the live one.

        Raises:
            LibraryError: nothing is published, or a file is missing or damaged.
            StorageError: the library cannot be reached, or the cache cannot be written.
        """
        name = version or self.live_version()
        manifest = self.manifest(name)
        if not isinstance(self.storage, FolderStorage):
            return Version(manifest, self._cached(manifest))
        folder = self.storage.path(f"{VERSIONS}/{name}")
        if incomplete := _incomplete_files(folder, manifest):
            raise LibraryError(f"{folder / incomplete[0]} is missing or incomplete. {_RECOVERY}")
        return Version(manifest, folder)

    def drop_cached(self, before: str) -> None:
        """Remove versions older than `before` from this machine's cache. The library keeps them.

        Raises:
            StorageError: the cache cannot be written.
        """
        cached = FolderStorage(str(self._cache))
        for version in {entry.key.split("/")[0] for entry in cached.list()}:
            if version < before:
                cached.clear(version)

    def is_whole(self, manifest: Manifest) -> bool:
        """Return whether every file of a version exists with its stated size. `check` also reads the files.

        Raises:
            StorageError: the library cannot be reached.
        """
        folder = f"{VERSIONS}/{manifest.version}"
        sizes = {entry.key: entry.size for entry in self.storage.list(folder)}
        return all(
            sizes.get(version_key(manifest.version, file)) == stated.size for file, stated in manifest.files.items()
        )

    def check(self, manifest: Manifest) -> Iterator[str]:
        """Read every file of a version back from storage. Yield a sentence for each that is missing or damaged.

        Raises:
            StorageError: the library cannot be reached.
        """
        for file, expected in manifest.files.items():
            key = version_key(manifest.version, file)
            try:
                if isinstance(self.storage, FolderStorage):
                    actual = hash_file(self.storage.path(key))
                else:
                    with tempfile.NamedTemporaryFile() as scratch:
                        self.storage.fetch(key, Path(scratch.name))
                        actual = hash_file(Path(scratch.name))
            except (ObjectMissingError, FileNotFoundError):
                yield f"{self.storage.uri(key)} is missing."
            except OSError as error:
                yield f"{self.storage.uri(key)} cannot be read: {error.strerror}."
            else:
                if actual != expected.sha256:
                    yield f"{self.storage.uri(key)} has SHA-256 {actual}, the manifest says {expected.sha256}."

    def _cached(self, manifest: Manifest) -> Path:
        """Fetch the files that the cache lacks. Each file appears complete and checked, even if others fetch it too."""
        folder = self._cache / manifest.version
        try:
            for file in _incomplete_files(folder, manifest):
                path = folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                draft = path.with_name(f".draft-{secrets.token_hex(8)}")
                try:
                    self._fetch(manifest, file, draft)
                    draft.replace(path)
                finally:
                    draft.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"The cache {folder} cannot be written: {error.strerror}. "
                "Free some space, or choose another folder with --cache."
            ) from error
        return folder

    def _fetch(self, manifest: Manifest, file: str, path: Path) -> None:
        key = version_key(manifest.version, file)
        try:
            self.storage.fetch(key, path)
        except ObjectMissingError as error:
            raise LibraryError(f"{self.storage.uri(key)} is missing. {_RECOVERY}") from error
        if hash_file(path) != manifest.files[file].sha256:
            raise LibraryError(f"{self.storage.uri(key)} is damaged. {_RECOVERY}")


def _incomplete_files(folder: Path, manifest: Manifest) -> list[str]:
    """Return the files of a version that `folder` lacks or has with another size."""
    return [
        file
        for file, stated in manifest.files.items()
        if not (folder / file).is_file() or (folder / file).stat().st_size != stated.size
    ]
