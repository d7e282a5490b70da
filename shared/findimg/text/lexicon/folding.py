"""Folding of words: words that differ in case, accents or Unicode form have equal keys."""

import re
import unicodedata

# Letters with a stroke or a ligature have no decomposition in Unicode.
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "’": "'"})
_ACCENTS = re.compile("[\u0300-\u036f]")
# Distinct letters. They have a decomposition, but are never written without their mark.
_KEPT = {"й", "ї"}
# Scripts that are written without spaces between words: Thai, Lao, Khmer, Burmese, kana and Chinese characters.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3007\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")


def fold_case(word: str) -> str:
    """Return a word in Unicode form NFKC without case, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", word).casefold().replace("_", " ").split())


def fold_accents(word: str) -> str:
    """Return the result of `fold_case` without accents: `sofá` and `sofa` have one key."""
    if word.isascii():
        return word
    plain = (
        letter if letter in _KEPT else _ACCENTS.sub("", unicodedata.normalize("NFD", letter))
        for letter in word.translate(_LETTERS)
    )
    return unicodedata.normalize("NFC", "".join(plain))
