"""What a query's words mean to the model, and how well images fit them.

A word goes to the classes: to those it names, to those beside it in WordNet, and to those near it in GloVe.

Precision@10 with efficientnet-lite0 and glove.6B.50d on 1,400 Caltech-101 photographs in 40 classes: for their names,
for 17 category words (`dog`, `music`, `kitchen`), and for 25 pairs of names, each of which 10 more images show as
squares side by side. The constants stand on broad plateaus; each row changes one thing.

| | names | categories | pairs |
|---|---|---|---|
| as it is here | 0.935 | 0.947 | 0.608 |
| without the second look | 0.930 | 0.918 | 0.540 |
| relatives by GloVe alone / by WordNet alone | 0.878 / 0.870 | 0.929 / 0.729 | 0.580 / 0.540 |
| WORDNET 1/8 / 1/16 / 1/24 | 0.935 / 0.930 / 0.923 | 0.947 each | 0.608 / 0.616 / 0.600 |
| GLOVE 0.07 / 0.15 | 0.940 / 0.935 | 0.953 each | 0.600 / 0.580 |
| SENSE 0.1 / 0.3 | 0.935 each | 0.947 / 0.888 | 0.608 / 0.600 |
| meanings of a word by their frequency alone | 0.930 | 0.888 | 0.564 |
| ROOT 1 / 0.25 | 0.923 / 0.915 | 0.941 / 0.947 | 0.604 / 0.576 |
| without `Lexicon.part_of_names` | 0.935 | 0.888 | 0.608 |
| RELATIVE 0 / 0.2 | 0.935 each | 0.947 each | 0.596 / 0.576 |
| LEAST 0.01 / 0.1 | 0.935 each | 0.947 each | 0.572 / 0.596 |
| LEAST_BESIDE 0.08 / 0.15 / 0.25 | 0.935 / 0.933 / 0.928 | 0.947 / 0.953 / 0.953 | 0.608 / 0.608 / 0.604 |
| SEEN_AGAIN 3 / 10 | 0.923 / 0.933 | 0.947 / 0.941 | 0.588 / 0.608 |
| a second look at 50 / 100 / 200 images instead of 70 | 0.935 / 0.930 / 0.933 | 0.947 each | 0.592 / 0.604 / 0.620 |

The plain average of two words' vectors finds 0.23 of the pairs.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from findimg.errors import QueryError
from findimg.heads.conse import class_space, node_vectors
from findimg.text.lexicon import CLASSES, Lexicon, Sense
from findimg.text.spelling import did_you_mean, nearest_spellings
from findimg.text.vectors import FREQUENT, WordVectors, normalised

# How fast a class counts less with the distance to the word: in WordNet (per unit of `Lexicon.specific`), in GloVe
# (cosine), and for a whole meaning of the word by GloVe (cosine).
WORDNET = 1 / 12
GLOVE = 0.1
SENSE = 0.15
# How much more a meaning counts that names classes: `seal` is rather the animal than something to close a letter with.
NAMED = 2
# What relatives of named classes count, so that `boat` also finds schooners once there are no more boats.
RELATIVE = 0.1
# A word that names no class: its images get a little of many relatives, not much of one, so probabilities count by
# their root.
ROOT = 0.5
# A class with less weight is left out, so that few posting lists are read; the second is for words that name no class.
LEAST = 0.05
LEAST_BESIDE = 0.06
FLOOR = 1e-4  # what an image without any sign of a term gets; the joint embedding orders such images
COMMON = 5_000  # the words that say how near to a class any word is
UNRELATED = 200
NOISE = 0.85  # the quantile of the unrelated terms' strengths below which there is nothing relevant
_SAMPLED = 20  # at least so many scores of the sample that says where the best of very many begin are beyond that place
SEEN_AGAIN = 5  # how many of the best images say what the others should look like


@dataclass(frozen=True, slots=True, eq=False)
class ExpandedTerm:
    """What one term of a query stands for.

    Attributes:
        term: the word or phrase as it was understood (`mouse` for `mice`).
        classes: float32[1000], how much each class answers the term, 0 to 1, the best of them 1.
        power: what the images' class probabilities are raised to before they are summed by `classes`; see `score`.
        vector: float32[dim] of length 1 in the space of the joint embeddings; None when no word of it is known there.
        certainty: 0 to 1; the term's weight among other terms is multiplied by it.
    """

    term: str
    classes: npt.NDArray[np.float32]
    power: float
    vector: npt.NDArray[np.float32] | None
    certainty: float


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One way to understand a term."""

    classes: npt.NDArray[np.float32]  # float32[1000], the best of them 1
    share: float  # how common it is among the term's meanings, 0 to 1
    fit: float  # cosine of the term in GloVe to what this reading says it is
    named: bool  # the term is the name of classes, or of what they are


def meaning(term: str, lexicon: Lexicon, words: WordVectors) -> ExpandedTerm:
    """Says what a word or phrase means.

    Raises:
        QueryError: nobody knows the term; suggests spellings that are known.
    """
    noun = lexicon.singular(term)
    vector = words.direction(noun or term)
    # Of a phrase that nobody knows, the last word says what it is: inline skate, stop sign.
    senses = lexicon.senses(term) or lexicon.senses(term.rpartition(" ")[2])
    if not senses and vector is None:
        known = nearest_spellings(term, lexicon.visible_nouns()) or words.suggest(term)
        raise QueryError(f"The word {term!r} is unknown.{did_you_mean(known)}")
    readings = _readings(noun or term, senses, vector, lexicon, words)
    weights = [r.share**0.5 * np.exp((r.fit - 1) / SENSE) * (NAMED if r.named else 1) for r in readings]
    best = int(np.argmax(weights))
    classes = np.max([w / weights[best] * r.classes for w, r in zip(weights, readings, strict=True)], axis=0)
    least, power = (LEAST, 1.0) if readings[best].named else (LEAST_BESIDE, ROOT)
    return ExpandedTerm(
        term=noun or term.lower(),
        classes=np.where(classes < least, 0, classes).astype(np.float32),
        power=power,
        vector=vector,
        certainty=1 if senses or vector is None else _certainty(vector, lexicon, words),
    )


def _readings(
    term: str, senses: tuple[Sense, ...], vector: npt.NDArray[np.float32] | None, lexicon: Lexicon, words: WordVectors
) -> list[_Reading]:
    near = np.zeros(CLASSES, dtype=np.float32)
    if vector is not None:
        near += class_space(words, lexicon) @ vector / GLOVE
    readings = []
    for sense in senses:
        named = lexicon.covers[[node for node, steps in sense.places if steps == 0]].any(axis=0)
        above = list({up for node, _ in sense.places for up in lexicon.above(node)})
        kin = (lexicon.covers[above] * lexicon.specific[above, None]).max(axis=0, initial=0) / np.float32(WORDNET)
        fit = 1.0
        if vector is not None:
            pure = named if named.any() else _best_is_one(kin)
            fit = float(normalised(pure @ node_vectors(words, lexicon)[:CLASSES]) @ vector)
        beside = _best_is_one(np.where(named, -np.inf, kin + near))
        is_name = bool(named.any())
        classes = np.asarray(np.where(named, 1, beside * (RELATIVE if is_name else 1)), dtype=np.float32)
        readings.append(_Reading(classes, sense.share, fit, is_name))
    if any(reading.named for reading in readings):
        return readings
    fit = max((reading.fit for reading in readings), default=1.0)
    if parts := lexicon.part_of_names(term):
        readings.append(_Reading(np.asarray(lexicon.covers[parts].any(axis=0), dtype=np.float32), 1, fit, False))
    unseen = 1 - sum(sense.share for sense in senses)
    if vector is not None and unseen > 0.01:
        readings.append(_Reading(_best_is_one(near), unseen, fit, False))
    return readings


def _best_is_one(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # Where every class is named none is beside them: minus infinity from minus infinity would be no number.
    return np.asarray(np.exp(logits - logits.max(initial=np.finfo(np.float32).min)), dtype=np.float32)


def score(
    category: npt.NDArray[np.float32], cosine: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Says how relevant images are to a whole query; images with everything that was asked for come first.

    The terms' relevances are joined by their weighted geometric mean, and what must not be there takes away its share.

    Args:
        category: float32[terms, n], for each term and image (sum over classes of `ExpandedTerm.classes` times its
            probability ** `ExpandedTerm.power`) ** (1 / `ExpandedTerm.power`).
        cosine: float32[terms, n], cosines of the joint embeddings to the term's vector, 0 where there is none.
        weights: float32[terms], the terms' weights times `ExpandedTerm.certainty`; negative for what must not be there.

    Returns:
        float32[n], 0 to 1.
    """
    fit = category / np.maximum(1, category.max(axis=1, keepdims=True, initial=0))
    wanted, unwanted = weights > 0, weights < 0
    total = np.ones(category.shape[1], dtype=np.float32)
    if wanted.any():
        share = weights[wanted] / weights[wanted].sum()
        total = np.exp(share @ np.log(fit[wanted] + FLOOR * (1 + cosine[wanted])))
    for weight, there in zip(weights[unwanted], fit[unwanted], strict=True):
        total = total * (1 - there) ** -weight
    return np.asarray(np.clip(total, 0, 1), dtype=np.float32)


def rerank(scores: npt.NDArray[np.float32], visual: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Ranks candidates again, by how much they look like the best of them.

    Among what the classes found, the few best agree in their looks more than the mistakes do. Every score becomes the
    mean of itself and the best ones' score times the cosine to the best ones' mean, all seen from the candidates' mean.

    Args:
        scores: float32[n], what `score` gave the best candidates.
        visual: float32[n, dim], their visual embeddings, which are changed.

    Returns:
        float32[n], 0 to 1.
    """
    if len(scores) <= SEEN_AGAIN:
        return scores
    best = np.argsort(-scores, kind="stable")[:SEEN_AGAIN]
    visual -= visual.mean(axis=0)
    centre = normalised(scores[best] @ normalised(visual[best]))
    alike = visual @ centre / np.maximum(np.sqrt(np.vecdot(visual, visual)), np.finfo(np.float32).tiny)
    return np.asarray((scores + scores[best].mean() * np.clip(alike, 0, 1)) / 2, dtype=np.float32)


def top_k(scores: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Returns where the `count` best scores stand, int64[at most count] in rising order; of equal ones the first."""
    if len(scores) <= count:
        return np.arange(len(scores))
    likely = np.arange(0)
    step = min(2 * count // _SAMPLED, len(scores) // (4 * count))
    if step > 1:
        # A part of the scores says where about twice as many as are wanted begin, which spares most of the sorting.
        place = 2 * count // step
        least = -np.partition(-scores[::step], place)[place]
        likely = np.flatnonzero(scores >= least)
    if len(likely) < count:
        likely = np.arange(len(scores))
    among = scores[likely]
    edge = -np.partition(-among, count - 1)[count - 1]
    above = likely[among > edge]
    level = likely[among == edge][: count - len(above)]
    return np.sort(np.concatenate([above, level]))


def strength(category: npt.NDArray[np.float32], certainty: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns how surely anything in the library shows each term, float32[terms], 0 to 1.

    Args:
        category: float32[terms, n] over all images, as for `score`.
        certainty: float32[terms], the terms' `ExpandedTerm.certainty`.
    """
    best = category.max(axis=1, initial=0)
    return np.asarray(np.minimum(1, best) * certainty, dtype=np.float32)


def unrelated_terms(lexicon: Lexicon, words: WordVectors) -> list[str]:
    """Returns UNRELATED common nouns that name nothing to be seen, the same every time, to measure noise with."""
    nouns = [noun for noun, senses in lexicon.nouns.items() if not senses]
    common = [noun for noun, row in zip(nouns, words.rows(nouns), strict=True) if 0 <= row < FREQUENT]
    return common[:: max(1, len(common) // UNRELATED)][:UNRELATED]


def noise(strengths: npt.NDArray[np.float32]) -> float:
    """Returns the strength that a term must exceed on this version to count as shown by anything.

    Args:
        strengths: float32[terms], what `strength` gave the `unrelated_terms`.
    """
    return float(np.quantile(strengths, NOISE)) if len(strengths) else 0.0


@lru_cache(maxsize=4)
def _usual_nearness(words: WordVectors, lexicon: Lexicon) -> npt.NDArray[np.float32]:
    """Cosines of common words to the class nearest to each, in ascending order."""
    common = normalised(words.centred(np.asarray(words.matrix[:COMMON], dtype=np.float32)))
    return np.sort((common @ class_space(words, lexicon).T).max(axis=1))


def _certainty(vector: npt.NDArray[np.float32], lexicon: Lexicon, words: WordVectors) -> float:
    """How far a word that only GloVe knows is from saying nothing to the classes, measured by other words."""
    usual = _usual_nearness(words, lexicon)
    nearest = (class_space(words, lexicon) @ vector).max()
    return float(max(LEAST, 2 * np.searchsorted(usual, nearest) / len(usual) - 1))
