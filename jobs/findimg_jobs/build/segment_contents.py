"""Assemble a segment's catalog and vectors: copy the rows of committed shards into files, in URI order.

The shards are read one after the other, a few ahead, and written through memory maps. Whatever the number of images,
only a few shards' vectors are in memory.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.images.capture_date import from_file_time, from_name
from findimg.index.mapped_files import new_array
from findimg.library.catalog import CatalogRow, DateSource, write_catalog
from findimg.library.layout import CATALOG_FILE, TEXT_FILE, VISUAL_FILE
from findimg.storage.base import Storage
from findimg_jobs.build.texts import TextDraft
from findimg_jobs.keys.records import SourceImage
from findimg_jobs.store.shards import ContentRows, read_rows
from findimg_jobs.store.version_images import VersionImages

_SHARDS_AHEAD = 4  # shards read while another is written
_CATALOG_CHUNK = 8192  # rows written to the catalog at a time
_SAMPLE = 20_000  # maximum number of images that a library is measured on
_SAMPLED_SHARDS = 256  # maximum number of shards that they are read from
_METADATA = np.dtype(
    [("width", "i4"), ("height", "i4"), ("format", "u1"), ("bytes", "i8"), ("taken", "datetime64[s]")]
)  # an image's catalog columns besides its key; `format` is a position in a list of names


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A segment's vectors, as memory-mapped arrays."""

    visual: NDArray[np.float16]  # float16[images, dim]
    classes: NDArray[np.uint16] | None  # uint16[images, 20]; None for a backbone without classes
    probabilities: NDArray[np.float32] | None  # float32[images, 20]
    region_classes: NDArray[np.uint16] | None  # uint16[images, 20]; None if no image was embedded with regions
    region_probabilities: NDArray[np.float32] | None  # float32[images, 20], zero for an image without regions


def assemble(
    storage: Storage, fingerprint: str, images: VersionImages, roots: Sequence[str], folder: Path
) -> Assembled:
    """Write catalog.sqlite, text.sqlite and visual.f16, and the class probabilities into draft files beside them.

    Args:
        storage: the library.
        fingerprint: names the embeddings to read.
        images: at least one image.
        roots: the addresses of the sources.
        folder: an empty folder on this machine.

    Raises:
        NotPublishedError: a committed shard is damaged.
        OSError: `folder` has no room.
    """
    count = len(images)
    metadata = new_array(folder / "metadata.draft", _METADATA, (count,))
    formats: list[str] = []
    arrays: dict[str, NDArray[Any]] = {}
    with TextDraft(folder / "texts.draft") as texts:
        for items, rows in _read_ahead(storage, fingerprint, images):
            for name, vectors in rows.vectors.items():
                if name not in arrays:
                    path = folder / (VISUAL_FILE if name == "visual" else f"{name}.draft")
                    arrays[name] = new_array(path, vectors.dtype, (count, vectors.shape[1]))
                arrays[name][items] = vectors
            for name in ("width", "height", "bytes", "taken"):
                metadata[name][items] = rows.metadata[name].to_numpy()
            names = rows.metadata["format"].to_pylist()
            formats += sorted(set(names) - set(formats))
            metadata["format"][items] = [formats.index(name) for name in names]
            texts.add_captions(items, rows.metadata["captions"].to_pylist())
        texts.add_written(storage, images)
        texts.write(folder / TEXT_FILE, images, roots)
    write_catalog(folder / CATALOG_FILE, _catalog_rows(images, metadata, formats))
    return Assembled(
        arrays["visual"],
        arrays.get("classes"),
        arrays.get("probabilities"),
        arrays.get("region_classes"),
        arrays.get("region_probabilities"),
    )


def read_sample(
    storage: Storage, fingerprint: str, images: VersionImages
) -> tuple[NDArray[np.float16], NDArray[np.uint16] | None]:
    """Return visual embeddings and most probable classes of evenly chosen images.

    At most `_SAMPLED_SHARDS` evenly chosen shards are read.

    Returns:
        float16[n, dim] and uint16[n], n at most `_SAMPLE`. None instead of the classes for a backbone without.

    Raises:
        NotPublishedError: a committed shard is damaged.
    """
    step = -(-len(images.shards) // _SAMPLED_SHARDS)
    items = np.flatnonzero(images.shard_of % step == 0)
    chosen = images.take(items[:: -(-len(items) // _SAMPLE)])
    parts = [rows.vectors for _, rows in _read_ahead(storage, fingerprint, chosen)]
    order = np.argsort(np.concatenate([places for _, places in chosen.items_by_shard()]))
    visual = np.concatenate([part["visual"] for part in parts])[order]
    if any("classes" not in part for part in parts):
        return visual, None
    return visual, np.concatenate([part["classes"][:, 0] for part in parts])[order]


def _catalog_rows(images: VersionImages, metadata: NDArray[Any], formats: Sequence[str]) -> Iterator[CatalogRow]:
    chunks = (metadata[start : start + _CATALOG_CHUNK].tolist() for start in range(0, len(metadata), _CATALOG_CHUNK))
    for (image, sha256), row in zip(images, chain.from_iterable(chunks), strict=True):
        width, height, kind, size, taken = row
        taken, dated_by = _date(image, taken)
        yield CatalogRow(image.uri, image.version, sha256, width, height, formats[kind], size, taken, dated_by)


def _date(image: SourceImage, taken: datetime | None) -> tuple[datetime | None, DateSource | None]:
    """Return an image's date and its source: the camera's date, else the file name's, else the file's time."""
    if taken:
        return taken, "camera"
    if named := from_name(image.uri):
        return named, "name"
    modified = from_file_time(image.modified)
    return modified, "file" if modified else None


def _read_ahead(storage: Storage, fingerprint: str, images: VersionImages) -> Iterator[tuple[list[int], ContentRows]]:
    """Yield (items, rows) for every shard, and read the next shards meanwhile."""
    waiting: deque[tuple[list[int], Future[ContentRows]]] = deque()
    with ThreadPoolExecutor(_SHARDS_AHEAD) as readers:
        for shard, items in images.items_by_shard():
            hashes = images.sha256_of(items)
            waiting.append((items, readers.submit(read_rows, storage, fingerprint, shard, hashes)))
            if len(waiting) > _SHARDS_AHEAD:
                items, read = waiting.popleft()
                yield items, read.result()
        for items, read in waiting:
            yield items, read.result()
