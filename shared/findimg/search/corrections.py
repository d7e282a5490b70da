"""Correct the spelling of a query's words."""

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from functools import cached_property

from findimg.search.query import Term
from findimg.text.lexicon import Lexicon
from findimg.text.spelling import intended_spelling, nearest_spellings
from findimg.text.vectors import FREQUENT, WordVectors


class SpellingChecker:
    """Knows the words of the lexicon and of the word vectors, and the labels of a trained head."""

    def __init__(
        self,
        lexicon: Lexicon,
        words: WordVectors,
        labels: Container[str] = (),
        is_written: Callable[[str], bool] = lambda _: False,
    ):
        """Use the sources of known words.

        Args:
            lexicon: its nouns are known, and what they are corrected to.
            words: its frequent words are known.
            labels: words and phrases in lower case that are known too.
            is_written: returns whether the text of any image has a word, so that it is not misspelt.
        """
        self._is_written = is_written
        self._lexicon = lexicon
        self._words = words
        self._labels = labels

    def is_known(self, text: str) -> bool:
        """Return whether a word or phrase is spelt correctly, as far as the sources can tell."""
        if text.lower() in self._labels or text in self._lexicon:
            return True
        row = self._words.vocabulary.row(text)
        return row is not None and row < FREQUENT

    def suggestions(self, text: str) -> list[str]:
        """Return up to three similar words for a misspelt word; none for a known one."""
        return [] if self.is_known(text) else nearest_spellings(text, self._nouns)

    def correct(self, terms: Sequence[Term]) -> tuple[list[Term], list[str]]:
        """Replace a query's misspelt words if one other word is clearly meant. Quoted phrases are not changed.

        Returns:
            The terms, and the words that replaced misspelt ones.
        """
        corrections: list[str] = []

        def corrected(term: Term) -> Term:
            used = None if term.phrase else self._intended(term.text)
            if used is not None:
                corrections.append(used)
                term = replace(term, text=used)
            return replace(term, alternatives=tuple(corrected(other) for other in term.alternatives))

        return [corrected(term) for term in terms], corrections

    def _intended(self, text: str) -> str | None:
        if " " in text or "-" in text or not text.isalpha() or self.is_known(text):
            return None
        if self._is_written(text):
            return None
        # A rare word of the word vectors may be a name. Only one letter may be wrong then.
        mistakes = 2 if self._words.vocabulary.row(text) is None else 1
        return intended_spelling(text, self._common_nouns, self._ranks, mistakes)

    @cached_property
    def _nouns(self) -> list[str]:
        return self._lexicon.visible_nouns()

    @cached_property
    def _common_nouns(self) -> list[str]:
        nouns = [noun for noun in self._nouns if noun.isalpha()]
        return [noun for noun, row in zip(nouns, self._words.rows(nouns), strict=True) if 0 <= row < FREQUENT]

    @cached_property
    def _ranks(self) -> list[int]:
        return [int(row) for row in self._words.rows(self._common_nouns)]
