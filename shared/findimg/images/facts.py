"""The facts that an image file states: how each is read from the file, and the columns that keep it."""

from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias

import PIL.Image
from PIL.ExifTags import IFD, Base

from findimg.images.captions import read_captions
from findimg.images.capture_date import parse_exif

Bytes: TypeAlias = bytes  # within `ImageFacts`, `bytes` is a field
# Types of the column in the embedding store, by Arrow's name. A fact in the catalog has any but "binary".
StoreType: TypeAlias = Literal["string", "int32", "int64", "timestamp[s]", "binary"]


@dataclass(frozen=True, slots=True)
class FactColumn:
    """The columns that keep one fact."""

    name: str  # of the field of `ImageFacts`
    store_type: StoreType
    catalog_type: str  # SQLite's type of the column in the catalog of a segment; empty if the catalog has none
    added: bool  # whether images that an older release embedded lack the fact


def _column(store_type: StoreType, catalog_type: str = "") -> dict[str, str]:
    return {"store_type": store_type, "catalog_type": catalog_type}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The facts that an image file states. Each has a column in the embedding store, and most have one in the catalog.

    To add a fact, such as the camera's model:

    1. Add a field with the default None at the end. Its metadata declares the columns. The column of the catalog may be
       NULL, so its type has no NOT NULL.
    2. Read it in `read_facts`. Return an empty value for a file without the fact: "", 0 or b"". None means that the
       file was not read for this fact. An added fact that is a timestamp needs an empty value in `_EMPTY_VALUES` of
       `findimg_jobs/maintenance/read_missing_facts.py`.
    3. If the fact comes from EXIF, copy its tag in the two readers that build the metadata of a picture themselves.
       They copy only the orientation and the capture times: `_add_metadata` in `readers/camera_raw.py`, and
       `_add_metadata` in `readers/tiff_pages.py`.
    4. To filter by it, add the condition in `findimg/library/catalog_filters.py`, and the name and meaning of the
       filter in `findimg/search/query/filters.py`. The catalog needs an index only for a fact that is sorted by.

    If the catalog gets a new column, the next `index` rewrites all segments. Until then the column is NULL. For images
    that were indexed before it stays NULL, until `findimg-jobs read-captions` reads the fact from their files
    (`findimg_jobs/maintenance/read_missing_facts.py`). The condition of a filter must allow for that:

    - NULL matches neither `camera = ?` nor `NOT camera = ?`. So such an image matches neither a filter nor the filter
      with a minus.
    - With `coalesce(camera, '')` it matches the filter with a minus. The SQL function `fold` fails for NULL, so it
      needs `coalesce`.
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
