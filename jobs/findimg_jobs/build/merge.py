"""Merging committed shards into the files of a version: catalog, postings, indexes, manifest."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.errors import NotPublishedError
from findimg.heads.conse import Head
from findimg.heads.devise import HEAD_FILE, RELEVANCE_FILE, Devise, pack
from findimg.index import annoy as ann
from findimg.index.annoy import Vectors
from findimg.index.mapped_files import new_array
from findimg.index.postings import Postings, write_postings
from findimg.index.projection import FULL, IMAGES_PER_DIMENSION, fit_projection, write_projection
from findimg.library.library import (
    CATALOG_FILE,
    CLASSIFIER_FILE,
    ENCODER_FILE,
    JOINT_FILE,
    PROJECTION_FILE,
    SCHEMA,
    VISUAL_FILE,
    File,
    Manifest,
    classifier_key,
    encoder_key,
    sha256_of,
)
from findimg.search.expansion import meaning, noise, strength, unrelated_terms
from findimg.storage.base import Storage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors
from findimg_jobs.build.assemble import VersionImages, assemble
from findimg_jobs.build.vector_indexes import IndexSpec, build_indexes
from findimg_jobs.engines.base import Engine

_QUERIES = 400  # measured on when an index is calibrated
_CHUNK = 8192  # images whose joint embeddings are computed at a time
_CROWD = 100_000  # images among which coherence is measured


@dataclass(frozen=True, slots=True)
class BuildConfig:
    """What a version is made with, besides the images."""

    backbone: str
    fingerprint: str
    words: str
    head: str
    head_sha256: str  # of a trained head, which may be trained again under its name; else empty
    visual_dim: str  # dimensions of the visual index after projection, or full
    sources: tuple[str, ...]
    partition_size: int  # items in one partition of an index, at the most


def hash_inputs(config: BuildConfig, live: VersionImages) -> str:
    """Hashes everything a version depends on: equal inputs give equal versions, so nothing need be built again."""
    made_with = [SCHEMA, *asdict(config).values()]
    digest = hashlib.sha256(json.dumps(made_with).encode())
    for image, sha256 in zip(live.images, live.sha256, strict=True):
        digest.update(json.dumps([image.uri, image.version, sha256]).encode())
    return digest.hexdigest()


def merge(
    storage: Storage,
    run: str,
    config: BuildConfig,
    live: VersionImages,
    failed: int,
    head: Head,
    words: WordVectors,
    folder: Path,
    engine: Engine,
) -> Manifest:
    """Builds a version's files in `folder`; vectors pass through files, never all through memory.

    Args:
        storage: the library; partitions that workers build are put there.
        failed: images that could not be read, for the manifest.
        folder: empty, on this machine.

    Raises:
        NotPublishedError: there is nothing to publish, a committed shard is damaged, or workers failed.
        OSError: there is no room in `folder`.
    """
    images = len(live.images)
    if not images:
        raise NotPublishedError("No image could be read, so there is nothing to publish; the run report says why.")
    created = datetime.now(UTC)
    inputs = hash_inputs(config, live)
    version = f"{created:%Y%m%dT%H%M%S%fZ}-{inputs[:8]}"
    gathered = assemble(storage, config.fingerprint, live, folder)
    visual, classes, probabilities = gathered.visual, gathered.classes, gathered.probabilities
    files = [CATALOG_FILE, VISUAL_FILE]
    seen, coherence = _project(visual, classes, config.visual_dim, folder)
    wanted = [IndexSpec("visual", seen, _sample(seen))]
    if (folder / PROJECTION_FILE).exists():
        files.append(PROJECTION_FILE)
    quiet = 0.0
    if classes is not None and probabilities is not None:
        files += write_postings(folder, classes, probabilities)
        storage.fetch(classifier_key(config.fingerprint), folder / CLASSIFIER_FILE)
        files.append(CLASSIFIER_FILE)
        quiet = _measure_noise(Postings(folder, images), words)
    elif isinstance(head, Devise):
        classes, probabilities = np.empty((images, 0), np.uint16), np.empty((images, 0), np.float32)
    if isinstance(head, Devise):
        files += _write_head(head, visual, folder)
    # `conse` is made of classes: without them and without a trained head there is no joint index.
    if classes is not None and probabilities is not None:
        joint = new_array(folder / JOINT_FILE, np.float16, (images, words.dim))
        for part in _parts(images):
            joint[part] = head.embed(np.asarray(visual[part], np.float32), classes[part], probabilities[part])
        files.append(JOINT_FILE)
        # Words ask this index, and they lie farther from the images than images do.
        wanted.append(IndexSpec("joint", joint, _some_words(words)))
    if storage.exists(encoder_key(config.fingerprint)):
        storage.fetch(encoder_key(config.fingerprint), folder / ENCODER_FILE)
        files.append(ENCODER_FILE)
    indexes, built = build_indexes(wanted, config.partition_size, storage, version, folder, engine)
    return Manifest(
        version=version,
        created=created.isoformat(timespec="seconds"),
        run=run,
        inputs=inputs,
        backbone=config.backbone,
        fingerprint=config.fingerprint,
        words=config.words,
        head=config.head,
        dim=visual.shape[1],
        visual_dim=config.visual_dim,
        coherence=coherence,
        sources=list(config.sources),
        images=images,
        failed=failed,
        visual=indexes["visual"],
        noise=round(quiet, 4),
        joint=indexes.get("joint"),
        files={name: File(size=(folder / name).stat().st_size, sha256=sha256_of(folder / name)) for name in files}
        | built,
    )


def _parts(images: int) -> Iterator[slice]:
    for start in range(0, images, _CHUNK):
        yield slice(start, start + _CHUNK)


def _sample(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Evenly spread rows, float32[at most _QUERIES, dim]; rows that are all zero have no direction to ask for."""
    chosen = np.asarray(vectors[:: max(1, len(vectors) // _QUERIES)][:_QUERIES], np.float32)
    return chosen[np.any(chosen, axis=1)]


def _some_words(words: WordVectors) -> NDArray[np.float32]:
    """Where evenly chosen nouns point that can be seen, float32[at most _QUERIES, dim]."""
    nouns = open_lexicon().visible_nouns()
    directions, known = words.directions(nouns[:: -(-len(nouns) // _QUERIES)])
    return directions[known]


def _write_head(head: Devise, visual: NDArray[np.float16], folder: Path) -> list[str]:
    """Writes a trained head, and what it says of every image, a row a label; returns the files' names."""
    (folder / HEAD_FILE).write_bytes(pack(head.weights))
    relevance = new_array(folder / RELEVANCE_FILE, np.float16, (len(head.labels), len(visual)))
    for part in _parts(len(visual)):
        relevance[:, part] = head.relevance(np.asarray(visual[part], np.float32)).T
    return [HEAD_FILE, RELEVANCE_FILE]


def _project(
    visual: NDArray[np.float16], classes: NDArray[np.uint16] | None, visual_dim: str, folder: Path
) -> tuple[Vectors, list[float]]:
    """What the visual index is built from, projections where images are enough, and what that does to likeness."""
    images, dim = visual.shape
    wanted = dim if visual_dim == FULL else int(visual_dim)
    coherence = [] if classes is None else [_coherence(visual, classes[:, 0])]
    if wanted >= dim or images < wanted * IMAGES_PER_DIMENSION:
        return visual, coherence
    projection = fit_projection(visual, wanted)
    write_projection(folder / PROJECTION_FILE, projection)
    seen = new_array(folder / "projected.draft", np.float32, (images, wanted))
    for part in _parts(images):
        seen[part] = projection(visual[part])
    if classes is not None:
        coherence.append(_coherence(seen, classes[:, 0]))
    return seen, coherence


def _coherence(vectors: NDArray[Any], classes: NDArray[np.uint16]) -> float:
    """Of the 10 images nearest to each of some, the share whose likeliest class is the same: quality without labels.

    Among more than `_CROWD` images evenly chosen ones stand for all of them.
    """
    if len(vectors) == 1:
        return 1.0  # nothing is near that could be unlike it
    crowd = slice(None, None, -(-len(vectors) // _CROWD))
    vectors, classes = vectors[crowd], np.asarray(classes[crowd])
    step = max(1, len(vectors) // _QUERIES)
    queries = np.asarray(vectors[::step], np.float32)
    items, _ = ann.exact(vectors, queries, min(ann.NEIGHBOURS + 1, len(vectors)))
    asked = classes[::step]
    return round(float(np.mean(classes[items[:, 1:]] == asked[:, None])), 4)


def _measure_noise(postings: Postings, words: WordVectors) -> float:
    """What words that nothing can show get on these images."""
    lexicon = open_lexicon()
    meanings = [meaning(term, lexicon, words) for term in unrelated_terms(lexicon, words)]
    best = [postings.sum(each.classes, each.power).max() for each in meanings]
    return noise(strength(np.asarray(best, np.float32)[:, None], np.asarray([each.certainty for each in meanings])))
