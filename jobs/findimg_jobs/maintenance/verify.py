"""Verifying a version: its files, its counts, its catalog against its indexes, and its recall, measured again."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index import annoy as ann
from findimg.index.annoy import AnnoyPartitions
from findimg.index.projection import open_projection
from findimg.library.catalog import NO_FILTERS, Catalog, CatalogRow
from findimg.library.library import (
    CATALOG_FILE,
    JOINT_FILE,
    PROJECTION_FILE,
    VISUAL_FILE,
    Index,
    Library,
    Manifest,
    index_files,
)
from findimg.storage.base import Storage
from findimg_jobs.store.shards import read_committed, read_vectors

_ROWS = 200  # compared with the embedding store, looked up in the indexes, asked for to measure recall
_MISSED = 0.05  # share of rows that a sound index may not find by their own vectors: it is approximate
_TOLERANCE = 0.02  # by which recall may fall short of what the manifest states: other queries were asked there
_CHUNK = 8192  # images that are projected at a time


@dataclass(slots=True)
class Findings:
    """What verifying a version found."""

    problems: list[str] = field(default_factory=list)
    compared: int = 0  # rows that were compared with the embedding store
    recall: dict[str, float] = field(default_factory=dict)  # recall@10 by index, measured again


def verify(library: Library, manifest: Manifest) -> Findings:
    """Reads a version back and compares it with its manifest, with the embedding store and with itself.

    Raises:
        LibraryError: a file cannot be opened as what it should be.
        StorageError: the library cannot be reached.
    """
    # What is damaged need not be looked into.
    findings = Findings(list(library.check(manifest)))
    if findings.problems:
        return findings
    folder = library.open(manifest.version).folder
    shapes = {VISUAL_FILE: (manifest.images, manifest.dim)}
    indexes = {"visual": manifest.visual}
    if manifest.joint:
        shapes[JOINT_FILE] = manifest.images, manifest.joint.dim
        indexes["joint"] = manifest.joint
    findings.problems += _miscounted(manifest, folder, shapes, indexes)
    if findings.problems:
        return findings
    arrays = {name: np.memmap(folder / name, np.float16, "r", shape=shape) for name, shape in shapes.items()}
    items = range(0, manifest.images, -(-manifest.images // _ROWS))
    with closing(Catalog(folder / CATALOG_FILE)) as catalog:
        rows = {item: catalog.row(item) for item in items}
    findings.compared, unlike = _compare(library.storage, manifest.fingerprint, rows, arrays[VISUAL_FILE])
    findings.problems += unlike
    for name, index in indexes.items():
        vectors = arrays[JOINT_FILE] if name == "joint" else _looks(arrays[VISUAL_FILE], folder, index)
        paths = [folder / file for file in index_files(name, index)]
        with closing(AnnoyPartitions(paths, index.dim, index.counts, index.search_k)) as opened:
            missed = _missed(opened, vectors, items)
            found = ann.recall(opened, vectors, _directed(vectors, items))
        if missed > _MISSED * len(items):
            findings.problems.append(
                f"{missed} of {len(items)} images are not where the {name} index should have them."
            )
        if found < index.recall - _TOLERANCE:
            findings.problems.append(
                f"The {name} index has a recall of {found:.3f}, the manifest states {index.recall:.3f}."
            )
        findings.recall[name] = round(found, 4)
    return findings


def _miscounted(
    manifest: Manifest, folder: Path, shapes: dict[str, tuple[int, int]], indexes: dict[str, Index]
) -> Iterator[str]:
    with closing(Catalog(folder / CATALOG_FILE)) as catalog:
        items = catalog.matching(NO_FILTERS)
    if not np.array_equal(items, np.arange(manifest.images)):
        yield f"The catalog's {len(items)} rows are not the items 0 to {manifest.images - 1} of the manifest."
    for name, (rows, dim) in shapes.items():
        if (folder / name).stat().st_size != rows * dim * 2:
            yield f"{name} is not of {rows} rows of {dim} dimensions."
    for name, index in indexes.items():
        if sum(index.counts) != manifest.images:
            yield f"The {name} index has {sum(index.counts)} items, the manifest {manifest.images} images."


def _compare(
    storage: Storage, fingerprint: str, rows: dict[int, CatalogRow], visual: NDArray[np.float16]
) -> tuple[int, list[str]]:
    """Compares rows with what the embedding store still has of them: how many, and what is wrong."""
    known = read_committed(storage, fingerprint)
    wrong = []
    by_shard: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for item, row in rows.items():
        key = known.keys.get((row.uri, row.version))
        if key and key.sha256 != row.sha256:
            wrong.append(f"Row {item} of the catalog, {row.uri}, has other content than the embedding store knows.")
        if row.sha256 in known.contents:
            by_shard[known.contents[row.sha256].shard][row.sha256].append(item)
    compared = 0
    for shard, wanted in by_shard.items():
        try:
            for sha256, content in read_vectors(storage, fingerprint, shard):
                for item in wanted.get(sha256, ()):
                    compared += 1
                    if not np.array_equal(visual[item], np.asarray(content.visual, np.float16)):
                        wrong.append(f"Row {item} of {VISUAL_FILE} is not the embedding of {rows[item].uri}.")
        except LibraryError as error:
            wrong.append(str(error))
    return compared, wrong


def _looks(visual: NDArray[np.float16], folder: Path, index: Index) -> NDArray[Any]:
    """What the visual index was built from: the embeddings, or their projections."""
    if not (folder / PROJECTION_FILE).exists():
        return visual
    projection = open_projection(folder / PROJECTION_FILE, visual.shape[1], index.dim)
    return np.concatenate([projection(visual[start : start + _CHUNK]) for start in range(0, len(visual), _CHUNK)])


def _missed(index: AnnoyPartitions, vectors: NDArray[Any], items: Sequence[int]) -> int:
    """How many items the index does not find by their own vectors."""
    missed = 0
    for item in items:
        vector = np.asarray(vectors[item], np.float32)
        if vector.any():
            found, cosines = index.nearest(vector, ann.NEIGHBOURS)
            # Copies of an image share one direction, and any ten of them may come back.
            missed += item not in found and cosines[-1] < 1 - 1e-4
    return missed


def _directed(vectors: NDArray[Any], items: Sequence[int]) -> NDArray[np.float32]:
    """Those of the rows that point anywhere, float32[n, dim]."""
    chosen = np.asarray(vectors[items], np.float32)
    return chosen[np.any(chosen, axis=1)]
