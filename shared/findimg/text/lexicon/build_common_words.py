"""Make `common_words.txt.gz`: `python -m findimg.text.lexicon.build_common_words`.

The file lists English words that are spelt correctly and that the lexicon does not have: `selfie`, `screenshot`,
`rainy`. They come from the package wordfreq, which the extra `lexicon` installs. Its licence
is in `LICENSE.translations`. Equal input gives equal bytes.

wordfreq counts misspelt words, too. Most are rare: of 55 misspelt nouns only `calender`, `pidgeon`, `coffe` and
`freind` were above _LEAST_ZIPF. A word is left out as misspelt if one mistake makes it a much more frequent word.
"""

import gzip
import importlib

from rapidfuzz import process
from rapidfuzz.distance import OSA

from findimg.text.lexicon import FOLDER, open_lexicon
from findimg.text.lexicon.common_words import FILE
from findimg.text.vectors import EMBEDDED, FREQUENT, open_words

_SHORTEST = 4  # letters; shorter words are never corrected
_LEAST_ZIPF = 2.0  # the decimal logarithm of the occurrences in a billion words
_SURE_ZIPF = 3.0  # from this frequency on, no word is taken for a misspelt one
_MISSPELT = 1.6  # difference from which on the more frequent of two similar words is meant
_COMPOUND_ZIPF = 1.0  # least frequency of two frequent words that are written as one: `flipchart`


def build() -> bytes:
    """Return the uncompressed file: words in alphabetical order, one a line."""
    wordfreq = importlib.import_module("wordfreq")
    lexicon, vocabulary = open_lexicon(), open_words(EMBEDDED).vocabulary
    frequent = {word for word in vocabulary.first(FREQUENT) if word.isalpha()}
    zipf = {
        word: round(float(wordfreq.zipf_frequency(word, "en")), 2)
        for word in wordfreq.iter_wordlist("en", "large")
        if len(word) >= _SHORTEST and word.isascii() and word.isalpha()
    }
    usual = [word for word, points in zipf.items() if points >= _LEAST_ZIPF + _MISSPELT]

    def is_correct(word: str) -> bool:
        if zipf[word] >= _SURE_ZIPF:
            return True
        similar = process.extract(word, usual, scorer=OSA.distance, score_cutoff=1, limit=None)
        return all(zipf[other] < zipf[word] + _MISSPELT for other, _, _ in similar)

    kept = [
        word
        for word, points in zipf.items()
        if points >= (_COMPOUND_ZIPF if _is_compound(word, frequent) else _LEAST_ZIPF)
        and word not in lexicon
        and is_correct(word)
    ]
    return "".join(f"{word}\n" for word in sorted(kept)).encode()


def _is_compound(word: str, frequent: set[str]) -> bool:
    """Return whether a word consists of two frequent words."""
    cuts = range(_SHORTEST, len(word) - _SHORTEST + 1)
    return any(word[:cut] in frequent and word[cut:] in frequent for cut in cuts)


if __name__ == "__main__":
    (FOLDER / FILE).write_bytes(gzip.compress(build(), mtime=0))
