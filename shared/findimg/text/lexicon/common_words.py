"""English words that are spelt correctly and that the lexicon does not have, such as `selfie`, `rainy` and `broken`."""

import gzip
from functools import cache
from pathlib import Path

from findimg.text.lexicon.plurals import regular_singulars
from findimg.text.lexicon.translations import open_translations

FILE = "common_words.txt.gz"


def is_common(word: str) -> bool:
    """Return whether a word in lower case, or its singular, is a common one.

    Common words are those of the file, and the verbs, adjectives and function words that are not translated.
    """
    return open_translations().is_english(word) or any(form in _words() for form in (word, *regular_singulars(word)))


@cache
def _words() -> frozenset[str]:
    data = (Path(__file__).parent / FILE).read_bytes()
    return frozenset(gzip.decompress(data).decode().splitlines())
