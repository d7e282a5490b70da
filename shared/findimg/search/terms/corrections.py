"""Correct the spelling of a query's words."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from findimg.search.query import Term
from findimg.text.lexicon import Lexicon
from findimg.text.lexicon.common_words import is_common
from findimg.text.lexicon.plurals import regular_plural
from findimg.text.lexicon.translations import WIDESPREAD, open_translations
from findimg.text.spelling import intended_spelling, nearest_spellings
from findimg.text.vectors import FREQUENT, WordVectors

_SUGGESTED = 4  # maximum number of suggestions
_RARER = 4  # factor between the frequency ranks of a noun and of another word that may be a misspelling of it


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
        return (row is not None and row < FREQUENT) or is_common(text.lower())

    def suggestions(self, text: str) -> list[str]:
        """Return up to four similar words for a misspelt word, none for a known one.

        The word vectors also have names and misspellings. A word that only they know is taken for a misspelt one if
        one letter makes it a much more frequent noun.
        """
        if not self.is_known(text):
            return nearest_spellings(text, self._nouns.words, _SUGGESTED, self._nouns.ranks)
        if text.lower() in self._labels or text in self._lexicon or is_common(text.lower()):
            return []
        row = self._words.vocabulary.row(text)
        intended = self._nearest_noun(text, mistakes=1)
        return [intended] if intended and row and row > _RARER * self._nouns.rank(intended) else []

    def misread(self, term: Term) -> str | None:
        """Return the English noun that a translated term may be a misspelling of, or None.

        Nearly every misspelt English word is a word of some other language. A word of a widespread language is never
        taken for a misspelt one.
        """
        if not term.typed or term.typed == term.text:
            return None
        languages = {language for each in open_translations().look_up(term.typed) for language in each.languages}
        if languages & WIDESPREAD:
            return None
        meant = self._nearest_noun(term.typed, mistakes=1)
        return meant if meant != term.text else None

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
        if not text.isalpha() or self.is_known(text) or self._is_written(text):
            return None
        # A rare word of the word vectors may be a name. Only one letter may be wrong then.
        return self._nearest_noun(text, mistakes=2 if self._words.vocabulary.row(text) is None else 1)

    def _nearest_noun(self, text: str, mistakes: int) -> str | None:
        if not text.isalpha():
            return None
        return intended_spelling(text, self._common.words, self._common.ranks, self._common.bases, mistakes)

    @cached_property
    def _nouns(self) -> "_Nouns":
        """All nouns with a visible sense, and their plurals."""
        singulars = self._lexicon.visible_nouns()
        bases = dict.fromkeys(singulars, "")
        plurals = {plural: noun for plural, noun in self._lexicon.plurals.items() if noun in bases}
        plurals |= {regular_plural(noun): noun for noun in singulars if noun.isalpha()}
        words = [*singulars, *(plural for plural in plurals if plural not in bases)]
        rows = self._words.rows(words)
        # Plurals are only known where the word vectors have them, because regular ones may not exist.
        kept = [place for place, row in enumerate(rows.tolist()) if place < len(singulars) or 0 <= row < FREQUENT]
        ranks = [int(rows[place]) if rows[place] >= 0 else len(self._words) for place in kept]
        return _Nouns([words[each] for each in kept], ranks, [plurals.get(words[each], words[each]) for each in kept])

    @cached_property
    def _common(self) -> "_Nouns":
        """The frequent ones of them, without phrases."""
        nouns = self._nouns
        kept = [place for place, word in enumerate(nouns.words) if word.isalpha() and nouns.ranks[place] < FREQUENT]
        return _Nouns(
            [nouns.words[place] for place in kept],
            [nouns.ranks[place] for place in kept],
            [nouns.bases[place] for place in kept],
        )


@dataclass(frozen=True)
class _Nouns:
    """What misspelt words are compared with."""

    words: list[str]
    ranks: list[int]  # frequency ranks
    bases: list[str]  # the singular of each

    @cached_property
    def _ranks_by_word(self) -> dict[str, int]:
        return dict(zip(self.words, self.ranks, strict=True))

    def rank(self, word: str) -> int:
        """Return a word's frequency rank."""
        return self._ranks_by_word[word]
