"""Merging committed shards into the files of a version: catalog, postings, indexes, manifest."""

import errno
import hashlib
import json
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.shards import Known, read_wanted
from jobs.sources import SourceImage
from shared import ann
from shared.catalog import CatalogRow, write_catalog
from shared.devise import HEAD_FILE, RELEVANCE_FILE, Devise, pack
from shared.errors import NotPublishedError
from shared.heads import Head
from shared.lexicon import open_lexicon
from shared.library import (
    CATALOG_FILE,
    CLASSIFIER_FILE,
    JOINT_FILE,
    PROJECTION_FILE,
    SCHEMA,
    VISUAL_FILE,
    File,
    Index,
    Manifest,
    classifier_key,
    index_files,
    sha256_of,
)
from shared.meaning import meaning, noise, strength, unrelated_terms
from shared.postings import Postings, write_postings
from shared.projection import FULL, IMAGES_PER_DIMENSION, fit_projection, write_projection
from shared.storage import Storage
from shared.words import Words

PARTITION_SIZE = 1_000_000  # items in one Annoy file
_QUERIES = 400  # measured on when an index is calibrated
_CHUNK = 8192  # images whose joint embeddings are computed at a time


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a version is made with, besides the images."""

    backbone: str
    fingerprint: str
    words: str
    head: str
    head_sha256: str  # of a trained head, which may be trained again under its name; else empty
    visual_dim: str  # dimensions of the visual index after projection, or full
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Live:
    """The images that a version will hold, in URI order, and where their vectors lie."""

    images: tuple[SourceImage, ...]
    sha256: tuple[str, ...]
    places: dict[str, dict[str, list[int]]]  # shard → SHA-256 → the items that show this content


def find_live(images: Sequence[SourceImage], known: Known) -> Live:
    """Finds those of `images` whose vectors are committed."""
    found = sorted(image for image in images if (image.uri, image.version) in known.keys)
    hashes = tuple(known.keys[image.uri, image.version].sha256 for image in found)
    places: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for item, sha256 in enumerate(hashes):
        places[known.contents[sha256].shard][sha256].append(item)
    return Live(tuple(found), hashes, places)


def hash_inputs(recipe: Recipe, live: Live) -> str:
    """Hashes everything a version depends on: equal inputs give equal versions, so nothing need be built again."""
    pairs = [(image.uri, image.version, sha256) for image, sha256 in zip(live.images, live.sha256, strict=True)]
    head = [recipe.head, recipe.head_sha256]
    made_with = [SCHEMA, recipe.fingerprint, recipe.words, head, recipe.visual_dim, recipe.sources]
    return hashlib.sha256(json.dumps([made_with, pairs]).encode()).hexdigest()


def merge(
    storage: Storage, run: str, recipe: Recipe, live: Live, failed: int, head: Head, words: Words, folder: Path
) -> Manifest:
    """Builds a version's files in `folder`; vectors pass through memory-mapped files, never all through memory.

    Args:
        storage: the library.
        failed: images that could not be read, for the manifest.
        folder: empty, on this machine.

    Raises:
        NotPublishedError: there is nothing to publish, or a committed shard is damaged.
    """
    images = len(live.images)
    if not images:
        raise NotPublishedError("No image could be read, so there is nothing to publish; the run report says why.")
    visual, classes, probabilities = _gather(storage, recipe.fingerprint, live, folder)
    files = [CATALOG_FILE, VISUAL_FILE]
    visual_index, coherence = _index_looks(visual, classes, recipe.visual_dim, folder)
    files += index_files("visual", visual_index)
    if (folder / PROJECTION_FILE).exists():
        files.append(PROJECTION_FILE)
    joint_index, quiet = None, 0.0
    if classes is not None and probabilities is not None:
        files += write_postings(folder, classes, probabilities)
        storage.fetch(classifier_key(recipe.fingerprint), folder / CLASSIFIER_FILE)
        files.append(CLASSIFIER_FILE)
        quiet = _measure_noise(Postings(folder, images), words)
    elif isinstance(head, Devise):
        classes, probabilities = np.empty((images, 0), np.uint16), np.empty((images, 0), np.float32)
    if isinstance(head, Devise):
        files += _write_head(head, visual, folder)
    # `conse` is made of classes: without them and without a trained head there is no joint index.
    if classes is not None and probabilities is not None:
        joint = _array(folder / JOINT_FILE, np.dtype(np.float16), (images, words.dim))
        for start in range(0, images, _CHUNK):
            part = slice(start, start + _CHUNK)
            joint[part] = head.embed(np.asarray(visual[part], np.float32), classes[part], probabilities[part])
        # Words ask this index, and they lie farther from the images than images do.
        joint_index = _build_index("joint", joint, _some_words(words), folder)
        files += [JOINT_FILE, *index_files("joint", joint_index)]
    created = datetime.now(UTC)
    inputs = hash_inputs(recipe, live)
    return Manifest(
        version=f"{created:%Y%m%dT%H%M%S%fZ}-{inputs[:8]}",
        created=created.isoformat(timespec="seconds"),
        run=run,
        inputs=inputs,
        backbone=recipe.backbone,
        fingerprint=recipe.fingerprint,
        words=recipe.words,
        head=recipe.head,
        dim=visual.shape[1],
        visual_dim=recipe.visual_dim,
        coherence=coherence,
        sources=list(recipe.sources),
        images=images,
        failed=failed,
        visual=visual_index,
        noise=round(quiet, 4),
        joint=joint_index,
        files={name: File(size=(folder / name).stat().st_size, sha256=sha256_of(folder / name)) for name in files},
    )


def _gather(
    storage: Storage, fingerprint: str, live: Live, folder: Path
) -> tuple[NDArray[np.float16], NDArray[np.uint16] | None, NDArray[np.float32] | None]:
    """Writes catalog.sqlite and visual.f16, and the classes as drafts, in one pass over the shards."""
    images = len(live.images)
    arrays: dict[str, NDArray[Any]] = {}

    def rows() -> Iterator[tuple[int, CatalogRow]]:
        for shard in sorted(live.places):
            places = live.places[shard]
            for sha256, content in read_wanted(storage, fingerprint, shard, places.keys()):
                for item in places[sha256]:
                    for name in ("visual", "classes", "probabilities"):
                        vector = getattr(content, name)
                        if vector is not None:
                            if name not in arrays:
                                path = folder / (VISUAL_FILE if name == "visual" else f"{name}.draft")
                                arrays[name] = _array(path, vector.dtype, (images, len(vector)))
                            arrays[name][item] = vector
                    source = live.images[item]
                    yield (
                        item,
                        CatalogRow(
                            source.uri,
                            source.version,
                            live.sha256[item],
                            content.width,
                            content.height,
                            content.format,
                            content.bytes,
                            content.taken,
                        ),
                    )

    write_catalog(folder / CATALOG_FILE, rows())
    return arrays["visual"], arrays.get("classes"), arrays.get("probabilities")


def _array(path: Path, dtype: np.dtype[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """A new array in a file of its own, float[rows, dim]."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            # Where the disk is full this is an error; writing to the mapping would kill the process.
            os.posix_fallocate(file.fileno(), 0, math.prod(shape) * dtype.itemsize)
        else:
            file.truncate(math.prod(shape) * dtype.itemsize)
    return np.memmap(path, dtype, "r+", shape=shape)


def _sample(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Evenly spread rows, float32[at most _QUERIES, dim]; rows that are all zero have no direction to ask for."""
    chosen = np.asarray(vectors[:: max(1, len(vectors) // _QUERIES)][:_QUERIES], np.float32)
    return chosen[np.any(chosen, axis=1)]


def _some_words(words: Words) -> NDArray[np.float32]:
    """Where evenly chosen nouns point that can be seen, float32[at most _QUERIES, dim]."""
    nouns = open_lexicon().visible_nouns()
    directions, known = words.directions(nouns[:: -(-len(nouns) // _QUERIES)])
    return directions[known]


def _write_head(head: Devise, visual: NDArray[np.float16], folder: Path) -> list[str]:
    """Writes a trained head, and what it says of every image, a row a label; returns the files' names."""
    (folder / HEAD_FILE).write_bytes(pack(head.weights))
    relevance = np.memmap(folder / RELEVANCE_FILE, np.float16, "w+", shape=(len(head.labels), len(visual)))
    for start in range(0, len(visual), _CHUNK):
        part = slice(start, start + _CHUNK)
        relevance[:, part] = head.relevance(np.asarray(visual[part], np.float32)).T
    relevance.flush()
    return [HEAD_FILE, RELEVANCE_FILE]


def _index_looks(
    visual: NDArray[np.float16], classes: NDArray[np.uint16] | None, visual_dim: str, folder: Path
) -> tuple[Index, list[float]]:
    """Builds the visual index, projected where there are images enough, and measures what that does to the answers."""
    images, dim = visual.shape
    wanted = dim if visual_dim == FULL else int(visual_dim)
    coherence = [] if classes is None else [_coherence(visual, classes[:, 0])]
    if wanted >= dim or images < wanted * IMAGES_PER_DIMENSION:
        return _build_index("visual", visual, _sample(visual), folder), coherence
    projection = fit_projection(visual, wanted)
    write_projection(folder / PROJECTION_FILE, projection)
    seen = _array(folder / "projected.draft", np.dtype(np.float32), (images, wanted))
    for start in range(0, images, _CHUNK):
        seen[start : start + _CHUNK] = projection(visual[start : start + _CHUNK])
    if classes is not None:
        coherence.append(_coherence(seen, classes[:, 0]))
    return _build_index("visual", seen, _sample(seen), folder), coherence


def _coherence(vectors: NDArray[Any], classes: NDArray[np.uint16]) -> float:
    """Of the 10 images nearest to each of some, the share whose likeliest class is the same: quality without labels."""
    if len(vectors) == 1:
        return 1.0  # nothing is near that could be unlike it
    step = max(1, len(vectors) // _QUERIES)
    queries = np.asarray(vectors[::step], np.float32)
    items, _ = ann.exact(vectors, queries, min(ann.NEIGHBOURS + 1, len(vectors)))
    asked = classes[::step]
    return round(float(np.mean(classes[items[:, 1:]] == asked[:, None])), 4)


def _measure_noise(postings: Postings, words: Words) -> float:
    """What words that nothing can show get on these images."""
    lexicon = open_lexicon()
    meanings = [meaning(term, lexicon, words) for term in unrelated_terms(lexicon, words)]
    best = [postings.sum(each.classes, each.power).max() for each in meanings]
    return noise(strength(np.asarray(best, np.float32)[:, None], np.asarray([each.certainty for each in meanings])))


def _build_index(name: str, vectors: NDArray[Any], queries: NDArray[np.float32], folder: Path) -> Index:
    counts = [min(PARTITION_SIZE, len(vectors) - start) for start in range(0, len(vectors), PARTITION_SIZE)]
    index = Index(dim=vectors.shape[1], counts=counts, search_k=0, recall=0)
    paths = [folder / file for file in index_files(name, index)]
    # Annoy writes through a mapping, too: where the disk is full the process would be killed.
    node = 4 * vectors.shape[1] + 12
    most = 2 * node * sum(count * (1 + 3 * ann.TREES / vectors.shape[1]) + 4 * ann.TREES for count in counts)
    if shutil.disk_usage(folder).free < most:
        raise OSError(errno.ENOSPC, f"{most / 1e6:.0f} MB are needed for the {name} index")
    ann.build(vectors, paths, PARTITION_SIZE)
    calibration = ann.calibrate(paths, counts, vectors, queries)
    return index.model_copy(update={"search_k": calibration.search_k, "recall": calibration.recall})
