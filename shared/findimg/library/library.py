"""A library in a storage, and its versions."""

import hashlib
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from findimg.errors import LibraryError, ObjectMissingError, StorageError
from findimg.library.layout import CURRENT, MANIFEST_FILE, VERSIONS, version_key
from findimg.library.manifest import FileEntry, Manifest, SegmentEntry, parse_manifest
from findimg.storage.base import Storage, open_storage
from findimg.storage.folder import hash_file

_RECOVERY = "Go back with findimg-jobs rollback, or publish again with index."
_log = logging.getLogger(__name__)
_VERSION_NAME = re.compile(r"[0-9A-Za-z-]{1,100}")


@dataclass(frozen=True, slots=True)
class Version:
    """A complete version whose files are on this machine."""

    manifest: Manifest
    root: Path  # the folder that has the library's layout: the library itself, or its cache on this machine

    def path(self, file: str) -> Path:
        """Return the path of one of the version's own files."""
        return self.root / self.manifest.file_key(file)

    def folder(self, segment: SegmentEntry) -> Path:
        """Return the folder with the files of a segment."""
        return self.root / self.manifest.segment_folder(segment)

    @property
    def parts(self) -> "tuple[Version, ...]":
        """Return one version for each encoder, which has only this encoder's files."""
        return tuple(Version(part, self.root) for part in self.manifest.parts)

    @property
    def for_words(self) -> "Version":
        """Return the version with the files of the encoder that finds images by words."""
        return Version(self.manifest.for_words, self.root)


class Library:
    """A library at a folder, an s3:// prefix or in another storage."""

    def __init__(self, uri: str, cache: Path):
        """Create the library object. Nothing is read yet.

        Args:
            uri: a folder or an s3:// prefix.
            cache: a folder on this machine for versions of libraries that are not in a local folder.

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

    def find_live_version(self) -> str | None:
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
        name = self.find_live_version()
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
        name = self.find_live_version()
        try:
            return self.manifest(name) if name else None
        except LibraryError as error:
            _log.warning("The live version is ignored: %s", error)
            return None

    def open(self, version: str | None = None, all_parts: bool = False) -> Version:
        """Make a version's files available on this machine.

        Files that are not on this machine are fetched once into the cache, and their SHA-256 is checked. In a folder,
        sizes are checked.

        Args:
            version: name of a version. The default is the live one.
            all_parts: also fetch the features of a second encoder that no search uses yet.

        Raises:
            LibraryError: nothing is published, or a file is missing or damaged.
            StorageError: the library cannot be reached, or the cache cannot be written.
        """
        manifest = self.manifest(version or self.live_version())
        files = manifest.search_files()
        if all_parts:
            for part in manifest.parts:
                files |= part.search_files()
        return Version(manifest, self.fetch_files(files))

    def fetch_files(self, files: Mapping[str, FileEntry]) -> Path:
        """Make some of the library's files available on this machine, and return the folder that has them by key.

        Only files that the cache lacks are fetched.

        Args:
            files: what the manifest states about each file, by key.

        Raises:
            LibraryError: a file is missing or damaged.
            StorageError: the library cannot be reached, or the cache cannot be written.
        """
        folder = self.storage.local_path("")
        if folder is None:
            return self._cached(files)
        if incomplete := _incomplete_files(folder, files):
            raise LibraryError(f"{folder / incomplete[0]} is missing or incomplete. {_RECOVERY}")
        return folder

    def local_path(self, key: str, entry: FileEntry) -> Path | None:
        """Return the path of a file that is on this machine, None if it must be fetched."""
        folder = self.storage.local_path("") or self._cache
        return None if _incomplete_files(folder, {key: entry}) else folder / key

    def keep_in_cache(self, path: Path, key: str) -> None:
        """Move a file that was just uploaded into the cache, so that it need not be fetched. In a folder, delete it."""
        if self.storage.local_path(key):
            path.unlink()
            return
        target = self._cache / key
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = _draft(target)
            shutil.move(path, draft)
            draft.replace(target)
        except OSError as error:
            _log.info("%s is not kept in the cache: %s", key, error)

    def drop_cached(self, keep: Iterable[str]) -> None:
        """Remove from this machine's cache what none of some versions uses. The library keeps it.

        Args:
            keep: names of versions. One whose manifest cannot be read keeps everything.

        Raises:
            StorageError: the library cannot be read, or the cache cannot be written.
        """
        try:
            used = {PurePosixPath(key).parent for name in keep for key in self.manifest(name).all_files()}
        except LibraryError as error:
            _log.info("The cache is not cleaned: %s", error)
            return
        cached = open_storage(self._cache.absolute())
        for folder in {PurePosixPath(entry.key).parent for entry in cached.list()} - used:
            cached.clear(str(folder))

    def damaged_folders(self, manifest: Manifest) -> set[str]:
        """Return the folders of the version's files in which a file is missing or has another size.

        `check` also reads the files.

        Raises:
            StorageError: the library cannot be reached.
        """
        files = manifest.all_files()
        folders = {str(PurePosixPath(key).parent) for key in files}
        sizes = {entry.key: entry.size for folder in folders for entry in self.storage.list(folder)}
        return {str(PurePosixPath(key).parent) for key, entry in files.items() if sizes.get(key) != entry.size}

    def check(self, files: Mapping[str, FileEntry]) -> Iterator[str]:
        """Read files back from storage. Yield a sentence for each that is missing or damaged.

        Args:
            files: what the manifest states about each file, by key.

        Raises:
            StorageError: the library cannot be reached.
        """
        for key, expected in files.items():
            try:
                if path := self.storage.local_path(key):
                    actual = hash_file(path)
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

    def _cached(self, files: Mapping[str, FileEntry]) -> Path:
        """Fetch the files that the cache lacks. Each file appears complete and checked, even if others fetch it too."""
        try:
            for key in _incomplete_files(self._cache, files):
                path = self._cache / key
                path.parent.mkdir(parents=True, exist_ok=True)
                draft = _draft(path)
                try:
                    self._fetch(key, files[key], draft)
                    draft.replace(path)
                finally:
                    draft.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"The cache {self._cache} cannot be written: {error.strerror}. "
                "Free some space, or choose another folder with --cache."
            ) from error
        return self._cache

    def _fetch(self, key: str, entry: FileEntry, path: Path) -> None:
        try:
            self.storage.fetch(key, path)
        except ObjectMissingError as error:
            raise LibraryError(f"{self.storage.uri(key)} is missing. {_RECOVERY}") from error
        if hash_file(path) != entry.sha256:
            raise LibraryError(f"{self.storage.uri(key)} is damaged. {_RECOVERY}")


def _draft(path: Path) -> Path:
    """Return the name of a new temporary file beside another one."""
    return path.with_name(f".draft-{secrets.token_hex(8)}")


def _incomplete_files(folder: Path, files: Mapping[str, FileEntry]) -> list[str]:
    """Return the files that `folder` lacks or has with another size, by key."""
    return [
        key
        for key, stated in files.items()
        if not (folder / key).is_file() or (folder / key).stat().st_size != stated.size
    ]
