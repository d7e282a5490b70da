"""Prepare the terms of a query for the evidence sources: translate, correct and join them."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace

from findimg.search.query import Term
from findimg.search.sentences.text_vectors import TextVectors
from findimg.search.terms.corrections import SpellingChecker
from findimg.search.terms.phrases import join_terms
from findimg.search.terms.sentences import sentences
from findimg.search.terms.taught_names import NamesToKeep, join_taught, without_fillers
from findimg.search.terms.translation import translate_terms
from findimg.taught.state import TaughtState
from findimg.text.enumeration import enumerated
from findimg.text.lexicon import Lexicon
from findimg.text.lexicon.folding import UNSPACED
from findimg.text.spelling import did_you_mean


@dataclass(frozen=True, slots=True, eq=False)
class TermPreparation:
    """Knows the words that a version knows."""

    lexicon: Lexicon
    labels: Container[str]  # words and phrases in lower case that sources of evidence know
    is_written: Callable[[str], bool]  # whether the text of any image has a word
    spelling: SpellingChecker
    text_tower: TextVectors | None  # if words are searched with it: then words that stand alone are one sentence

    def prepare(self, terms: tuple[Term, ...], state: TaughtState) -> tuple[tuple[Term, ...], str]:
        """Return a query's terms, translated, correctly spelt and joined, and a note about what was changed."""
        labels = NamesToKeep(self.labels, state.lookup) if state.names else self.labels
        asked = join_taught(terms, state.lookup) if state.names else terms
        asked = self._join_unspaced_text(asked)
        if self.text_tower and self.text_tower.encoder.multilingual:
            return tuple(sentences(asked)), ""
        translated = translate_terms(asked, self.lexicon, labels, self.is_written)
        correct, corrections = self.spelling.correct(translated)
        notes = []
        if corrections:
            notes.append(f"Showing results for {enumerated([repr(word) for word in corrections], 'and')}.")
        for term in translated:
            if meant := self.spelling.misread(term):
                notes.append(f"{term.typed!r} is understood as {term.text!r}.{did_you_mean([meant])}")
        if self.text_tower:
            return tuple(sentences(correct)), " ".join(notes)
        joined = join_terms(correct, self.lexicon, labels)
        wanted = without_fillers(joined, state.lookup) if state.names else joined
        return tuple(wanted), " ".join(notes)

    def _join_unspaced_text(self, terms: Sequence[Term]) -> list[Term]:
        """Return terms in which a text without spaces is one phrase if it is written somewhere as a whole."""
        return [
            replace(term, phrase=True)
            if term.is_plain and UNSPACED.search(term.text) and self.is_written(term.text)
            else term
            for term in terms
        ]
