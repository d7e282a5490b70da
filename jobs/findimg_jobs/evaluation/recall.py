"""Measure the recall of a version's vector indexes."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from findimg.index.vector_types.base import VectorIndex, VectorRows
from findimg.index.vector_types.exact import measure_recall
from findimg.index.version_files import indexed_vectors, open_items, open_joint, open_joint_index, open_visual_index
from findimg.library.library import Version
from findimg.library.manifest import IndexEntry
from findimg.text.lexicon import Lexicon
from findimg.text.vectors import WordVectors
from findimg_jobs.evaluation.figures import IndexRecall
from findimg_jobs.evaluation.query_images import QueryImage, evenly

MAX_RECALL_QUERIES = 500  # queries for the recall of an index, besides the labels


def measure_recalls(
    version: Version, words: WordVectors, asked: Sequence[QueryImage], labels: Sequence[str], lexicon: Lexicon
) -> tuple[IndexRecall, ...]:
    """Measure the visual index with images, and the joint index with labels and nouns."""
    manifest = version.manifest
    rows, _ = open_items(version)
    visual = indexed_vectors(version, rows)
    images = np.asarray(visual[np.array([image.item for image in evenly(asked, MAX_RECALL_QUERIES)])], np.float32)
    with closing(open_visual_index(version, rows)) as index:
        measured = [_recall("visual", manifest.visual, index, visual, images)]
    for_words = version.for_words
    rows, _ = open_items(for_words)
    if for_words.manifest.joint and (joint := open_joint(for_words, rows)):
        nouns = evenly(lexicon.visible_nouns(), MAX_RECALL_QUERIES)
        with closing(open_joint_index(for_words, rows)) as index:
            measured.append(
                _recall("joint", for_words.manifest.joint, index, joint, words.directions([*labels, *nouns])[0])
            )
    return tuple(measured)


def _recall(
    name: str, stated: IndexEntry, index: VectorIndex, vectors: VectorRows, queries: NDArray[np.float32]
) -> IndexRecall:
    queries = queries[np.any(queries, axis=1)]
    return IndexRecall(name, stated.recall, measure_recall(index, vectors, queries), len(queries))
