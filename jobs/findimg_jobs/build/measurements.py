"""Measure a version while it is built: the queries to calibrate with, the coherence and the noise floor."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.index.base import NEIGHBOURS
from findimg.index.exact import exact_neighbours
from findimg.index.postings import Postings
from findimg.search.expansion import expand, noise_floor, peak_relevance, unrelated_terms
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors

_QUERIES = 400  # maximum number of queries in a measurement
_COHERENCE_SAMPLE = 100_000  # maximum number of images among which coherence is measured


def sample_rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Return evenly spread rows, float32[at most 400, dim]. Rows of zeros have no direction and are left out."""
    chosen = np.asarray(vectors[:: max(1, len(vectors) // _QUERIES)][:_QUERIES], np.float32)
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


def measure_noise_floor(postings: Postings, words: WordVectors) -> float:
    """Return the relevance that words of invisible things reach on these images, 0 to 1."""
    lexicon = open_lexicon()
    terms = [expand(term, lexicon, words) for term in unrelated_terms(lexicon, words)]
    best = [float(postings.sum(term.classes, term.power).max()) for term in terms]
    peaks = [peak_relevance(each, term.certainty) for each, term in zip(best, terms, strict=True)]
    return noise_floor(np.asarray(peaks, np.float32))
