"""Similar spellings of a word, to suggest and to correct."""

from collections.abc import Sequence

from rapidfuzz import process
from rapidfuzz.distance import OSA

from findimg.text.enumeration import enumerated

_SHORTEST = 4  # letters; shorter words are not corrected
_SIMILAR = 0.6  # least similarity of a suggestion: 1 - mistakes / letters of the longer word
_LONG = 7  # letters; words of this length and more may have two mistakes
_MUCH_RARER = 10  # factor between the frequency ranks of two words, so that only the first can be meant


def nearest_spellings(word: str, known: Sequence[str], k: int = 3, ranks: Sequence[int] | None = None) -> list[str]:
    """Return up to `k` of `known` that are spelt like `word`, best first.

    Args:
        word: the misspelt word.
        known: correct words in lower case.
        k: number of words.
        ranks: the frequency rank of each known word. Of equally similar words, those with the same letters come
            first, then the more frequent ones. Without ranks, such words keep the order of `known`.
    """
    word = word.lower()
    if ranks is None:
        found = process.extract(word, known, scorer=OSA.normalized_similarity, limit=k, score_cutoff=_SIMILAR)
        return [match for match, _, _ in found]
    mistakes = int(len(word) * (1 / _SIMILAR - 1))
    similar = process.extract(word, known, scorer=OSA.distance, limit=None, score_cutoff=mistakes)
    letters = set(word)
    # Exchanged and doubled letters are more usual than wrong ones: `hores` is rather `horse` than `homes`.
    ordered = sorted(
        (distance, set(match) != letters, ranks[place], match)
        for match, distance, place in similar
        if distance <= (1 - _SIMILAR) * max(len(word), len(match))
    )
    return [match for *_, match in ordered[:k]]


def intended_spelling(
    word: str, known: Sequence[str], ranks: Sequence[int], bases: Sequence[str] | None = None, mistakes: int = 2
) -> str | None:
    """Return the known word that a misspelt word clearly stands for, or None.

    The nearest word wins if no other is as near, or if the others are much rarer or forms of the same word. A mistake
    is one letter too many, too few or wrong, or two letters exchanged.

    Args:
        word: the misspelt word.
        known: correct words in lower case.
        ranks: the frequency rank of each known word, 0 for the most frequent.
        bases: the base form of each known word: `cat` for `cats`. Without them, all known words differ.
        mistakes: maximum number of mistakes. Short words may have only one.
    """
    if len(word) < _SHORTEST:
        return None
    most = min(mistakes, 2 if len(word) >= _LONG else 1)
    found = process.extract(word.lower(), known, scorer=OSA.distance, limit=None, score_cutoff=most)
    least = min((distance for _, distance, _ in found), default=0)
    nearest = sorted((ranks[place], place) for _, distance, place in found if distance == least)
    # The first letter is rarely wrong: `kangaru` is `kangaroo` rather than `hangar`.
    nearest = [each for each in nearest if known[each[1]][0] == word[0].lower()] or nearest
    if not nearest:
        return None
    rank, best = nearest[0]
    if sorted(known[best]) == sorted(word.lower()):
        return known[best]  # exchanged letters are usual: `pinao` is `piano` rather than `pinto`
    base = (bases or known)[best]
    others = [other for other, place in nearest if (bases or known)[place] != base]
    return None if others and others[0] < _MUCH_RARER * (rank + 1) else known[best]


def did_you_mean(suggestions: Sequence[str]) -> str:
    """Return ` Did you mean cat, car or cot?`, or advice if there are no suggestions."""
    if not suggestions:
        return " Check its spelling, or use a more common word."
    return f" Did you mean {enumerated(suggestions, 'or')}?"
