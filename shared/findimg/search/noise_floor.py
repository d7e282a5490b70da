"""The noise floor: the relevance that the best of unrelated images reaches. A term must exceed it."""

import numpy as np
import numpy.typing as npt

from findimg.text.lexicon import Lexicon
from findimg.text.vectors import FREQUENT, WordVectors

UNRELATED_TERMS = 200
NOISE_QUANTILE = 0.85  # quantile of the unrelated terms' relevance that is the noise floor


def peak_relevance(best: float, certainty: float) -> float:
    """Return how certainly any image shows a term, 0 to 1.

    Args:
        best: the highest relevance of an image, from `VisualEvidence.relevance`.
        certainty: `ExpandedTerm.certainty` of the term.
    """
    return min(1.0, best) * certainty


def unrelated_terms(lexicon: Lexicon, words: WordVectors) -> list[str]:
    """Return UNRELATED_TERMS common nouns for invisible things, always the same ones. They measure the noise floor."""
    nouns = [noun for noun, senses in lexicon.nouns.items() if not senses]
    common = [noun for noun, row in zip(nouns, words.rows(nouns), strict=True) if 0 <= row < FREQUENT]
    return common[:: max(1, len(common) // UNRELATED_TERMS)][:UNRELATED_TERMS]


def noise_floor(peaks: npt.NDArray[np.float32]) -> float:
    """Return the peak relevance that a term must exceed to count as shown by any image of a version.

    Args:
        peaks: float32[terms], `peak_relevance` of the `unrelated_terms`.
    """
    return float(np.quantile(peaks, NOISE_QUANTILE)) if len(peaks) else 0.0
