"""Similar spellings of a word, to suggest and to correct."""

from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import OSA

from findimg.text.enumeration import enumerated

_SHORTEST = 4  # letters; shorter words are not corrected
_LONG = 7  # letters; words of this length and more may have two mistakes
_MUCH_RARER = 10  # factor between the frequency ranks of two words, so that only the first can be meant


def nearest_spellings(word: str, known: Sequence[str], k: int = 3) -> list[str]:
    """Return up to `k` of `known` that are spelt like `word`, best first. Ties keep the order of `known`."""
    found = process.extract(word.lower(), known, scorer=OSA.normalized_similarity, limit=k, score_cutoff=0.6)
    return [match for match, _, _ in found]


def intended_spelling(word: str, known: Sequence[str], ranks: Sequence[int], mistakes: int = 2) -> str | None:
    """Return the known word that a misspelt word clearly stands for, or None.

    The nearest word wins if no other is as near, or if the others are much rarer. A mistake is one letter too many, too
    few or wrong, or two letters exchanged.

    Args:
        word: the misspelt word.
        known: correct words in lower case.
        ranks: the frequency rank of each known word, 0 for the most frequent.
        mistakes: maximum number of mistakes. Short words may have only one.
    """
    if len(word) < _SHORTEST:
        return None
    most = min(mistakes, 2 if len(word) >= _LONG else 1)
    found = process.extract(word.lower(), known, scorer=OSA.distance, limit=None, score_cutoff=most)
    least = min((distance for _, distance, _ in found), default=0)
    nearest = sorted((ranks[place], match) for match, distance, place in found if distance == least)
    if not nearest or (len(nearest) > 1 and nearest[1][0] < _MUCH_RARER * (nearest[0][0] + 1)):
        return None
    return nearest[0][1]


def did_you_mean(suggestions: Sequence[str]) -> str:
    """Return ` Did you mean cat, car or cot?`, or advice if there are no suggestions."""
    if not suggestions:
        return " Check its spelling, or use a more common word."
    return f" Did you mean {enumerated(suggestions, 'or')}?"
