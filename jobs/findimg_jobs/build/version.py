"""Build a version's files from committed shards: catalog, vectors, posting lists, indexes and manifest."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import NotPublishedError
from findimg.heads.devise import RELEVANCE_FILE, Devise
from findimg.heads.loading import HEAD_FILE
from findimg.heads.weights import pack
from findimg.index.base import Vectors
from findimg.index.duplicates import group_duplicates, near_duplicate_cosine, write_duplicates
from findimg.index.mapped_files import new_array
from findimg.index.postings import MIN_REGION_PROBABILITY, REGIONS, Postings, write_postings
from findimg.index.projection import FULL, IMAGES_PER_DIMENSION, fit_projection, write_projection
from findimg.library.encoder import kept_files
from findimg.library.layout import (
    CATALOG_FILE,
    CLASSIFIER_FILE,
    DUPLICATES_FILE,
    JOINT_FILE,
    PROJECTION_FILE,
    TEXT_FILE,
    VISUAL_FILE,
    classifier_key,
    encoder_key,
)
from findimg.library.manifest import FileEntry, IndexEntry, Manifest
from findimg.storage.base import Storage
from findimg_jobs.build.assemble import VersionImages, assemble
from findimg_jobs.build.context import BuildContext, hash_inputs
from findimg_jobs.build.measurements import (
    measure_coherence,
    measure_noise_floor,
    sample_rows,
)
from findimg_jobs.build.vector_indexes import BuildTarget, IndexSpec, build_indexes
from findimg_jobs.engines.base import Engine

_CHUNK = 8192  # images whose joint embeddings are computed at a time


@dataclass(frozen=True, slots=True, eq=False)
class BuildRequest:
    """One version to build."""

    run: str  # the run whose plan names the images
    context: BuildContext
    images: VersionImages
    failed: int  # images that could not be read, for the manifest


def build_version(storage: Storage, request: BuildRequest, folder: Path, engine: Engine) -> Manifest:
    """Build a version's files in `folder` and return its manifest.

    Vectors pass through memory-mapped files. They are never all in memory.

    Args:
        storage: the library. Workers write the index partitions that they build into it.
        request: the version to build.
        folder: an empty folder on this machine.
        engine: builds large indexes.

    Raises:
        NotPublishedError: there is no image to publish, a committed shard is damaged, or workers failed.
        OSError: `folder` has no room.
    """
    config, head, words = request.context.config, request.context.head, request.context.words
    count = len(request.images.images)
    if not count:
        raise NotPublishedError("No image could be read, so there is nothing to publish. The run report says why.")
    created = datetime.now(UTC)
    inputs = hash_inputs(config, request.images)
    version = f"{created:%Y%m%dT%H%M%S%fZ}-{inputs[:8]}"
    assembled = assemble(storage, config.fingerprint, request.images, config.sources, folder)
    visual, classes, probabilities = assembled.visual, assembled.classes, assembled.probabilities
    files = [CATALOG_FILE, TEXT_FILE, VISUAL_FILE]
    indexed, coherence = _project(visual, classes, config.visual_dim, folder)
    specs = [IndexSpec("visual", indexed, sample_rows(indexed))]
    if (folder / PROJECTION_FILE).exists():
        files.append(PROJECTION_FILE)
    cosine = near_duplicate_cosine(config.backbone)
    groups = group_duplicates(request.images.sha256, visual, indexed, cosine)
    write_duplicates(folder / DUPLICATES_FILE, groups)
    files.append(DUPLICATES_FILE)
    noise_floor = 0.0
    joint_entry = None
    if classes is not None and probabilities is not None:
        files += write_postings(folder, classes, probabilities)
        if assembled.region_classes is not None and assembled.region_probabilities is not None:
            files += write_postings(
                folder, assembled.region_classes, assembled.region_probabilities, REGIONS, MIN_REGION_PROBABILITY
            )
        storage.fetch(classifier_key(config.fingerprint), folder / CLASSIFIER_FILE)
        files.append(CLASSIFIER_FILE)
        noise_floor = measure_noise_floor(Postings(folder, count), words)
    elif isinstance(head, Devise):
        classes, probabilities = np.empty((count, 0), np.uint16), np.empty((count, 0), np.float32)
    if isinstance(head, Devise):
        files += _write_head(head, visual, folder)
    # `conse` is made of classes. Without classes and without a trained head there is no joint index.
    if classes is not None and probabilities is not None:
        joint = new_array(folder / JOINT_FILE, np.float16, (count, words.dim))
        for chunk in _chunks(count):
            joint[chunk] = head.embed(np.asarray(visual[chunk], np.float32), classes[chunk], probabilities[chunk])
        files.append(JOINT_FILE)
        # Words are far from all images, so Annoy would visit nearly all of them. The file itself is scanned instead.
        joint_entry = IndexEntry(type="exact", dim=words.dim, counts=[count], search_k=0, recall=1.0, file=JOINT_FILE)
    for file in kept_files(storage, config.fingerprint):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        storage.fetch(encoder_key(config.fingerprint, file), folder / file)
        files.append(file)
    indexes, index_files = build_indexes(specs, BuildTarget(storage, version, folder, engine, config.partition_size))
    return Manifest(
        version=version,
        created=created.isoformat(timespec="seconds"),
        run=request.run,
        inputs=inputs,
        backbone=config.backbone,
        fingerprint=config.fingerprint,
        words=config.words,
        head=config.head,
        dim=visual.shape[1],
        visual_dim=config.visual_dim,
        coherence=coherence,
        sources=list(config.sources),
        images=count,
        failed=request.failed,
        visual=indexes["visual"],
        noise=round(noise_floor, 4),
        joint=joint_entry,
        files={name: FileEntry.of(folder / name) for name in files} | index_files,
    )


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, start + _CHUNK)


def _write_head(head: Devise, visual: NDArray[np.float16], folder: Path) -> list[str]:
    """Write a trained head and its relevance for every image, one row per label. Return the names of the files."""
    (folder / HEAD_FILE).write_bytes(pack(head.weights))
    relevance = new_array(folder / RELEVANCE_FILE, np.float16, (len(head.labels), len(visual)))
    for chunk in _chunks(len(visual)):
        relevance[:, chunk] = head.relevance(np.asarray(visual[chunk], np.float32)).T
    return [HEAD_FILE, RELEVANCE_FILE]


def _project(
    visual: NDArray[np.float16], classes: NDArray[np.uint16] | None, visual_dim: str, folder: Path
) -> tuple[Vectors, list[float]]:
    """Return the vectors to index, projected if there are enough images, and the coherence before and after."""
    count, dim = visual.shape
    target = dim if visual_dim == FULL else int(visual_dim)
    coherence = [] if classes is None else [measure_coherence(visual, classes[:, 0])]
    if target >= dim or count < target * IMAGES_PER_DIMENSION:
        return visual, coherence
    projection = fit_projection(visual, target)
    write_projection(folder / PROJECTION_FILE, projection)
    projected = new_array(folder / "projected.draft", np.float32, (count, target))
    for chunk in _chunks(count):
        projected[chunk] = projection(visual[chunk])
    if classes is not None:
        coherence.append(measure_coherence(projected, classes[:, 0]))
    return projected, coherence
