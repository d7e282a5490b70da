"""Build one encoder's part of a version: keep segments of the live one, build new ones, and write the manifest.

`build/build_stage.py` calls `build_part` for each encoder, joins the parts and publishes them.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.registry import near_duplicate_cosine
from findimg.errors import LibraryError, NotPublishedError
from findimg.heads.trained_head import TrainedHead
from findimg.heads.weights import pack
from findimg.index.duplicates.groups import name_groups
from findimg.index.projection import ALL_DIMENSIONS, write_projection
from findimg.library.carried_encoder import kept_files
from findimg.library.items import ItemRows, write_items
from findimg.library.layout import (
    CENTRE_FILE,
    CLASSIFIER_FILE,
    HEAD_FILE,
    ITEMS_FILE,
    NOISE_FILE,
    PAIRS_FILE,
    PROJECTION_FILE,
    classifier_key,
    encoder_key,
    segment_folder,
    shared_key,
)
from findimg.library.library import Library
from findimg.library.manifest import FileEntry, Manifest
from findimg_jobs.build.merge_policies import MergePolicy, SegmentSize, choose_merges
from findimg_jobs.build.near_duplicate_pairs import find_near_duplicates
from findimg_jobs.build.pairs_file import write_pairs
from findimg_jobs.build.reusable_parts import ReusableParts, find_reusable_parts
from findimg_jobs.build_config.build_context import BuildConfig, BuildContext, hash_recipe
from findimg_jobs.engines.engine import Engine
from findimg_jobs.segments.library_measures import LibraryMeasures, is_drifted, measure_library, measure_noise_floor
from findimg_jobs.segments.segment_arrays import read_sample
from findimg_jobs.segments.segment_builder import SegmentBuilder, build_segments
from findimg_jobs.segments.segment_files import SegmentFiles
from findimg_jobs.segments.version_images import VersionImages
from findimg_jobs.segments.visual_embeddings import VisualEmbeddings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class BuildRequest:
    """One encoder's part of a version to build."""

    run: str  # the run whose plan names the images
    context: BuildContext
    images: VersionImages
    failed: int  # number of images and folders that the run could not read, for the manifest
    merge_policy: MergePolicy = choose_merges
    rewritten: AbstractSet[str] = field(default_factory=frozenset)  # names of segments that must not be kept
    reread: bool = False  # facts of images in these segments were read again, so their near-duplicates may differ


@dataclass(frozen=True, slots=True, eq=False)
class BuiltVersion:
    """Manifest and files that are ready to be published: one encoder's part, and after `join_parts` a version."""

    manifest: Manifest
    uploads: dict[str, Path]  # files on this machine to upload, by key
    written: dict[str, FileEntry]  # files that are new in the library, by key: the uploads, and what workers wrote


@dataclass(frozen=True, slots=True, eq=False)
class _Segments:
    """The segments of a new part."""

    files: list[SegmentFiles]
    rows: ItemRows
    measures: LibraryMeasures


def build_part(
    library: Library, request: BuildRequest, live: Manifest | None, folder: Path, engine: Engine
) -> BuiltVersion | None:
    """Build the files of one encoder's part that the library lacks. Return None if it would equal the live part.

    The manifest has a version name of its own. `join_parts` gives the published version another one.

    Args:
        library: the library. Workers write the segments that they build into it.
        request: the part to build.
        live: the live version's manifest of this encoder, None if it has none or cannot be read.
        folder: an empty folder on this machine.
        engine: builds large segments.

    Raises:
        NotPublishedError: there is no image to publish, a committed shard is damaged, or workers failed.
        OSError: `folder` has no room.
    """
    context, images = request.context, request.images
    if not len(images):
        raise NotPublishedError("No image could be read, so there is nothing to publish. The run report says why.")
    recipe = hash_recipe(context.config)
    reused = _find_reusable(library, live, context.config, images)
    if reused and _must_be_measured(reused, context, len(images)):
        _log.info("The library has changed much, so it is measured again and all its segments are built again.")
        reused = None
    kept = _kept_segments(reused, request, len(images)) if reused else []
    if reused and _is_unchanged(reused, kept, request):
        return None
    segments = _assemble_segments(library, request, reused, kept, BuildResources(folder, engine))
    firsts = images.first_copies()
    pairs = _find_pairs(library, request, segments, reused, firsts)
    rows = segments.rows
    write_items(folder / ITEMS_FILE, rows.rows, name_groups(firsts, pairs))
    write_pairs(folder / PAIRS_FILE, firsts == np.arange(len(firsts)), pairs)
    entries = {name: FileEntry.of(folder / name) for name in (ITEMS_FILE, PAIRS_FILE)}
    entries |= _write_shared(library, context, segments.measures, folder, reused.live.files if reused else {})
    has_classes = NOISE_FILE in segments.files[0].entry.build_files
    noise = measure_noise_floor(library, segments.files, rows, context.words) if has_classes else 0.0
    created = datetime.now(UTC)
    names = [each.entry.name for each in segments.files]
    inputs_of = [recipe, *context.config.sources, *names, *(entry.sha256 for entry in entries.values())]
    inputs = hashlib.sha256(json.dumps(inputs_of).encode()).hexdigest()
    config = context.config
    manifest = Manifest(
        version=f"{created:%Y%m%dT%H%M%S%fZ}-{inputs[:8]}",
        created=created.isoformat(timespec="seconds"),
        run=request.run,
        inputs=inputs,
        recipe=recipe,
        backbone=config.backbone,
        fingerprint=config.fingerprint,
        words=config.words,
        head=config.head,
        dim=len(segments.measures.centre),
        visual_dim=config.visual_dim,
        coherence=segments.measures.coherence,
        measured_images=segments.measures.images,
        captured_variance=round(segments.measures.captured_variance, 4),
        sources=list(config.sources),
        images=len(images),
        failed=request.failed,
        noise_floor=round(noise, 4),
        segments=[each.entry for each in segments.files],
        files=entries,
    )
    return _with_new_files(manifest, segments, folder, reused)


@dataclass(frozen=True, slots=True)
class BuildResources:
    """With what new segments are built: a folder on this machine, and the engine that builds large ones."""

    folder: Path
    engine: Engine


def _find_reusable(
    library: Library, live: Manifest | None, config: BuildConfig, images: VersionImages
) -> ReusableParts | None:
    try:
        return find_reusable_parts(library, live, config, images)
    except LibraryError as error:
        _log.warning("All segments are built again, because the live version is damaged: %s", error)
        return None


def _must_be_measured(reused: ReusableParts, context: BuildContext, images: int) -> bool:
    """Return whether the measures of the live version no longer fit the library."""
    live = reused.live
    captured = sum(each.captured_variance * each.images for each in live.segments) / sum(
        each.images for each in live.segments
    )
    dimensions = _dimensions(context, live.dim)
    return is_drifted(reused.measures, captured, images, live.dim, dimensions)


def _dimensions(context: BuildContext, dim: int) -> int:
    return dim if context.config.visual_dim == ALL_DIMENSIONS else int(context.config.visual_dim)


def _kept_segments(reused: ReusableParts, request: BuildRequest, images: int) -> list[int]:
    """Return the positions of the live version's segments to keep."""
    live, config = reused.live, request.context.config
    counts = np.bincount(reused.segment_of[reused.segment_of >= 0], minlength=len(live.segments))
    usable = [
        number
        for number, segment in enumerate(live.segments)
        if counts[number] and segment.name not in request.rewritten
    ]
    sizes = [SegmentSize(live.segments[number].images, int(counts[number])) for number in usable]
    new = images - sum(size.live for size in sizes)
    sizes += [SegmentSize(new, new)] if new else []
    merged = request.merge_policy(sizes, config.segment_size)
    return [number for position, number in enumerate(usable) if position not in merged]


def _is_unchanged(reused: ReusableParts, kept: Sequence[int], request: BuildRequest) -> bool:
    """Return whether the new version would have the images, the segments and the sources of the live one."""
    live = reused.live
    starts = np.concatenate([[0], np.cumsum([segment.images for segment in live.segments])])
    return (
        len(kept) == len(live.segments)
        and live.sources == list(request.context.config.sources)
        and bool((reused.segment_of >= 0).all())
        and np.array_equal(starts[reused.segment_of] + reused.row_of, reused.rows.rows)
    )


def _assemble_segments(
    library: Library,
    request: BuildRequest,
    reused: ReusableParts | None,
    kept: Sequence[int],
    resources: BuildResources,
) -> _Segments:
    """Build the segments that the live version lacks. Return the kept and the new segments in their order."""
    context, images = request.context, request.images
    files: list[SegmentFiles] = []
    is_missing = np.ones(len(images), np.bool_)
    rows = np.zeros(len(images), np.int64)
    start = 0
    if reused:
        measures = reused.measures
        for number in kept:
            segment = reused.live.segments[number]
            held = reused.segment_of == number
            rows[held] = start + reused.row_of[held]
            is_missing[held] = False
            start += segment.images
            files.append(SegmentFiles(segment, reused.folder(segment), is_new=False))
    else:
        visual, classes = read_sample(library.storage, context.config.fingerprint, images)
        measures = measure_library(visual, classes, len(images), _dimensions(context, visual.shape[1]))
    missing = np.flatnonzero(is_missing)
    pieces = -(-len(missing) // context.config.segment_size)
    groups = [items for items in np.array_split(missing, max(1, pieces)) if len(items)]
    builder = SegmentBuilder(library.storage, context, measures, resources.folder, resources.engine)
    built = build_segments(builder, images, groups)
    for segment, items in zip(built, groups, strict=True):
        rows[items] = np.arange(start, start + len(items))
        start += len(items)
        files.append(SegmentFiles(segment, resources.folder / segment.name, is_new=True))
    return _Segments(files, ItemRows([each.entry.images for each in files], rows), measures)


def _find_pairs(
    library: Library,
    request: BuildRequest,
    segments: _Segments,
    reused: ReusableParts | None,
    firsts: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Return the near-duplicates among the new version's contents, int64[p, 2], the smaller item first."""
    contents = np.flatnonzero(firsts == np.arange(len(firsts)))
    known = np.zeros(len(firsts), np.bool_)  # by first item: whether the live version knows the content's pairs
    pairs = np.empty((0, 2), np.int64)
    if reused:
        known, pairs = reused.pairs_of(firsts, request.rewritten if request.reread else frozenset())
    config = request.context.config
    cosine = config.near_duplicate_cosine or near_duplicate_cosine(config.backbone)
    visual = VisualEmbeddings(library, segments.files, segments.rows, len(segments.measures.centre))
    added = find_near_duplicates(visual, contents, ~known[contents], cosine)
    joined = np.concatenate([pairs, added])
    return joined[np.lexsort((joined[:, 1], joined[:, 0]))]


def _write_shared(
    library: Library, context: BuildContext, measures: LibraryMeasures, folder: Path, before: Mapping[str, FileEntry]
) -> dict[str, FileEntry]:
    """Return the library's measures, its head, its encoder and the encoder's classifier, as far as there are any.

    Those that the live version does not have are written to `folder`.
    """
    storage, fingerprint = library.storage, context.config.fingerprint
    models = {file: encoder_key(fingerprint, file) for file in kept_files(storage, fingerprint)}
    if storage.exists(classifier_key(fingerprint)):
        models[CLASSIFIER_FILE] = classifier_key(fingerprint)
    shared = (PROJECTION_FILE, CENTRE_FILE, HEAD_FILE, *models)
    entries = {file: before[file] for file in shared if file in before}
    if measures.projection and PROJECTION_FILE not in entries:
        write_projection(folder / PROJECTION_FILE, measures.projection)
    elif not measures.projection and CENTRE_FILE not in entries:
        np.save(folder / CENTRE_FILE, measures.centre)
    if isinstance(context.head, TrainedHead) and HEAD_FILE not in entries:
        (folder / HEAD_FILE).write_bytes(pack(context.head.weights))
    for file, key in models.items():
        if file not in entries:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            storage.fetch(key, folder / file)
    return entries | {file: FileEntry.of(folder / file) for file in shared if (folder / file).exists()}


def _with_new_files(
    manifest: Manifest, segments: _Segments, folder: Path, reused: ReusableParts | None
) -> BuiltVersion:
    """Return a version with the files that the library lacks."""
    before = reused.live.all_files() if reused else {}
    uploads: dict[str, Path] = {}
    written: dict[str, FileEntry] = {}
    for segment in (each for each in segments.files if each.is_new):
        for file, entry in (segment.entry.files | segment.entry.build_files).items():
            key = f"{segment_folder(segment.entry.name)}/{file}"
            written[key] = entry
            if (path := segment.folder / file).exists():
                uploads[key] = path
    for file, entry in manifest.files.items():
        key = shared_key(entry.sha256, file)
        if key not in before:
            written[key] = entry
            uploads[key] = folder / file
    return BuiltVersion(manifest, uploads, written)
