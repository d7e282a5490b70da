"""Query expansion: from a word or phrase to the classes that it stands for.

A word selects the classes that it names. Its relatives are added with less weight: classes that are near in WordNet,
and classes with similar names in GloVe.

Precision@10 with efficientnet-lite0 and glove.6B.50d on 1,400 Caltech-101 photographs in 40 classes. The queries are
the names of the classes, 17 category words (`dog`, `music`, `kitchen`), and 25 pairs of names. For each pair, 10 more
images show both as squares side by side. Each row changes one constant.

| | names | categories | pairs |
|---|---|---|---|
| chosen values | 0.935 | 0.947 | 0.608 |
| without reranking | 0.930 | 0.918 | 0.540 |
| relatives by GloVe only / by WordNet only | 0.878 / 0.870 | 0.929 / 0.729 | 0.580 / 0.540 |
| WORDNET_SCALE 1/8 / 1/16 / 1/24 | 0.935 / 0.930 / 0.923 | 0.947 each | 0.608 / 0.616 / 0.600 |
| GLOVE_SCALE 0.07 / 0.15 | 0.940 / 0.935 | 0.953 each | 0.600 / 0.580 |
| SENSE_SCALE 0.1 / 0.3 | 0.935 each | 0.947 / 0.888 | 0.608 / 0.600 |
| senses weighted by frequency only | 0.930 | 0.888 | 0.564 |
| GUESS_EXPONENT 1 / 0.25 | 0.923 / 0.915 | 0.941 / 0.947 | 0.604 / 0.576 |
| without `Lexicon.part_of_names` | 0.935 | 0.888 | 0.608 |
| RELATIVE_WEIGHT 0 / 0.2 | 0.935 each | 0.947 each | 0.596 / 0.576 |
| MIN_CLASS_WEIGHT 0.01 / 0.1 | 0.935 each | 0.947 each | 0.572 / 0.596 |
| MIN_GUESS_CLASS_WEIGHT 0.08 / 0.15 / 0.25 | 0.935 / 0.933 / 0.928 | 0.947 / 0.953 / 0.953 | 0.608 / 0.608 / 0.604 |
| RERANK_BY 3 / 10 | 0.923 / 0.933 | 0.947 / 0.941 | 0.588 / 0.608 |
| RERANKED 50 / 100 / 200 instead of 70 | 0.935 / 0.930 / 0.933 | 0.947 each | 0.592 / 0.604 / 0.620 |

The average of two words' vectors finds 0.23 of the pairs.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from findimg.errors import UnknownWordError
from findimg.heads.conse import class_vectors, node_vectors
from findimg.text.lexicon import CLASSES, Lexicon, Sense
from findimg.text.lexicon.common_words import is_common
from findimg.text.spelling import did_you_mean, nearest_spellings
from findimg.text.vectors import WordVectors
from findimg.vectors import normalised

# Scale of the decay of a class's weight with its distance from the word: in WordNet (`Lexicon.specific`), in GloVe
# (cosine), and for a whole sense of the word in GloVe (cosine).
WORDNET_SCALE = 1 / 12
GLOVE_SCALE = 0.1
SENSE_SCALE = 0.15
NAMED_FACTOR = 2  # factor for a sense that names classes: `seal` is the animal rather than the stamp
# If a sense that names classes has at least this share of the word's uses, and no visible sense has more, all other
# senses are left out. Otherwise classes with ambiguous names lose: the only class below `sheep` is called `ram`.
MIN_NAMED_SHARE = 0.3
# A sense with a smaller share counts in three cases: it is a class with at least MIN_RARE_SHARE, it is a class whose
# usual name is the word, or no visible sense is more common and its classes have a cosine of at least MIN_RARE_FIT to
# the word: `bell`, `cup`, `drink`, but not `killer`.
MIN_RARE_SHARE = 0.1
MIN_RARE_FIT = 0.6
# A sense that is less specific than MIN_SPECIFICITY (`Lexicon.specific`) names its classes only if this number and the
# cosine of its classes to the word in GloVe add up to MIN_CONCRETENESS: `animal` 0.85 and `food` 0.87, but `part` 0.42
# and `matter` 0.53. Otherwise its classes are a guess.
MIN_SPECIFICITY = 0.5
MIN_CONCRETENESS = 0.68
RELATIVE_WEIGHT = 0.1  # weight of relatives of named classes: `boat` also finds schooners when there are no more boats
# Weight of a class whose name ends with the word (`bighorn sheep`, `bow tie`), if it shares a hypernym of at least
# MIN_KIND_SPECIFICITY (`Lexicon.specific`) with a named class. So `lion` does not select sea lions. The weight is below
# a good match, because some of these classes are something else: a mouth organ is not an organ.
KIND_WEIGHT = 0.35
MIN_KIND_SPECIFICITY = 0.5
# A guess is of one kind with its classes if a sense with a share of at least MIN_NAMED_SHARE is below a node that
# is this specific: helicopters and warplanes are aircraft (0.66), but beaches and cliffs only geological formations
# (0.54).
MIN_ONE_KIND_SPECIFICITY = 0.55
# Exponent of probabilities for a word that names no class. Such images have some probability for many relatives.
GUESS_EXPONENT = 0.5
# Least weight of a class, so that few posting lists are read. The second one is for words that name no class.
MIN_CLASS_WEIGHT = 0.05
MIN_GUESS_CLASS_WEIGHT = 0.06
# Highest relevance for a word that names no class, so that a guess is never presented as a good match: `beach` is near
# to beach wagons in every source.
GUESS_CEILING = 0.14
COMMON_WORDS = 5_000  # most frequent words, used to estimate how similar any word is to a class


@dataclass(frozen=True, slots=True, eq=False)
class ExpandedTerm:
    """A term of a query with the classes that it stands for.

    Attributes:
        term: the word or phrase in its base form (`mouse` for `mice`).
        classes: float32[1000], weight of each class, 0 to 1. The largest weight is 1.
        power: exponent of the class probabilities, see `ClassEvidence.probability`.
        vector: float32[dim] of length 1 in the space of the joint embeddings, None for an unknown term. It is that of
            the classes if the term names classes, otherwise that of the word.
        certainty: 0 to 1, factor of the term's weight among other terms.
        ceiling: highest relevance that an image can get, above 0 and at most 1. It is 1 if the term names classes.
        one_kind: whether the term and its classes are things of one kind, such as aircraft. False for `sky` or `city`.
    """

    term: str
    classes: npt.NDArray[np.float32]
    power: float
    vector: npt.NDArray[np.float32] | None
    certainty: float
    ceiling: float
    one_kind: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One sense of a term."""

    classes: npt.NDArray[np.float32]  # float32[1000], the largest is 1
    share: float  # share of the term's uses, 0 to 1
    fit: float  # cosine of the term's vector to the vectors of the sense's classes
    named: bool  # the term names classes, or a node above classes, and people probably mean them


def expand(term: str, lexicon: Lexicon, words: WordVectors) -> ExpandedTerm:
    """Return the classes that a word or phrase stands for.

    Raises:
        UnknownWordError: no source knows the term. The message suggests known spellings.
    """
    noun = lexicon.singular(term)
    vector = words.direction(noun or term)
    # The last word of an unknown phrase is its head: inline skate, stop sign.
    senses = lexicon.senses(term) or lexicon.senses(term.rpartition(" ")[2])
    if not senses and vector is None:
        if is_common(term.lower()):
            raise UnknownWordError(f"The word {term!r} is unknown. Use a more common word.")
        known = nearest_spellings(term, lexicon.visible_nouns()) or words.suggest(term)
        raise UnknownWordError(f"The word {term!r} is unknown.{did_you_mean(known)}")
    readings = _readings(noun or term, senses, vector, lexicon, words)
    weights = [r.share**0.5 * math.exp((r.fit - 1) / SENSE_SCALE) * (NAMED_FACTOR if r.named else 1) for r in readings]
    best = weights.index(max(weights))
    classes = np.maximum.reduce([w / weights[best] * r.classes for w, r in zip(weights, readings, strict=True)])
    least, power = (MIN_CLASS_WEIGHT, 1.0) if readings[best].named else (MIN_GUESS_CLASS_WEIGHT, GUESS_EXPONENT)
    if readings[best].named:
        # All names of a class order images without evidence equally.
        vector = normalised(class_vectors(words, lexicon)[readings[best].classes == 1].sum(axis=0))
    return ExpandedTerm(
        term=noun or term.lower(),
        classes=np.where(classes < least, 0, classes).astype(np.float32),
        power=power,
        vector=vector,
        certainty=1 if senses or vector is None else _certainty(vector, lexicon, words),
        ceiling=1 if readings[best].named else GUESS_CEILING,
        one_kind=readings[best].named or _is_of_one_kind(senses, lexicon),
    )


def _readings(
    term: str, senses: tuple[Sense, ...], vector: npt.NDArray[np.float32] | None, lexicon: Lexicon, words: WordVectors
) -> list[_Reading]:
    near = np.zeros(CLASSES, dtype=np.float32)
    if vector is not None:
        near += class_vectors(words, lexicon) @ vector / GLOVE_SCALE
    readings = []
    any_is_clear = main_is_named = False
    called = lexicon.classes_called(term)
    for sense in senses:
        named = np.asarray(lexicon.covers[[node for node, steps in sense.places if steps == 0]].any(axis=0))
        above = list({up for node, _ in sense.places for up in lexicon.above(node)})
        kin = (lexicon.covers[above] * lexicon.specific[above, None]).max(axis=0, initial=0) / np.float32(WORDNET_SCALE)
        fit = 1.0
        if vector is not None:
            pure = named if named.any() else _best_is_one(kin)
            fit = float(normalised(pure @ node_vectors(words, lexicon)[:CLASSES]) @ vector)
        beside = _best_is_one(np.where(named, -np.inf, kin + near))
        is_name = bool(named.any())
        classes = np.asarray(np.where(named, 1, beside * (RELATIVE_WEIGHT if is_name else 1)), dtype=np.float32)
        if is_name:
            kinds = [each for each in called if _is_close(each, named, lexicon)]
            classes[kinds] = np.maximum(classes[kinds], KIND_WEIGHT)
        readings.append(_Reading(classes, sense.share, fit, is_name))
        clear = is_name and _names_classes(term, sense, senses, fit, lexicon)
        any_is_clear |= clear
        main_is_named |= (
            is_name and sense.share >= MIN_NAMED_SHARE and sense.share == max(other.share for other in senses)
        )
    if main_is_named:
        return [replace(reading, named=any_is_clear) for reading in readings if reading.named]
    if any_is_clear:
        return readings
    readings = [replace(reading, named=False) for reading in readings]
    fit = max((reading.fit for reading in readings), default=1.0)
    parts = [node for node in lexicon.part_of_names(term) if not _is_figurative(term, node, senses, lexicon)]
    if parts:
        readings.append(_Reading(np.asarray(lexicon.covers[parts].any(axis=0), dtype=np.float32), 1, fit, False))
    unseen = 1 - sum(sense.share for sense in senses)
    if vector is not None and unseen > 0.01:
        readings.append(_Reading(_best_is_one(near), unseen, fit, False))
    return readings


def _is_close(place: int, named: npt.NDArray[np.bool_], lexicon: Lexicon) -> bool:
    """Return whether a class has a specific hypernym in common with one of the named classes."""
    above = [up for up in lexicon.above(place) if lexicon.specific[up] >= MIN_KIND_SPECIFICITY]
    return bool((lexicon.covers[above] & named).any())


def _is_of_one_kind(senses: tuple[Sense, ...], lexicon: Lexicon) -> bool:
    """Return whether a usual sense of a term is below a specific node that has classes."""
    usual = (sense for sense in senses if sense.share >= MIN_NAMED_SHARE)
    return any(lexicon.specific[node] >= MIN_ONE_KIND_SPECIFICITY for sense in usual for node, _ in sense.places)


def _is_figurative(term: str, node: int, senses: tuple[Sense, ...], lexicon: Lexicon) -> bool:
    """Return whether a node's name ends with a word that usually means something else: a `mud puppy` is no dog."""
    if not any(name.lower().endswith(f" {term}") for name in lexicon.names[node]):
        return False
    is_known = any(steps <= 1 for sense in senses if sense.share >= MIN_NAMED_SHARE for _, steps in sense.places)
    above = lexicon.above(node)
    return is_known and not any(place in above for sense in senses for place, _ in sense.places)


def _names_classes(term: str, sense: Sense, senses: tuple[Sense, ...], fit: float, lexicon: Lexicon) -> bool:
    """Return whether people who type a word probably mean the classes that one of its senses covers.

    Args:
        term: the word in its base form.
        sense: one of its senses, with a node that the word names.
        senses: all of them.
        fit: cosine of the word's vector to the classes.
        lexicon: knows the nodes.
    """
    nodes = [node for node, steps in sense.places if steps == 0]
    specific = max(lexicon.specific[node] for node in nodes)
    if specific < MIN_SPECIFICITY and fit + specific < MIN_CONCRETENESS:
        return False
    if any(
        node < CLASSES and (sense.share >= MIN_RARE_SHARE or lexicon.names[node][0].lower() == term) for node in nodes
    ):
        return True
    return sense.share >= MIN_NAMED_SHARE or (
        fit >= MIN_RARE_FIT and sense.share == max(other.share for other in senses)
    )


def _best_is_one(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    # If every class is named, all logits are minus infinity, and their difference would be NaN.
    return np.asarray(np.exp(logits - logits.max(initial=np.finfo(np.float32).min)), dtype=np.float32)


@lru_cache(maxsize=4)
def _similarity_of_common_words(words: WordVectors, lexicon: Lexicon) -> npt.NDArray[np.float32]:
    """Return the cosine of each common word to its nearest class, in ascending order."""
    common = normalised(words.centred(np.asarray(words.matrix[:COMMON_WORDS], dtype=np.float32)))
    return np.sort((common @ class_vectors(words, lexicon).T).max(axis=1))


def _certainty(vector: npt.NDArray[np.float32], lexicon: Lexicon, words: WordVectors) -> float:
    """Return the certainty of a word that only GloVe knows: its rank among common words by similarity to a class."""
    usual = _similarity_of_common_words(words, lexicon)
    nearest = (class_vectors(words, lexicon) @ vector).max()
    return float(max(MIN_CLASS_WEIGHT, 2 * np.searchsorted(usual, nearest) / len(usual) - 1))
