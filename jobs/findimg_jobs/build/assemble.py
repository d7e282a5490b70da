"""Gathering what a version will hold: from the shards of the embedding store to files in the order of its items.

Shards are read one after the other, a few ahead, and written through mappings: whatever the number of images, no more
than a few shards' vectors are in memory.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.index.mapped_files import new_array
from findimg.library.catalog import CatalogRow, write_catalog
from findimg.library.library import CATALOG_FILE, VISUAL_FILE
from findimg.storage.base import Storage
from findimg_jobs.indexing.sources import SourceImage
from findimg_jobs.store.shards import CommittedImages, ContentRows, read_rows

_AHEAD = 4  # shards read while another is written
_PIECE = 8192  # rows written to the catalog at a time
_FACTS = np.dtype(
    [("width", "i4"), ("height", "i4"), ("format", "u1"), ("bytes", "i8"), ("taken", "datetime64[s]")]
)  # what of an image the catalog tells besides its key; the format is a number in a list


@dataclass(frozen=True, slots=True, eq=False)
class VersionImages:
    """The images that a version will hold, in URI order, and where their vectors lie."""

    images: tuple[SourceImage, ...]
    sha256: tuple[str, ...]
    shards: tuple[str, ...]  # those that hold their vectors
    shard_of: NDArray[np.int32]  # for each image which of these, int32[images]

    def places(self) -> Iterator[tuple[str, list[int]]]:
        """Yields every shard with the items whose vectors it holds."""
        order = np.argsort(self.shard_of, kind="stable")
        ends = np.cumsum(np.bincount(self.shard_of, minlength=len(self.shards)))
        for shard, items in zip(self.shards, np.split(order, ends[:-1]), strict=True):
            yield shard, items.tolist()


@dataclass(frozen=True, slots=True, eq=False)
class Assembled:
    """What was gathered besides the catalog; arrays in files."""

    visual: NDArray[np.float16]  # float16[images, dim]
    classes: NDArray[np.uint16] | None  # uint16[images, 20]; None for a backbone without classes
    probabilities: NDArray[np.float32] | None  # float32[images, 20]


def find_embedded(images: Sequence[SourceImage], known: CommittedImages) -> VersionImages:
    """Finds those of `images` whose vectors are committed."""
    found = sorted(image for image in images if (image.uri, image.version) in known.keys)
    hashes = tuple(known.keys[image.uri, image.version].sha256 for image in found)
    holders = [known.contents[sha256].shard for sha256 in hashes]
    shards = sorted(set(holders))
    numbers = {shard: number for number, shard in enumerate(shards)}
    shard_of = np.fromiter((numbers[shard] for shard in holders), np.int32, len(holders))
    return VersionImages(tuple(found), hashes, tuple(shards), shard_of)


def assemble(storage: Storage, fingerprint: str, live: VersionImages, folder: Path) -> Assembled:
    """Writes catalog.sqlite and visual.f16, and what else the images' vectors say into drafts beside them.

    Args:
        live: at least one image.
        folder: empty, on this machine.

    Raises:
        NotPublishedError: a committed shard is damaged.
        OSError: there is no room in `folder`.
    """
    images = len(live.images)
    facts = new_array(folder / "facts.draft", _FACTS, (images,))
    formats: list[str] = []
    arrays: dict[str, NDArray[Any]] = {}
    for items, contents in _read_ahead(storage, fingerprint, live):
        for name, vectors in contents.vectors.items():
            if name not in arrays:
                path = folder / (VISUAL_FILE if name == "visual" else f"{name}.draft")
                arrays[name] = new_array(path, vectors.dtype, (images, vectors.shape[1]))
            arrays[name][items] = vectors
        for name in ("width", "height", "bytes", "taken"):
            facts[name][items] = contents.plain[name].to_numpy()
        told = contents.plain["format"].to_pylist()
        formats += sorted(set(told) - set(formats))
        facts["format"][items] = [formats.index(each) for each in told]
    write_catalog(folder / CATALOG_FILE, _rows(live, facts, formats))
    return Assembled(arrays["visual"], arrays.get("classes"), arrays.get("probabilities"))


def _rows(live: VersionImages, facts: NDArray[Any], formats: Sequence[str]) -> Iterator[CatalogRow]:
    for start in range(0, len(facts), _PIECE):
        for item, (width, height, kind, size, taken) in enumerate(facts[start : start + _PIECE].tolist(), start):
            image = live.images[item]
            yield CatalogRow(image.uri, image.version, live.sha256[item], width, height, formats[kind], size, taken)


def _read_ahead(storage: Storage, fingerprint: str, live: VersionImages) -> Iterator[tuple[list[int], ContentRows]]:
    """Yields (items, contents) for every shard, reading the next ones meanwhile."""
    waiting: deque[tuple[list[int], Future[ContentRows]]] = deque()
    with ThreadPoolExecutor(_AHEAD) as readers:
        for shard, items in live.places():
            hashes = [live.sha256[item] for item in items]
            waiting.append((items, readers.submit(read_rows, storage, fingerprint, shard, hashes)))
            if len(waiting) > _AHEAD:
                items, read = waiting.popleft()
                yield items, read.result()
        for items, read in waiting:
            yield items, read.result()
