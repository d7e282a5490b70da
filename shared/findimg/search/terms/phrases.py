"""Neighbouring words of a query that name one thing: `grand piano` needs no quotes."""

from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import groupby

from findimg.search.query import Term
from findimg.text.lexicon import Lexicon
from findimg.text.lexicon.translations import LONGEST_PHRASE


def join_terms(terms: Sequence[Term], lexicon: Lexicon, labels: Container[str] = ()) -> list[Term]:
    """Return a query's terms with words joined that name one thing, and without words that name nothing.

    Words also join with the first and the last of some alternatives: `grand piano or electric guitar`.

    Args:
        terms: as the query has them.
        lexicon: knows which phrases are nouns.
        labels: phrases in lower case that name one thing too.
    """
    joined: list[Term] = []
    for plain, run in groupby(_join_alternatives(terms, lexicon, labels), key=lambda term: term.is_plain):
        if plain:
            words = [(term.text, term) for term in run]
            texts = lexicon.join_phrases([text for text, _ in words], labels)
            joined += [dict(words).get(text) or Term(text) for text in texts]
        else:
            joined += run
    return joined


def _join_alternatives(terms: Sequence[Term], lexicon: Lexicon, labels: Container[str]) -> list[Term]:
    found = list(terms)
    place = 0
    while place < len(found):
        term = found[place]
        if term.alternatives:
            before = 0 if term.phrase or term.weight != 1 else _words(found[:place][::-1], lexicon, labels, [term.text])
            last = term.alternatives[-1]
            after = 0 if last.phrase else _words(found[place + 1 :], lexicon, labels, [last.text], at_end=True)
            text = " ".join([*(each.text for each in found[place - before : place]), term.text])
            ending = " ".join([last.text, *(each.text for each in found[place + 1 : place + 1 + after])])
            alternatives = (*term.alternatives[:-1], replace(last, text=ending))
            found[place - before : place + 1 + after] = [replace(term, text=text, alternatives=alternatives)]
            place -= before
        place += 1
    return found


def _words(
    neighbours: Sequence[Term], lexicon: Lexicon, labels: Container[str], words: list[str], at_end: bool = False
) -> int:
    """Return how many neighbouring plain words, the nearest first, make a phrase with `words`."""
    count = next((n for n, term in enumerate(neighbours) if not term.is_plain), len(neighbours))
    for length in range(min(count, LONGEST_PHRASE - 1), 0, -1):
        others = [term.text for term in neighbours[:length]]
        phrase = " ".join([*words, *others] if at_end else [*others[::-1], *words]).lower()
        if phrase in labels or lexicon.senses(phrase):
            return length
    return 0
