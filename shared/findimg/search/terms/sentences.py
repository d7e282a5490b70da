"""From the terms of a query to the texts that go to the text tower."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from findimg.search.query import ARTICLES, Term
from findimg.text.lexicon import FILLERS


def sentences(terms: Sequence[Term]) -> list[Term]:
    """Return a query's terms, in which all words that stand alone are one text.

    Quoted phrases, words with a weight and unwanted words stay as they are: `people at the beach -dog` becomes
    `people at the beach` and `-dog`. With `or` between single words, an image must show one of them and the rest:
    `cats or dogs at the beach` becomes `cats` or `dogs`, and `at the beach`. Otherwise one side is enough:
    `red car or blue bike`.

    Args:
        terms: in the order of the query.
    """
    words: list[str] = []
    others: list[Term] = []
    for is_free, run in groupby(terms, key=_is_free):
        if is_free:
            rest, choices = _split(list(run))
            words += rest
            others += choices
        else:
            others += run
    says_something = any(word.lower() not in FILLERS for word in words)
    return [Term(" ".join(words)), *others] if says_something or not others else others


def _is_free(term: Term) -> bool:
    """Return whether a term is a word that stands alone, or alternatives of such words."""
    return all(each.is_plain for each in (replace(term, alternatives=()), *term.alternatives))


def _split(run: Sequence[Term]) -> tuple[list[str], list[Term]]:
    """Return the words that an image must show in any case, and the alternatives."""
    sides: list[list[str]] = [[]]
    for term in run:
        sides[-1].append(term.text)
        sides += [[other.text] for other in term.alternatives]
    first, *following = sides
    if not following:
        return first, []
    rest: list[str] = []
    if all(len(side) == 1 for side in (_without_articles(first), *following[:-1])):
        first = _without_articles(first)
        following[-1], rest = following[-1][:1], following[-1][1:]
    return rest, [Term(" ".join(first), alternatives=tuple(Term(" ".join(side)) for side in following))]


def _without_articles(words: Sequence[str]) -> list[str]:
    return [word for word in words if word.lower() not in ARTICLES]
