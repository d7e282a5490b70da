"""Measure a library while a version is built: projection, coherence, noise floor, and queries to calibrate with.

Projection and coherence belong to the library. They are measured on a sample of its images, kept in the following
versions, and measured again when the library has changed much. The noise floor belongs to a version. It is measured
from a file of each segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.errors import LibraryError
from findimg.index.duplicates.groups import COMPARE_ALL_UP_TO
from findimg.index.postings import WHOLE, Postings, posting_files
from findimg.index.projection import IMAGES_PER_DIMENSION, ProjectedVectors, Projection, fit_projection
from findimg.index.vector_types.base import NEIGHBOURS, VectorRows
from findimg.index.vector_types.exact import exact_neighbours
from findimg.library.items import ItemRows
from findimg.library.layout import NOISE_FILE
from findimg.library.library import Library
from findimg.search.noise_floor import noise_floor, peak_relevance, unrelated_terms
from findimg.search.scoring import top_k
from findimg.search.terms.expansion import ExpandedTerm, expand
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors
from findimg_jobs.segments.segment_files import SegmentFiles

_QUERIES = 400  # maximum number of queries in a measurement
GROWTH = 2  # measure the library again when it has this many times the images of the last measurement
_LEAST_CAPTURED = 0.9  # measure it again when the projection captures less than this share of the variance at first
_KEPT = 8  # best images of each unrelated term
_BEST = np.dtype([("row", "i4"), ("relevance", "f4")])
_COHERENCE_SAMPLE = 100_000  # maximum number of images among which coherence is measured


@dataclass(frozen=True, slots=True, eq=False)
class LibraryMeasures:
    """What was measured on a sample of a library's images."""

    projection: Projection | None  # None if there are too few images, or if it is turned off
    centre: NDArray[np.float32]  # float32[dim], mean of the visual embeddings
    coherence: list[float]  # see Manifest
    captured_variance: float  # share of the embeddings' variance that the projection keeps, 0 to 1
    images: int  # number of images in the library then

    def indexed(self, visual: NDArray[np.floating]) -> VectorRows:
        """Return the vectors to index, projected when they are read, of visual embeddings, float[n, dim]."""
        return ProjectedVectors(visual, self.projection) if self.projection else visual

    @property
    def indexed_centre(self) -> NDArray[np.float32]:
        """Return the centre of the vectors to index."""
        return self.projection(self.centre) if self.projection else self.centre


def sample_rows(vectors: VectorRows) -> NDArray[np.float32]:
    """Return evenly spread rows, float32[at most 400, dim]. Rows of zeros have no direction and are left out."""
    rows = np.arange(len(vectors))[:: max(1, len(vectors) // _QUERIES)][:_QUERIES]
    chosen = np.asarray(vectors[rows], np.float32)
    return chosen[np.any(chosen, axis=1)]


def measure_coherence(vectors: NDArray[Any], classes: NDArray[np.uint16]) -> float:
    """Return how often an image's 10 nearest images have its most probable class, 0 to 1.

    This measures quality without labels. Among more than 100,000 images, evenly chosen ones stand for all.

    Args:
        vectors: float[images, dim].
        classes: the most probable class of each image, uint16[images].
    """
    if len(vectors) == 1:
        return 1.0  # there is no other image
    sample = slice(None, None, -(-len(vectors) // _COHERENCE_SAMPLE))
    vectors, classes = vectors[sample], np.asarray(classes[sample])
    step = max(1, len(vectors) // _QUERIES)
    queries = np.asarray(vectors[::step], np.float32)
    items, _ = exact_neighbours(vectors, queries, min(NEIGHBOURS + 1, len(vectors)))
    expected = classes[::step]
    return round(float(np.mean(classes[items[:, 1:]] == expected[:, None])), 4)


def measure_library(
    visual: NDArray[Any], classes: NDArray[np.uint16] | None, images: int, dimensions: int
) -> LibraryMeasures:
    """Return the measures of a library.

    Args:
        visual: float[n, dim], visual embeddings of a sample of the images.
        classes: the most probable class of each of them, uint16[n]. None for an encoder without classes.
        images: number of images in the library.
        dimensions: dimensions after projection. At least dim means no projection.
    """
    coherence = [] if classes is None else [measure_coherence(visual, classes)]
    centre = np.asarray(visual, np.float32).mean(axis=0)
    if not _is_projected(images, visual.shape[1], dimensions):
        return LibraryMeasures(None, centre, coherence, 1.0, images)
    projection = fit_projection(visual, dimensions)
    if classes is not None:
        coherence.append(measure_coherence(projection(visual), classes))
    return LibraryMeasures(projection, projection.mean, coherence, projection.captured(visual), images)


def is_drifted(before: LibraryMeasures, captured_variance: float, images: int, dim: int, dimensions: int) -> bool:
    """Return whether the library has changed so much that it must be measured again.

    Args:
        before: the measures that were kept.
        captured_variance: share of the variance of the present images that the projection keeps, 0 to 1.
        images: number of images now.
        dim: dimension of the visual embeddings.
        dimensions: dimensions after projection. At least dim means no projection.
    """
    if captured_variance < _LEAST_CAPTURED * before.captured_variance:
        return True
    is_large = images > COMPARE_ALL_UP_TO if dimensions >= dim else _is_projected(images, dim, dimensions)
    return is_large and images >= GROWTH * before.images


def _is_projected(images: int, dim: int, dimensions: int) -> bool:
    return dimensions < dim and images >= dimensions * IMAGES_PER_DIMENSION


def write_unrelated_term_hits(path: Path, postings: Postings, words: WordVectors) -> None:
    """Write NOISE_FILE: a segment's best images for each of the terms that measure the noise floor.

    `measure_noise_floor` reads the files of all segments.
    Several images of each term are kept, so that posting lists are rarely read again after deletions.
    """
    best = np.zeros((len(_terms(words)), _KEPT), _BEST)
    best["row"] = -1
    for each, term in zip(best, _terms(words), strict=True):
        relevance = postings.sum(term.classes, term.power)
        rows = top_k(relevance, _KEPT)
        rows = rows[np.argsort(-relevance[rows], kind="stable")]
        each["row"][: len(rows)] = rows
        each["relevance"][: len(rows)] = relevance[rows]
    np.save(path, best)


def measure_noise_floor(
    library: Library, segments: Sequence[SegmentFiles], rows: ItemRows, words: WordVectors
) -> float:
    """Return the relevance that words of invisible things reach on a version's images, 0 to 1.

    Args:
        library: the library.
        segments: the segments of the version, each with what `write_unrelated_term_hits` wrote.
        rows: the rows of the version's items.
        words: the version's word vectors.

    Raises:
        LibraryError: a file is damaged.
        StorageError: the library cannot be read.
    """
    terms = _terms(words)
    peaks = np.zeros(len(terms), np.float32)
    for number, segment in enumerate(segments):
        deleted = rows.deleted(number)
        best = _read_unrelated_term_hits(segment.fetch(library, NOISE_FILE), len(terms))
        is_live = ~np.isin(best["row"], deleted)
        found = np.where(is_live, best["relevance"], 0).max(axis=1)
        unknown = np.flatnonzero(~is_live.any(axis=1))  # all the best images of these terms are deleted
        if len(unknown):
            folder = segment.fetch(library, *posting_files(WHOLE)).parent
            postings = Postings(folder, segment.entry.images)
            for place in unknown.tolist():
                relevance = postings.sum(terms[place].classes, terms[place].power)
                relevance[deleted] = 0
                found[place] = relevance.max(initial=0)
        peaks = np.maximum(peaks, found)
    certain = [peak_relevance(peak, term.certainty) for peak, term in zip(peaks.tolist(), terms, strict=True)]
    return noise_floor(np.asarray(certain, np.float32))


def _read_unrelated_term_hits(path: Path, terms: int) -> NDArray[Any]:
    try:
        best = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        raise LibraryError(f"{path} cannot be opened: {error}. Publish again with index.") from error
    if best.shape != (terms, _KEPT) or best.dtype != _BEST:
        raise LibraryError(f"{path} does not hold the best images of {terms} terms. Publish again with index.")
    return np.asarray(best)


@lru_cache(maxsize=4)
def _terms(words: WordVectors) -> list[ExpandedTerm]:
    lexicon = open_lexicon()
    return [expand(term, lexicon, words) for term in unrelated_terms(lexicon, words)]
