"""What a query's words mean to the model, and how well images fit them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shared.errors import QueryError
from shared.heads import node_vectors
from shared.lexicon import CLASSES, Lexicon
from shared.words import Words, did_you_mean, nearest_spellings

TEMPERATURE = 0.08
COSINE = 0.3
FLOOR = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What one term of a query stands for.

    Attributes:
        term: the word or phrase, in the form in which it was understood (`mouse` for `mice`).
        classes: float32[1000], how much each class answers the term, 0 to 1, the best of them 1.
        vector: float32[dim] of length 1 in the space of the joint embeddings; None when no word of it is known there.
    """

    term: str
    classes: npt.NDArray[np.float32]
    vector: npt.NDArray[np.float32] | None


def meaning(term: str, lexicon: Lexicon, words: Words) -> Meaning:
    """Says what a word or phrase means.

    Raises:
        QueryError: nobody knows the term; suggests spellings that are known.
    """
    noun = lexicon.singular(term)
    vector = words.direction(noun or term)
    classes = np.zeros(CLASSES, dtype=np.float32)
    for sense in lexicon.senses(term):
        for node, steps in sense.nodes:
            classes = np.maximum(classes, np.float32(sense.share**0.5 * 0.5**steps) * lexicon.covers[node])
    if not classes.any() and vector is not None:
        cosine = node_vectors(words, lexicon)[:CLASSES] @ vector
        classes = np.exp((cosine - cosine.max()) / TEMPERATURE)
    if not classes.any():
        known = nearest_spellings(term, lexicon.visible_nouns()) or words.suggest(term)
        raise QueryError(f"The word {term!r} is unknown.{did_you_mean(known)}")
    return Meaning(noun or term.lower(), np.asarray(classes / classes.max(), dtype=np.float32), vector)


def score(
    category: npt.NDArray[np.float32], cosine: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Says how relevant images are to a whole query; images with everything that was asked for come first.

    Args:
        category: float32[terms, n], for each term and image the sum of the image's class probabilities times the
            term's `Meaning.classes`.
        cosine: float32[terms, n], cosines of the joint embeddings to the term's vector, 0 where there is none.
        weights: float32[terms], negative for what must not be there.

    Returns:
        float32[n], 0 to 1.
    """
    fit = relevance(category, cosine)
    wanted, unwanted = weights > 0, weights < 0
    total = np.ones(fit.shape[1], dtype=np.float32)
    if wanted.any():
        share = weights[wanted] / weights[wanted].sum()
        total = np.exp(share @ np.log(fit[wanted] + FLOOR))
    for weight, there in zip(weights[unwanted], fit[unwanted], strict=True):
        total = total * (1 - there) ** -weight
    return np.asarray(np.clip(total, 0, 1), dtype=np.float32)


def relevance(category: npt.NDArray[np.float32], cosine: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns how well images fit one term, 0 to 1, from class probabilities and the joint embedding's cosine."""
    return np.asarray((np.clip(category, 0, 1) + COSINE * np.clip(cosine, 0, 1)) / (1 + COSINE), dtype=np.float32)


def nothing_relevant(best: float, unrelated: npt.NDArray[np.float32]) -> bool:
    """Whether the best image's score is no better than what words that are not in the library get.

    Args:
        best: the highest score for the query.
        unrelated: float32[queries], the highest score of each of many arbitrary words on the same version.
    """
    return bool(len(unrelated)) and best <= float(np.quantile(unrelated, 0.5))
