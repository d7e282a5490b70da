"""Lists of words in messages."""

from collections.abc import Sequence


def enumerated(words: Sequence[str], conjunction: str) -> str:
    """Return `cat, car or cot` for three words and the conjunction `or`.

    Args:
        words: at least one word.
        conjunction: `and` or `or`.
    """
    *others, last = words
    return f"{', '.join(others)} {conjunction} {last}" if others else last
