"""Taught names as one JSON file: to keep a copy, or to carry them into another library."""

import base64
import binascii
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from findimg.errors import ObjectMissingError, QueryError
from findimg.library.layout import taught_thumbnail_key, thumbnail_key
from findimg.storage.base import Storage
from findimg.taught.events import Example
from findimg.taught.state import MOST_EXAMPLES, MOST_NAMES, TaughtState
from findimg.taught.teaching import Lesson

LARGEST_THUMBNAIL = 1_000_000  # bytes


class _Example(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    shows: bool
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    uri: Annotated[str, Field(max_length=4096)]
    fingerprint: Annotated[str, Field(max_length=100)]
    vector: Annotated[str, Field(max_length=200_000)]  # base64 of float16[dim], little-endian
    thumbnail: Annotated[str, Field(max_length=2 * LARGEST_THUMBNAIL)] = ""  # base64 of a JPEG


class _Name(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    name: Annotated[str, Field(min_length=1, max_length=200)]
    examples: Annotated[list[_Example], Field(min_length=1, max_length=MOST_EXAMPLES)]


class _Export(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    schema_: Literal[1] = Field(default=1, alias="schema")
    names: Annotated[list[_Name], Field(max_length=MOST_NAMES)]


def export_names(state: TaughtState, storage: Storage) -> str:
    """Return all taught names as JSON, with thumbnails, so that another encoder can embed them.

    Args:
        state: what is taught.
        storage: of the library.

    Raises:
        StorageError: the library cannot be read.
    """
    names = [
        _Name(
            name=each.name,
            examples=[
                _Example(
                    shows=one.shows,
                    sha256=one.example.sha256,
                    uri=one.example.uri,
                    fingerprint=one.example.fingerprint,
                    vector=base64.b64encode(np.asarray(one.example.vector, "<f2").tobytes()).decode(),
                    thumbnail=base64.b64encode(_thumbnail(storage, one.example.sha256)).decode(),
                )
                for one in each.taught
            ],
        )
        for each in state.names.values()
    ]
    return _Export(names=names).model_dump_json(by_alias=True, indent=1)


def read_export(text: bytes, source: str) -> list[Lesson]:
    """Return the lessons of a file that `export_names` wrote. The file may come from anyone.

    Args:
        text: JSON.
        source: name of the file, for the message.

    Raises:
        QueryError: the file is malformed.
    """
    try:
        export = _Export.model_validate_json(text)
        return [_lesson(each) for each in export.names]
    except (ValidationError, ValueError, binascii.Error) as error:
        problem = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            problem = ": ".join([".".join(map(str, first["loc"])), first["msg"]])
        raise QueryError(
            f"{source} is not an export of taught names ({problem[:200]}). Write one with teach --export."
        ) from error


def _lesson(name: _Name) -> Lesson:
    like: list[Example] = []
    unlike: list[Example] = []
    thumbnails = {}
    for each in name.examples:
        vector = np.frombuffer(base64.b64decode(each.vector, validate=True), "<f2").astype(np.float16)
        if not len(vector) or not np.isfinite(vector).all() or not vector.any():
            raise ValueError(f"the vector of {each.sha256} is empty, zero or not finite")
        example = Example(each.sha256, vector, each.fingerprint, each.uri)
        (like if each.shows else unlike).append(example)
        if each.thumbnail:
            thumbnails[each.sha256] = base64.b64decode(each.thumbnail, validate=True)
    return Lesson(name.name, like, unlike, thumbnails)


def _thumbnail(storage: Storage, sha256: str) -> bytes:
    for key in (taught_thumbnail_key(sha256), thumbnail_key(sha256)):
        try:
            return storage.read(key, limit=LARGEST_THUMBNAIL)
        except ObjectMissingError:
            continue
    return b""
