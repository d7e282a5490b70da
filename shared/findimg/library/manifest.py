"""The manifest of a version: how it was made and which files it has."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError

from findimg.errors import LibraryError

SCHEMA: Literal[1] = 1


def _check_file_name(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or str(path) != name or name == "." or "\0" in name:
        raise ValueError(f"{name!r} is no file name inside a version")
    return name


class FileEntry(BaseModel):
    """Size and hash of one file of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    size: NonNegativeInt  # bytes
    sha256: str  # hex

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the entry of a file on this machine."""
        return cls(size=path.stat().st_size, sha256=hash_file(path))


class IndexEntry(BaseModel):
    """One vector index of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: str = "annoy"  # name of an index type, see findimg.index
    dim: PositiveInt
    counts: list[PositiveInt]  # items in each partition
    search_k: NonNegativeInt  # calibrated search effort for recall@10; 0 for a type without effort
    recall: float  # recall@10 measured with this effort
    file: Annotated[str, AfterValidator(_check_file_name)] | None = None  # the only file, if not named by default


class Manifest(BaseModel):
    """How a version was made and which files it has."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True)
    schema_: Literal[1] = Field(default=SCHEMA, alias="schema")
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
    visual: IndexEntry
    noise: float  # a term must exceed this relevance to count as shown by any image
    joint: IndexEntry | None  # None when the encoder has no classes and no head was trained
    files: dict[Annotated[str, AfterValidator(_check_file_name)], FileEntry]


def parse_manifest(text: bytes, source: str) -> Manifest:
    """Parse a manifest, which may come from anyone.

    Args:
        text: JSON.
        source: the manifest's address, for the message.

    Raises:
        LibraryError: the text is malformed or has an unknown schema.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        problem = ": ".join([*map(str, first["loc"]), first["msg"]])
        raise LibraryError(
            f"{source} cannot be read by this findimg, which knows schema {SCHEMA} ({problem}). "
            "Update findimg, or publish again with index."
        ) from error


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
