"""English words that are spelt correctly and that the lexicon does not have, such as `selfie` and `rainy`."""

import gzip
from functools import cache
from pathlib import Path

from findimg.text.lexicon.plurals import regular_singulars

FILE = "common_words.txt.gz"


def is_common(word: str) -> bool:
    """Return whether a word in lower case, or its singular, is on the list."""
    return any(form in _words() for form in (word, *regular_singulars(word)))


@cache
def _words() -> frozenset[str]:
    data = (Path(__file__).parent / FILE).read_bytes()
    return frozenset(gzip.decompress(data).decode().splitlines())
