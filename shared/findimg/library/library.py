"""The library's layout, its manifest, and opening a version from a folder or from S3."""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from findimg.errors import LibraryError, ObjectMissingError, StorageError
from findimg.storage.base import Storage, open_storage
from findimg.storage.folder import FolderStorage

SCHEMA: Literal[1] = 1
_WAYS_OUT = "Go back with findimg-jobs rollback, or publish again with index."
_VERSION_NAME = re.compile(r"[0-9A-Za-z-]{1,100}")


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or name == "." or "\0" in name:
        raise ValueError(f"{name!r} is no file name inside a version")
    return name


class File(BaseModel):
    """One file of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: NonNegativeInt  # bytes
    sha256: str  # hex


class Index(BaseModel):
    """One Annoy index of a version: `<name>-000.ann`, `<name>-001.ann`, …"""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dim: PositiveInt
    counts: list[PositiveInt]  # items in each partition
    search_k: NonNegativeInt  # calibrated effort for recall@10
    recall: float  # recall@10 measured at that effort


class Manifest(BaseModel):
    """How a version was made and what it consists of."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)
    schema_: Literal[1] = Field(default=SCHEMA, alias="schema")
    version: str
    created: str  # ISO 8601, UTC
    run: str  # the run whose plan names the images
    inputs: str  # hash of everything the version depends on: equal inputs, equal version
    backbone: str
    fingerprint: str
    words: str
    head: str  # empty when there is none
    dim: PositiveInt  # of the visual embedding
    visual_dim: str  # as asked for: full, or the dimensions after projection
    coherence: list[float]  # of the exact 10 nearest, the share with the query's class: full, then projected
    sources: list[str]
    images: PositiveInt
    failed: NonNegativeInt
    visual: Index
    noise: float  # the strength a term must exceed to be shown by anything here
    joint: Index | None  # None when the backbone has no classes and no head was trained
    files: dict[Annotated[str, AfterValidator(_inside)], File]


@dataclass(frozen=True, slots=True)
class Version:
    """A complete version as files on this machine."""

    manifest: Manifest
    folder: Path


def thumbnail_key(sha256: str) -> str:
    """Where the thumbnail of an image with this content hash lies in a library."""
    return f"thumbnails/{sha256[:2]}/{sha256}.jpg"


def shards_prefix(fingerprint: str) -> str:
    """The folder of all shards embedded by one backbone."""
    return f"embeddings/{fingerprint}"


VISUAL_FILE = "visual.f16"  # float16[images, dim], row i is item i
JOINT_FILE = "joint.f16"  # float16[images, joint dim]
CATALOG_FILE = "catalog.sqlite"
PROJECTION_FILE = "projection.npy"  # float32[1 + n, dim], mean and directions; not there when the index is full
CLASSIFIER_FILE = "classifier.npy"  # float16[1000, dim], the backbone's last layer, a row a class


ENCODER_FILE = "encoder.tflite"  # the encoder's portable model


def encoder_key(fingerprint: str) -> str:
    """Return where the embedding store keeps the portable model of the encoder that embedded it."""
    return f"{shards_prefix(fingerprint)}/{ENCODER_FILE}"


def classifier_key(fingerprint: str) -> str:
    """Where the embedding store keeps the classifier of the backbone that embedded it."""
    return f"{shards_prefix(fingerprint)}/{CLASSIFIER_FILE}"


def index_files(name: str, index: Index) -> list[str]:
    """The names of an index's partitions, in order."""
    return [f"{name}-{number:03}.ann" for number in range(len(index.counts))]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Library:
    """A library at a folder or an s3:// prefix."""

    def __init__(self, uri: str, cache: Path):
        """Names the library; nothing is read yet.

        Args:
            cache: a folder on this machine for versions of libraries that lie in S3.

        Raises:
            LibraryError: `uri` is empty.
        """
        if not uri:
            raise LibraryError("No library is named; give --library or set FINDIMG_LIBRARY.")
        self.storage: Storage = open_storage(uri)
        self._cache = cache / "libraries" / hashlib.sha256(os.fsencode(self.storage.root)).hexdigest()[:16]

    @property
    def uri(self) -> str:
        """The library's address."""
        return self.storage.root

    def current(self) -> str | None:
        """The live version's name, None before the first publish.

        Raises:
            LibraryError: CURRENT holds something else than a version's name.
        """
        try:
            name = self.storage.read("CURRENT", limit=200).decode("ascii", "replace").strip()
        except ObjectMissingError:
            return None
        if not _VERSION_NAME.fullmatch(name):
            raise LibraryError(
                f"{self.storage.uri('CURRENT')} names no version; write the name of a folder in "
                f"{self.storage.uri('versions')} into it. Received: {name!r}."
            )
        return name

    def live_version(self) -> str:
        """Return the live version's name.

        Raises:
            LibraryError: nothing is published here, or CURRENT is damaged.
        """
        name = self.current()
        if name is None:
            raise LibraryError(f"Nothing is published in {self.uri}; run findimg-jobs index first.")
        return name

    def check_published(self) -> None:
        """Check that the library has a version, even if CURRENT is damaged.

        Call it before taking the lock, which would create a library that does not exist.

        Raises:
            LibraryError: nothing is published here.
        """
        if not self.versions():
            raise LibraryError(f"Nothing is published in {self.uri}; run findimg-jobs index first.")

    def versions(self) -> list[str]:
        """All complete versions, oldest first."""
        keys = [entry.key.split("/") for entry in self.storage.list("versions")]
        return sorted(key[1] for key in keys if key[2:] == ["manifest.json"] and _VERSION_NAME.fullmatch(key[1]))

    def manifest(self, version: str) -> Manifest:
        """Reads a version's manifest.

        Raises:
            LibraryError: there is none, or this findimg does not know its schema.
        """
        key = f"versions/{version}/manifest.json"
        missing = f"{self.uri} has no version {version!r}; `findimg-jobs versions` lists them."
        if not _VERSION_NAME.fullmatch(version):
            raise LibraryError(missing)
        try:
            text = self.storage.read(key)
        except ObjectMissingError as error:
            raise LibraryError(missing) from error
        try:
            manifest = Manifest.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            problem = ": ".join([*map(str, first["loc"]), first["msg"]])
            raise LibraryError(
                f"{self.storage.uri(key)} cannot be read by this findimg, which knows schema {SCHEMA} ({problem}). "
                "Update findimg, or publish again with index."
            ) from error
        if manifest.version != version:
            raise LibraryError(
                f"{self.storage.uri(key)} is the manifest of {manifest.version!r}; publish again with index."
            )
        return manifest

    def open(self, version: str | None = None) -> Version:
        """Brings a version onto this machine, the live one unless another is named.

        From S3 each file is fetched once into the cache and its SHA-256 checked; in a folder the sizes are checked.

        Raises:
            LibraryError: nothing is published here, or a file is missing or damaged.
            StorageError: the library cannot be reached, or the cache cannot be written.
        """
        name = version or self.live_version()
        manifest = self.manifest(name)
        if not isinstance(self.storage, FolderStorage):
            return Version(manifest, self._cached(manifest))
        folder = self.storage.path(f"versions/{name}")
        if incomplete := _incomplete(folder, manifest):
            raise LibraryError(f"{folder / incomplete[0]} is missing or incomplete. {_WAYS_OUT}")
        return Version(manifest, folder)

    def drop_cached(self, before: str) -> None:
        """Removes from this machine's cache what was brought of versions older than `before`; the library keeps them.

        Raises:
            StorageError: the cache cannot be written.
        """
        cached = FolderStorage(str(self._cache))
        for version in {entry.key.split("/")[0] for entry in cached.list()}:
            if version < before:
                cached.clear(version)

    def is_whole(self, manifest: Manifest) -> bool:
        """Whether every file of a version is there in its full size; `check` reads them, too.

        Raises:
            StorageError: the library cannot be reached.
        """
        folder = f"versions/{manifest.version}"
        sizes = {entry.key: entry.size for entry in self.storage.list(folder)}
        return all(sizes.get(f"{folder}/{file}") == stated.size for file, stated in manifest.files.items())

    def check(self, manifest: Manifest) -> Iterator[str]:
        """Reads every file of a version back from storage and yields a sentence for each that is not as stated.

        Raises:
            StorageError: the library cannot be reached.
        """
        for file, expected in manifest.files.items():
            key = f"versions/{manifest.version}/{file}"
            try:
                if isinstance(self.storage, FolderStorage):
                    actual = sha256_of(self.storage.path(key))
                else:
                    with tempfile.NamedTemporaryFile() as scratch:
                        self.storage.fetch(key, Path(scratch.name))
                        actual = sha256_of(Path(scratch.name))
            except (ObjectMissingError, FileNotFoundError):
                yield f"{self.storage.uri(key)} is missing."
            except OSError as error:
                yield f"{self.storage.uri(key)} cannot be read: {error.strerror}."
            else:
                if actual != expected.sha256:
                    yield f"{self.storage.uri(key)} has SHA-256 {actual}, the manifest says {expected.sha256}."

    def _cached(self, manifest: Manifest) -> Path:
        """Fetches what the cache lacks of a version; each file appears whole and checked, whoever else fetches it."""
        folder = self._cache / manifest.version
        try:
            for file in _incomplete(folder, manifest):
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
                f"The cache {folder} cannot be written: {error.strerror}. Make room, or name another with --cache."
            ) from error
        return folder

    def _fetch(self, manifest: Manifest, file: str, path: Path) -> None:
        key = f"versions/{manifest.version}/{file}"
        try:
            self.storage.fetch(key, path)
        except ObjectMissingError as error:
            raise LibraryError(f"{self.storage.uri(key)} is missing. {_WAYS_OUT}") from error
        if sha256_of(path) != manifest.files[file].sha256:
            raise LibraryError(f"{self.storage.uri(key)} is damaged. {_WAYS_OUT}")


def _incomplete(folder: Path, manifest: Manifest) -> list[str]:
    """The files of a version that are not in `folder` in their full size."""
    return [
        file
        for file, stated in manifest.files.items()
        if not (folder / file).is_file() or (folder / file).stat().st_size != stated.size
    ]
