"""Build segments: catalog, vectors, posting lists, visual index and the files that later versions are built from.

A large segment is built on a worker, from the embedding store into the library.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import HeadError, NotPublishedError
from findimg.heads.loading import open_head
from findimg.heads.trained_head import TrainedHead
from findimg.index.duplicates.similar_features import hash_features
from findimg.index.mapped_files import new_array
from findimg.index.postings import MIN_REGION_PROBABILITY, REGIONS, Postings, write_postings
from findimg.library.layout import (
    CATALOG_FILE,
    HASHES_FILE,
    JOINT_FILE,
    KEYS_FILE,
    NOISE_FILE,
    PERCEPTUAL_FILE,
    RELEVANCE_FILE,
    TEXT_FILE,
    VISUAL_FILE,
    segment_folder,
)
from findimg.library.manifest import FileEntry, IndexEntry, SegmentEntry
from findimg.models.store import ModelStore
from findimg.storage.base import Storage, open_storage
from findimg.text.vectors import open_words
from findimg_jobs.build_config.build_context import BuildConfig, BuildContext
from findimg_jobs.engines.engine import Engine
from findimg_jobs.segments.library_measures import LibraryMeasures, sample_rows, write_unrelated_term_hits
from findimg_jobs.segments.row_dependencies import write_keys
from findimg_jobs.segments.segment_arrays import SegmentArrays, assemble_arrays
from findimg_jobs.segments.vector_indexes import build_index
from findimg_jobs.segments.version_images import VersionImages
from findimg_jobs.tables.temporary_folders import build_folder

_SMALL = 50_000  # this process builds a segment of so few images sooner than a worker starts
_CHUNK = 8192  # images whose vectors are computed at a time


@dataclass(frozen=True, slots=True, eq=False)
class SegmentBuilder:
    """What segments are built from and with."""

    storage: Storage  # the library
    context: BuildContext
    measures: LibraryMeasures
    folder: Path  # an existing folder on this machine, in which each segment gets a folder with its name
    engine: Engine  # builds large segments


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """One segment for a worker to build."""

    library: str
    models: Path
    config: BuildConfig
    measures: LibraryMeasures
    images: VersionImages


def build_segments(
    builder: SegmentBuilder, images: VersionImages, groups: Sequence[NDArray[np.int64]]
) -> list[SegmentEntry]:
    """Build segments and return their entries.

    The files of a segment that this process built are in `builder.folder`. A worker uploads what it builds.

    Args:
        builder: how and where to build.
        images: the images of the version.
        groups: the items of each segment. Their keys are copied when the segment is built.

    Raises:
        NotPublishedError: a committed shard is damaged, or workers failed.
        OSError: `builder.folder` has no room.
    """
    largest = max(map(len, groups), default=0)
    if builder.engine.is_local or largest <= _SMALL:
        storage, context, measures = builder.storage, builder.context, builder.measures
        return [build_segment(storage, context, measures, images.take(items), builder.folder) for items in groups]
    root, context, measures = builder.storage.root, builder.context, builder.measures
    tasks = (_Task(root, context.models, context.config, measures, images.take(items)) for items in groups)
    return list(builder.engine.map(_build_on_worker, tasks))


def build_segment(
    storage: Storage, context: BuildContext, measures: LibraryMeasures, images: VersionImages, folder: Path
) -> SegmentEntry:
    """Build one segment in a new folder in `folder`, named after its content, and return its entry.

    Vectors pass through memory-mapped files. They are never all in memory.

    Args:
        storage: the library.
        context: how to build.
        measures: of the library.
        images: at least one image.
        folder: an existing folder on this machine.

    Raises:
        NotPublishedError: a committed shard is damaged.
        OSError: `folder` has no room.
    """
    draft = Path(tempfile.mkdtemp(prefix="segment-", dir=folder))
    assembled = assemble_arrays(storage, context.config.fingerprint, images, context.config.sources, draft)
    visual = assembled.visual
    indexed = measures.indexed(visual)
    projected = visual
    if measures.projection:
        projected = new_array(draft / "projected.draft", np.float32, (len(images), indexed.shape[1]))
        for chunk in _chunks(len(images)):
            projected[chunk] = indexed[chunk]
    files = [CATALOG_FILE, TEXT_FILE, VISUAL_FILE]
    build_files = [KEYS_FILE, HASHES_FILE, PERCEPTUAL_FILE]
    write_keys(draft / KEYS_FILE, images, context.config.sources)
    np.save(draft / HASHES_FILE, hash_features(projected, measures.indexed_centre))
    np.save(draft / PERCEPTUAL_FILE, assembled.perceptual)
    queries = sample_rows(projected)
    entry, file = build_index("visual", projected, queries, draft)
    files.append(file)
    if assembled.classes is not None and assembled.probabilities is not None:
        files += _write_postings(assembled, draft)
        write_unrelated_term_hits(draft / NOISE_FILE, Postings(draft, len(images)), context.words)
        build_files.append(NOISE_FILE)
    joint, joint_files = _write_joint(context, assembled, draft)
    files += joint_files
    for path in draft.glob("*.draft"):
        path.unlink()
    entries = {name: FileEntry.of(draft / name) for name in [*files, *build_files]}
    hashes = sorted((name, each.sha256) for name, each in entries.items())
    segment = SegmentEntry(
        name=hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:32],
        images=len(images),
        visual=entry,
        joint=joint,
        captured_variance=round(measures.projection.captured(sample_rows(visual)), 4) if measures.projection else 1.0,
        files={name: entries[name] for name in files},
        build_files={name: entries[name] for name in build_files},
    )
    shutil.rmtree(folder / segment.name, ignore_errors=True)
    draft.rename(folder / segment.name)
    return segment


def _build_on_worker(task: _Task) -> SegmentEntry:
    """Build a segment on a worker, from the library into the library."""
    config, storage = task.config, open_storage(task.library)
    words = open_words(config.words, ModelStore(task.models).words(config.words))
    head = open_head(config.head, words, config.fingerprint, storage)
    if isinstance(head, TrainedHead) and head.sha256 != config.head_sha256:
        raise HeadError(f"The head {config.head} was trained again during this run. Run again.")
    context = BuildContext(config, head, words, task.models)
    try:
        with build_folder() as folder:
            segment = build_segment(storage, context, task.measures, task.images, folder)
            for file in segment.files | segment.build_files:
                storage.upload(folder / segment.name / file, f"{segment_folder(segment.name)}/{file}")
            return segment
    except OSError as error:
        raise NotPublishedError(
            f"A worker cannot build a segment of {len(task.images)} images in {tempfile.gettempdir()}: {error}. Free "
            "some space there and run again. Everything embedded so far is kept."
        ) from error


def _write_postings(assembled: SegmentArrays, folder: Path) -> list[str]:
    """Write the posting lists of images and of regions. Return the names of the files."""
    assert assembled.classes is not None
    assert assembled.probabilities is not None
    files = write_postings(folder, assembled.classes, assembled.probabilities)
    if assembled.region_classes is not None and assembled.region_probabilities is not None:
        regions = assembled.region_classes, assembled.region_probabilities
        files += write_postings(folder, *regions, REGIONS, MIN_REGION_PROBABILITY)
    return files


def _write_joint(context: BuildContext, assembled: SegmentArrays, folder: Path) -> tuple[IndexEntry | None, list[str]]:
    """Write joint embeddings, and a trained head's relevance of every image. Return the index and the files' names.

    The head `conse` needs classes. Without classes and without a trained head there are no joint embeddings.
    """
    head, visual, count = context.head, assembled.visual, len(assembled.visual)
    classes, probabilities = assembled.classes, assembled.probabilities
    files = []
    if isinstance(head, TrainedHead):
        relevance = new_array(folder / RELEVANCE_FILE, np.float16, (len(head.labels), count))
        for chunk in _chunks(count):
            relevance[:, chunk] = head.relevance(np.asarray(visual[chunk], np.float32)).T
        files.append(RELEVANCE_FILE)
        if classes is None or probabilities is None:
            classes, probabilities = np.empty((count, 0), np.uint16), np.empty((count, 0), np.float32)
    if classes is None or probabilities is None:
        return None, files
    joint = new_array(folder / JOINT_FILE, np.float16, (count, context.words.dim))
    for chunk in _chunks(count):
        joint[chunk] = head.embed(np.asarray(visual[chunk], np.float32), classes[chunk], probabilities[chunk])
    # Words are far from all images, so Annoy would visit nearly all of them. The file itself is scanned instead.
    entry = IndexEntry(type="exact", dim=context.words.dim, counts=[count], search_k=0, recall=1.0, file=JOINT_FILE)
    return entry, [*files, JOINT_FILE]


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, start + _CHUNK)
