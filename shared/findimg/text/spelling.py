"""Similar spellings of a word, and the question that offers them."""

from rapidfuzz import process
from rapidfuzz.distance import OSA


def nearest_spellings(word: str, known: list[str], k: int = 3) -> list[str]:
    """Return up to `k` of `known` that are spelt like `word`, best first; ties in the order of `known`."""
    found = process.extract(word.lower(), known, scorer=OSA.normalized_similarity, limit=k, score_cutoff=0.6)
    return [match for match, _, _ in found]


def did_you_mean(suggestions: list[str]) -> str:
    """Return ` Did you mean cat, car or cot?`, or advice when there is nothing to suggest."""
    if not suggestions:
        return " Check its spelling, or use a more common word."
    *others, last = suggestions
    return f" Did you mean {', '.join(others)} or {last}?" if others else f" Did you mean {last}?"
