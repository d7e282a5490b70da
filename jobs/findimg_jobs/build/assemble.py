"""Assemble a segment's catalog and vectors: copy the rows of committed shards into files, in URI order.

The shards are read one after the other, a few ahead, and written through memory maps. Whatever the number of images,
only a few shards' vectors are in memory.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from findimg.images.capture_date import from_file_time, from_name
from findimg.index.mapped_files import new_array
from findimg.library.catalog import CatalogRow, DateSource, write_catalog
from findimg.library.layout import CATALOG_FILE, TEXT_FILE, VISUAL_FILE
from findimg.storage.base import Storage
from findimg_jobs.build.texts import TextDraft
from findimg_jobs.indexing.records import SourceImage
from findimg_jobs.store.shards import CommittedImages, ContentRows, read_rows
from findimg_jobs.store.texts import NOTHING_READ, CommittedTexts

_SHARDS_AHEAD = 4  # shards read while another is written
_CATALOG_CHUNK = 8192  # rows written to the catalog at a time
_SAMPLE = 20_000  # maximum number of images that a library is measured on
_SAMPLED_SHARDS = 256  # maximum number of shards that they are read from
_METADATA = np.dtype(
    [("width", "i4"), ("height", "i4"), ("format", "u1"), ("bytes", "i8"), ("taken", "datetime64[s]")]
)  # an image's catalog columns besides its key; `format` is a position in a list of names


@dataclass(frozen=True, slots=True, eq=False)
class VersionImages:
    """The images of a version or of a segment, in URI order, and the shards that hold their vectors."""

    images: tuple[SourceImage, ...]
    sha256: tuple[str, ...]
    shards: tuple[str, ...]  # the shards that hold the vectors
    shard_of: NDArray[np.int32]  # position in `shards` for each image, int32[images]
    texts: CommittedTexts = NOTHING_READ  # what was read in pictures

    def __len__(self) -> int:
        return len(self.images)

    def take(self, items: NDArray[np.int64]) -> Self:
        """Return some of the images, by their places in ascending order."""
        shards, shard_of = np.unique(self.shard_of[items], return_inverse=True)
        hashes = tuple(self.sha256[item] for item in items.tolist())
        read = {sha256: key for sha256 in hashes if (key := self.texts.keys.get(sha256))}
        return type(self)(
            tuple(self.images[item] for item in items.tolist()),
            hashes,
            tuple(self.shards[shard] for shard in shards.tolist()),
            shard_of.astype(np.int32),
            replace(self.texts, keys=read),
        )

    def text_digest(self, item: int) -> str:
        """Return a hash of the text of an image that its content does not decide: written text and its sidecar."""
        written, sidecar = self.texts.digest(self.sha256[item]), self.images[item].sidecar
        if not sidecar or not sidecar.captions:
            return written
        return f"{written}-{hashlib.sha256(sidecar.captions.encode()).hexdigest()[:16]}"

    def items_by_shard(self) -> Iterator[tuple[str, list[int]]]:
        """Yield every shard with the items whose vectors it holds."""
        order = np.argsort(self.shard_of, kind="stable")
        ends = np.cumsum(np.bincount(self.shard_of, minlength=len(self.shards)))
        for shard, items in zip(self.shards, np.split(order, ends[:-1]), strict=True):
            yield shard, items.tolist()


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """A segment's vectors, as memory-mapped arrays."""

    visual: NDArray[np.float16]  # float16[images, dim]
    classes: NDArray[np.uint16] | None  # uint16[images, 20]; None for a backbone without classes
    probabilities: NDArray[np.float32] | None  # float32[images, 20]
    region_classes: NDArray[np.uint16] | None  # uint16[images, 20]; None if no image was embedded with regions
    region_probabilities: NDArray[np.float32] | None  # float32[images, 20], zero for an image without regions


def find_embedded(
    images: Sequence[SourceImage], committed: CommittedImages, texts: CommittedTexts = NOTHING_READ
) -> VersionImages:
    """Return those of `images` whose vectors are committed, with what was read in them."""
    ordered = sorted(images, key=attrgetter("uri", "version"))
    keys = [committed.keys.get((image.uri, image.version)) for image in ordered]
    found = tuple(image for image, key in zip(ordered, keys, strict=True) if key)
    hashes = tuple(key.sha256 for key in keys if key)
    holders = [committed.contents[sha256].shard for sha256 in hashes]
    shards = sorted(set(holders))
    numbers = {shard: number for number, shard in enumerate(shards)}
    shard_of = np.fromiter((numbers[shard] for shard in holders), np.int32, len(holders))
    return VersionImages(found, hashes, tuple(shards), shard_of, texts)


def find_embedded_by_all(
    images: Iterable[SourceImage], committed: Sequence[CommittedImages], texts: CommittedTexts = NOTHING_READ
) -> list[VersionImages]:
    """Return those of `images` whose vectors by every encoder are committed, once for each encoder.

    Args:
        images: the images.
        committed: everything committed, for each encoder.
        texts: what was read in pictures.
    """
    shared = [image for image in images if all(each.is_embedded(image) for each in committed)]
    return [find_embedded(shared, each, texts) for each in committed]


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
    count = len(images.images)
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
        texts.add_written(storage, images.texts, images.sha256)
        texts.write(folder / TEXT_FILE, images.images, images.sha256, roots)
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
    for start in range(0, len(metadata), _CATALOG_CHUNK):
        chunk = metadata[start : start + _CATALOG_CHUNK].tolist()
        for item, (width, height, kind, size, taken) in enumerate(chunk, start):
            image = images.images[item]
            taken, dated_by = _date(image, taken)
            yield CatalogRow(
                image.uri, image.version, images.sha256[item], width, height, formats[kind], size, taken, dated_by
            )


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
            hashes = [images.sha256[item] for item in items]
            waiting.append((items, readers.submit(read_rows, storage, fingerprint, shard, hashes)))
            if len(waiting) > _SHARDS_AHEAD:
                items, read = waiting.popleft()
                yield items, read.result()
        for items, read in waiting:
            yield items, read.result()
