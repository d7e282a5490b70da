"""Write a segment's catalog from facts that arrive shard by shard."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from findimg.images import ImageFacts
from findimg.images.capture_date import from_file_time, from_name
from findimg.images.facts import FACT_COLUMNS
from findimg.index.mapped_files import new_array
from findimg.library.catalog import CatalogRow, DateSource, write_catalog
from findimg_jobs.segments.version_images import VersionImages
from findimg_jobs.tables.source_records import SourceImage

_CHUNK = 8192  # rows written to the catalog at a time


class CatalogDraft:
    """Collects the facts of images in a file, in any order, so that they are not all in memory."""

    def __init__(self, path: Path, images: int):
        """Create the file for a number of images. It must not exist yet."""
        self._columns = [DraftColumn(each.name, each.store_type) for each in FACT_COLUMNS if each.catalog_type]
        dtype = np.dtype([(column.name, column.dtype) for column in self._columns])
        self._rows: NDArray[Any] = new_array(path, dtype, (images,))

    def add(self, items: Sequence[int], facts: pa.Table) -> None:
        """Add the facts of some items, one row each."""
        for column in self._columns:
            self._rows[column.name][items] = column.encode(facts[column.name])

    def write(self, path: Path, images: VersionImages) -> None:
        """Write the catalog of all images. Their facts were added."""
        write_catalog(path, self._catalog_rows(images))

    def _catalog_rows(self, images: VersionImages) -> Iterator[CatalogRow]:
        chunks = (self._rows[start : start + _CHUNK].tolist() for start in range(0, len(self._rows), _CHUNK))
        for (image, sha256), row in zip(images, chain.from_iterable(chunks), strict=True):
            facts = ImageFacts(
                **{each.name: each.decode(value) for each, value in zip(self._columns, row, strict=True)}
            )
            taken, dated_by = _date(image, facts.taken)
            yield CatalogRow(image.uri, image.etag, sha256, replace(facts, taken=taken), dated_by)


class DraftColumn:
    """A column of facts as fixed-size values: texts as positions in a list of the different texts.

    It supports the types of `StoreType` in `findimg.images.facts` except binary. None is stored as -1 for a text, as
    NaT for a time, and as the smallest number for an integer.
    """

    def __init__(self, name: str, store_type: str):
        self.name = name
        self._type = pa.type_for_alias(store_type)
        self._is_text = pa.types.is_string(self._type)
        self._is_time = pa.types.is_timestamp(self._type)
        self.dtype = np.dtype(np.int32 if self._is_text else self._type.to_pandas_dtype())
        self._none = -1 if self._is_text else None if self._is_time else np.iinfo(self.dtype).min
        self._texts: list[str] = []
        self._places: dict[str | None, int] = {None: -1}

    def encode(self, values: pa.ChunkedArray) -> NDArray[Any]:
        """Return the values of a shard as they are in the draft."""
        if self._is_time:
            return np.asarray(values.to_numpy())  # NaT for None
        if not self._is_text:
            return np.asarray(values.fill_null(self._none).to_numpy())
        texts: list[str | None] = values.to_pylist()
        for text in sorted({text for text in texts if text is not None} - self._places.keys()):
            self._places[text] = len(self._texts)
            self._texts.append(text)
        return np.asarray([self._places[text] for text in texts], self.dtype)

    def decode(self, value: Any) -> Any:
        """Return the fact behind a value in the draft."""
        if value == self._none:
            return None
        return self._texts[value] if self._is_text else value


def _date(image: SourceImage, taken: datetime | None) -> tuple[datetime | None, DateSource | None]:
    """Return an image's date and its source: the camera's date, else the file name's, else the file's time."""
    if taken:
        return taken, "camera"
    if named := from_name(image.uri):
        return named, "name"
    modified = from_file_time(image.modified)
    return modified, "file" if modified else None
