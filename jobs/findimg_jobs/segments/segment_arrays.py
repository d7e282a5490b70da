"""Assemble a segment's catalog and vectors: copy the rows of committed shards into files, in URI order.

The shards are read one after the other, a few ahead, and written through memory maps. Whatever the number of images,
only a few shards' vectors are in memory.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.images.perceptual_hash import LENGTH
from findimg.index.duplicates.similar_hashes import hash_rows
from findimg.index.mapped_files import new_array
from findimg.library.layout import CATALOG_FILE, TEXT_FILE, VISUAL_FILE
from findimg.storage.base import Storage
from findimg_jobs.segments.catalog_draft import CatalogDraft
from findimg_jobs.segments.text_draft import TextDraft
from findimg_jobs.segments.version_images import VersionImages
from findimg_jobs.store.shard_rows import ContentRows
from findimg_jobs.store.shards import read_rows

_SHARDS_AHEAD = 4  # shards read while another is written
_SAMPLE = 20_000  # maximum number of images that a library is measured on
_SAMPLED_SHARDS = 256  # maximum number of shards that they are read from


@dataclass(frozen=True, slots=True, eq=False)
class SegmentArrays:
    """A segment's vectors, as memory-mapped arrays."""

    visual: NDArray[np.float16]  # float16[images, dim]
    classes: NDArray[np.uint16] | None  # uint16[images, 20]; None for an encoder without classes
    probabilities: NDArray[np.float32] | None  # float32[images, 20]
    region_classes: NDArray[np.uint16] | None  # uint16[images, 20]; None if no image was embedded with regions
    region_probabilities: NDArray[np.float32] | None  # float32[images, 20], zero for an image without regions
    perceptual: NDArray[np.uint8]  # uint8[images, LENGTH], see `hash_rows`


def assemble_arrays(
    storage: Storage, fingerprint: str, images: VersionImages, roots: Sequence[str], folder: Path
) -> SegmentArrays:
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
    catalog = CatalogDraft(folder / "catalog.draft", count)
    perceptual = np.zeros((count, LENGTH), np.uint8)
    arrays: dict[str, NDArray[Any]] = {}
    with TextDraft(folder / "texts.draft") as texts:
        for items, rows in _read_ahead(storage, fingerprint, images):
            for name, vectors in rows.vectors.items():
                if name not in arrays:
                    path = folder / (VISUAL_FILE if name == "visual" else f"{name}.draft")
                    arrays[name] = new_array(path, vectors.dtype, (count, vectors.shape[1]))
                arrays[name][items] = vectors
            catalog.add(items, rows.facts)
            perceptual[items] = hash_rows(rows.facts["perceptual_hash"].to_pylist())
            texts.add_captions(items, rows.facts["captions"].to_pylist())
        texts.add_written(storage, images)
        texts.write(folder / TEXT_FILE, images, roots)
    catalog.write(folder / CATALOG_FILE, images)
    return SegmentArrays(
        arrays["visual"],
        arrays.get("classes"),
        arrays.get("probabilities"),
        arrays.get("region_classes"),
        arrays.get("region_probabilities"),
        perceptual,
    )


def read_sample(
    storage: Storage, fingerprint: str, images: VersionImages
) -> tuple[NDArray[np.float16], NDArray[np.uint16] | None]:
    """Return visual embeddings and most probable classes of evenly chosen images.

    At most `_SAMPLED_SHARDS` evenly chosen shards are read.

    Returns:
        float16[n, dim] and uint16[n], n at most `_SAMPLE`. None instead of the classes for an encoder without.

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
