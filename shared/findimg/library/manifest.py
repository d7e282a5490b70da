"""The manifest of a version: how it was made, its segments and its files.

A version of schema 1 has no segments. It is read as a version with one segment, stored in the version's folder.
"""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    model_validator,
)

from findimg.encoders.base import ENCODER_FILE
from findimg.errors import LibraryError
from findimg.library.layout import (
    BUILD_FILES,
    CLASSIFIER_FILE,
    DUPLICATES_FILE,
    HEAD_FILE,
    PROJECTION_FILE,
    VERSIONS,
    VOCABULARY_FILE,
    segment_folder,
    shared_key,
    version_key,
)
from findimg.storage.folder import hash_file

SCHEMA: Literal[2] = 2
_SEGMENT_NAME = re.compile(r"[0-9A-Za-z-]{1,100}")
# Files of a version of schema 1 that belong to the whole version
_LIBRARY_WIDE = {CLASSIFIER_FILE, DUPLICATES_FILE, ENCODER_FILE, HEAD_FILE, PROJECTION_FILE}


def _check_file_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or name == "." or "\0" in name:
        raise ValueError(f"{name!r} is not a file name inside a version")
    return name


def _check_segment_name(name: str) -> str:
    if not _SEGMENT_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name of a segment")
    return name


FileName = Annotated[str, AfterValidator(_check_file_name)]


def _stored_as(name: str, default: Any = ...) -> Any:
    """Return a field that manifests call by an older, shorter name."""
    return Field(default, validation_alias=name, serialization_alias=name)


class FileEntry(BaseModel):
    """Size and hash of one file of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: NonNegativeInt  # bytes
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the entry of a file on this machine."""
        return cls(size=path.stat().st_size, sha256=hash_file(path))


class IndexEntry(BaseModel):
    """One vector index of a segment."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: str = "annoy"  # name of an index type, see findimg.index.vector_types
    dim: PositiveInt
    counts: list[PositiveInt]  # items in each partition
    search_k: NonNegativeInt  # calibrated search effort for recall@10; 0 for a type without effort
    recall: float  # recall@10 measured with this effort
    file: FileName | None = None  # the only file, if not named by default


class SegmentEntry(BaseModel):
    """One segment of a version: images with everything that a search needs to know about them."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)
    name: Annotated[str, AfterValidator(_check_segment_name)]  # hash of its content
    images: PositiveInt  # rows, with those of deleted images
    visual: IndexEntry
    joint: IndexEntry | None  # None when the encoder has no classes and no head was trained
    # Share of the embeddings' variance that the projection keeps, 0 to 1.
    captured_variance: float = _stored_as("captured", 1.0)
    files: dict[FileName, FileEntry]
    build_files: dict[FileName, FileEntry]  # files that only the building of later versions needs


class _Facts(BaseModel):
    """What the manifests of all schemas state."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)
    version: str
    created: str  # ISO 8601, UTC
    run: str  # the run whose plan lists the images
    inputs: str  # hash of everything the version depends on; equal inputs give an equal version
    backbone: str  # the image encoder's name
    fingerprint: str  # hash of the encoder's weights and preprocessing
    words: str  # name of the word vectors
    head: str  # empty without a head
    dim: PositiveInt  # of the visual embeddings
    visual_dim: str  # as configured: full, or the number of dimensions after projection
    coherence: list[float]  # share of the exact 10 nearest with the query's class: without, then with projection
    sources: list[str]
    images: PositiveInt
    failed: NonNegativeInt
    # A term must exceed this relevance to count as shown by any image.
    noise_floor: float = _stored_as("noise")
    files: dict[FileName, FileEntry]  # files for all segments


class _Manifest1(_Facts):
    """A manifest of schema 1."""

    schema_: Literal[1] = Field(alias="schema")
    visual: IndexEntry
    joint: IndexEntry | None


class Manifest(_Facts):
    """How a version was made, its segments and its files."""

    schema_: Literal[1, 2] = Field(default=SCHEMA, alias="schema")
    recipe: str  # hash of everything besides the images that decides how a segment looks
    # Images of the version for which projection and coherence were measured.
    measured_images: PositiveInt = _stored_as("measured")
    # Share of the variance that the projection kept when it was measured, 0 to 1.
    captured_variance: float = _stored_as("captured", 1.0)
    segments: list[SegmentEntry] = Field(min_length=1)
    # The features of the same images by a second encoder, with segments and files of their own. Items have the same
    # numbers in both.
    second: "Manifest | None" = None
    words_by_second: bool = False  # the second encoder finds images by words, the first one by image

    @model_validator(mode="after")
    def _check_second(self) -> Self:
        if self.second is None:
            if self.words_by_second:
                raise ValueError("a second encoder finds words, but there is none")
        elif self.second.second or (self.second.version, self.second.images) != (self.version, self.images):
            raise ValueError("the features of the second encoder belong to another version")
        return self

    @property
    def parts(self) -> "tuple[Manifest, ...]":
        """Return one manifest for each encoder, with only this encoder's files: the first, then the second."""
        if self.second is None:
            return (self,)
        return self.model_copy(update={"second": None, "words_by_second": False}), self.second

    @property
    def for_words(self) -> "Manifest":
        """Return the manifest of the encoder that finds images by words."""
        return self.second if self.second and self.words_by_second else self

    def to_json(self) -> bytes:
        """Return the manifest as `parse_manifest` reads it. Earlier releases read it if there is one encoder."""
        without = None if self.second else {"second", "words_by_second"}
        return self.model_dump_json(by_alias=True, indent=1, exclude=without).encode()

    @property
    def visual(self) -> IndexEntry:
        """Return the figures of the segments' visual indexes together."""
        return _together([segment.visual for segment in self.segments])

    @property
    def joint(self) -> IndexEntry | None:
        """Return the figures of the segments' joint indexes together, None if the version has none."""
        joint = [segment.joint for segment in self.segments if segment.joint]
        return _together(joint) if joint else None

    @property
    def knows_words(self) -> bool:
        """Return whether words find images: the encoder has classes or a text tower, or a head was trained."""
        return self.joint is not None or VOCABULARY_FILE in self.files

    def file_key(self, file: str) -> str:
        """Return the key in the library of one of the version's files."""
        if self.schema_ == 1:
            return version_key(self.version, file)
        return shared_key(self.files[file].sha256, file)

    def segment_folder(self, segment: SegmentEntry) -> str:
        """Return the folder in the library with the files of a segment."""
        return f"{VERSIONS}/{self.version}" if self.schema_ == 1 else segment_folder(segment.name)

    def search_files(self) -> dict[str, FileEntry]:
        """Return every file that a search needs, by its key in the library.

        A second encoder that finds nothing yet is left out.
        """
        return self._search_files() | self.for_words._search_files()

    def build_files(self) -> dict[str, FileEntry]:
        """Return every file that only the building of later versions needs, by its key in the library."""
        found = {self.file_key(file): entry for file, entry in self.files.items() if file in BUILD_FILES}
        for segment in self.segments:
            found |= {f"{self.segment_folder(segment)}/{file}": entry for file, entry in segment.build_files.items()}
        return found | (self.second.build_files() if self.second else {})

    def all_files(self) -> dict[str, FileEntry]:
        """Return every file of the version, by its key in the library."""
        return self._search_files() | (self.second._search_files() if self.second else {}) | self.build_files()

    def _search_files(self) -> dict[str, FileEntry]:
        found = {self.file_key(file): entry for file, entry in self.files.items() if file not in BUILD_FILES}
        for segment in self.segments:
            found |= {f"{self.segment_folder(segment)}/{file}": entry for file, entry in segment.files.items()}
        return found


def _together(entries: list[IndexEntry]) -> IndexEntry:
    largest = max(entries, key=lambda entry: sum(entry.counts))
    counts = [count for entry in entries for count in entry.counts]
    return largest.model_copy(update={"counts": counts, "recall": min(entry.recall for entry in entries)})


class _SchemaOnly(BaseModel):
    """The part of a manifest that says how to read the rest."""

    schema_: Literal[1, 2] = Field(alias="schema")


def parse_manifest(text: bytes, source: str) -> Manifest:
    """Parse a manifest, which may come from anyone.

    Args:
        text: JSON.
        source: the manifest's address, for the message.

    Raises:
        LibraryError: the text is malformed or has an unknown schema.
    """
    try:
        if _SchemaOnly.model_validate_json(text).schema_ == 1:
            return _upgraded(_Manifest1.model_validate_json(text))
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        problem = ": ".join([*map(str, first["loc"]), first["msg"]])
        raise LibraryError(
            f"{source} cannot be read by this findimg, which knows schema {SCHEMA} ({problem}). "
            "Update findimg, or publish again with index."
        ) from error


def _upgraded(old: _Manifest1) -> Manifest:
    """Return a manifest of schema 1 in today's form."""
    own = {name: entry for name, entry in old.files.items() if name not in _LIBRARY_WIDE}
    segment = SegmentEntry(
        name=old.version, images=old.images, visual=old.visual, joint=old.joint, files=own, build_files={}
    )
    facts = {name: getattr(old, name) for name in _Facts.model_fields}
    facts["files"] = {name: entry for name, entry in old.files.items() if name in _LIBRARY_WIDE}
    return Manifest(**facts, schema=1, recipe="", measured_images=old.images, segments=[segment])
