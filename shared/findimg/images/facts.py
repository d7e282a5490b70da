"""The facts that an image file states: how each is read from the file, and the columns that keep it."""

from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, TypeAlias

import PIL.Image
from PIL.ExifTags import IFD, Base

from findimg.images.captions import read_captions
from findimg.images.capture_date import parse_exif

Bytes: TypeAlias = bytes  # within `ImageFacts`, `bytes` is a field


@dataclass(frozen=True, slots=True)
class FactColumn:
    """The columns that keep one fact."""

    name: str  # of the field of `ImageFacts`
    store_type: str  # Arrow's name for the type of the column in the embedding store
    catalog_type: str  # SQLite's type of the column in the catalog of a segment; empty if the catalog has none
    added: bool  # whether images that an older release embedded lack the fact


def _column(store_type: str, catalog_type: str = "") -> dict[str, str]:
    return {"store_type": store_type, "catalog_type": catalog_type}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The facts that an image file states. Each has a column in the embedding store, and most have one in the catalog.

    To add a fact, add a field with the default None at the end, and read it in `read_facts`. None then means that the
    file was not read for this fact, so a file without the fact has an empty value. The next `index` rewrites all
    segments if the catalog gets a new column.
    """

    width: int = field(metadata=_column("int32", "INTEGER NOT NULL"))  # pixels of the upright original
    height: int = field(metadata=_column("int32", "INTEGER NOT NULL"))
    format: str = field(metadata=_column("string", "TEXT NOT NULL"))  # Pillow's name: JPEG, MPO, PNG, HEIF …
    bytes: int = field(metadata=_column("int64", "INTEGER NOT NULL"))
    taken: datetime | None = field(metadata=_column("timestamp[s]", "TEXT"))  # capture time by the camera's clock
    # Titles, descriptions and keywords, see `findimg.images.captions`. The text index of a segment holds them.
    captions: str | None = field(default=None, metadata=_column("string"))
    perceptual_hash: Bytes | None = field(default=None, metadata=_column("binary"))  # `decode` computes it from pixels


FACT_COLUMNS = tuple(
    FactColumn(each.name, each.metadata["store_type"], each.metadata["catalog_type"], each.default is not MISSING)
    for each in fields(ImageFacts)
)


def read_facts(picture: PIL.Image.Image, size: tuple[int, int], length: int) -> ImageFacts:
    """Return the facts of an opened image file. Broken metadata is ignored.

    Args:
        picture: the file, at its first frame.
        size: width and height of the upright original in pixels.
        length: of the file in bytes.

    Source: EXIF 2.32 for the capture times (tags 36867 and 36868).
    """
    return ImageFacts(
        width=size[0],
        height=size[1],
        format=picture.format or "",
        bytes=length,
        taken=_capture_time(picture),
        captions=read_captions(picture),
    )


def _capture_time(picture: PIL.Image.Image) -> datetime | None:
    details: dict[int, Any] = {}
    # Broken metadata must not cost the pixels.
    with suppress(Exception):
        details = picture.getexif().get_ifd(IFD.Exif)
    times = (parse_exif(details.get(tag)) for tag in (Base.DateTimeOriginal, Base.DateTimeDigitized))
    return next((time for time in times if time), None)
