"""The library's layout, its manifest, and opening a version from a folder or from S3."""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import LibraryError, ObjectMissingError
from shared.storage import FolderStorage, Storage, open_storage

SCHEMA = 1


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"{name!r} is no file name inside a version")
    return name


class File(BaseModel):
    """One file of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: int  # bytes
    sha256: str  # hex


class Index(BaseModel):
    """One Annoy index of a version: `<name>-000.ann`, `<name>-001.ann`, …"""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dim: int
    counts: list[int]  # items in each partition
    search_k: int  # calibrated effort for recall@10
    recall: float  # recall@10 measured at that effort


class Manifest(BaseModel):
    """How a version was made and what it consists of."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)
    schema_: Literal[1] = Field(SCHEMA, alias="schema")
    version: str
    created: str  # ISO 8601, UTC
    run: str  # the run whose plan names the images
    inputs: str  # hash of everything the version depends on: equal inputs, equal version
    backbone: str
    fingerprint: str
    words: str
    head: str  # empty when there is none
    dim: int  # of the visual embedding
    sources: list[str]
    images: int
    failed: int
    visual: Index
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
        self._cache = cache / "libraries" / hashlib.sha256(self.storage.root.encode()).hexdigest()[:16]

    @property
    def uri(self) -> str:
        """The library's address."""
        return self.storage.root

    def current(self) -> str | None:
        """The live version's name, None before the first publish."""
        try:
            name = self.storage.read("CURRENT", limit=200).decode("ascii", "replace").strip()
        except ObjectMissingError:
            return None
        if not re.fullmatch(r"[0-9A-Za-z-]+", name):
            raise LibraryError(f"{self.storage.uri('CURRENT')} names no version: {name!r}. Mend it with findimg-jobs rollback.")
        return name

    def versions(self) -> list[str]:
        """All complete versions, oldest first."""
        names = {entry.key.split("/")[1] for entry in self.storage.list("versions") if entry.key.endswith("/manifest.json")}
        return sorted(names)

    def manifest(self, version: str) -> Manifest:
        """Reads a version's manifest.

        Raises:
            LibraryError: there is none, or this findimg does not know its schema.
        """
        key = f"versions/{version}/manifest.json"
        try:
            text = self.storage.read(key)
        except ObjectMissingError as error:
            raise LibraryError(f"{self.uri} has no version {version!r}; `findimg-jobs versions` lists them.") from error
        try:
            return Manifest.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            raise LibraryError(
                f"{self.storage.uri(key)} cannot be read by this findimg, which knows schema {SCHEMA}: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}. Update findimg, or publish again with index."
            ) from error

    def open(self, version: str | None = None) -> Version:
        """Brings a version onto this machine, the live one unless another is named.

        From S3 each file is fetched once into the cache and its SHA-256 checked; in a folder the sizes are checked.

        Raises:
            LibraryError: nothing is published here, or a file is missing or damaged.
        """
        name = version or self.current()
        if not name:
            raise LibraryError(f"Nothing is published in {self.uri}; run findimg-jobs index first.")
        manifest = self.manifest(name)
        folder = self._place(manifest)
        for file, expected in manifest.files.items():
            path = folder / file
            if not path.is_file() or path.stat().st_size != expected.size:
                raise LibraryError(f"{path} is missing or incomplete; run `findimg-jobs verify`, then `rollback` or index.")
        return Version(manifest, folder)

    def check(self, manifest: Manifest) -> Iterator[str]:
        """Reads every file of a version back from storage and yields a sentence for each that is not as stated."""
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
                continue
            if actual != expected.sha256:
                yield f"{self.storage.uri(key)} has SHA-256 {actual}, the manifest says {expected.sha256}."

    def _place(self, manifest: Manifest) -> Path:
        if isinstance(self.storage, FolderStorage):
            return self.storage.path(f"versions/{manifest.version}")
        folder = self._cache / manifest.version
        if folder.is_dir():
            return folder
        self._cache.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self._cache))
        try:
            for file, expected in manifest.files.items():
                path = draft / file
                path.parent.mkdir(parents=True, exist_ok=True)
                self.storage.fetch(f"versions/{manifest.version}/{file}", path)
                if sha256_of(path) != expected.sha256:
                    raise LibraryError(f"{self.uri}/versions/{manifest.version}/{file} is damaged; publish again with index.")
            # Another process may have been faster; its files are the same.
            if not folder.is_dir():
                draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return folder
