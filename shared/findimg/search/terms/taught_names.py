"""Taught names in a query: which of its words mean one."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from findimg.search.query import Term
from findimg.taught.names import NameLookup, name_key
from findimg.text.lexicon import FILLERS
from findimg.text.lexicon.folding import UNSPACED
from findimg.text.lexicon.translations import open_translations


@dataclass(frozen=True, slots=True)
class NamesToKeep:
    """Words and phrases that stay as they are: labels of a trained head, and taught names."""

    trained: Container[str]
    taught: Container[str]

    def __contains__(self, text: object) -> bool:
        return text in self.trained or text in self.taught


def join_taught(terms: Sequence[Term], names: NameLookup) -> list[Term]:
    """Return a query's terms, in which words that mean a taught name are one term, like a quoted phrase.

    The longest name from the left wins: `Berlin office` is found in `our Berlin office party`. Terms that mean no name
    stay as they are. In scripts without spaces a name is found inside a term.
    """
    if not len(names):
        return list(terms)
    unspaced = sorted((key for key in names if UNSPACED.search(key)), key=lambda key: (-len(key), key))
    joined: list[Term] = []
    for plain, run in groupby(terms, key=lambda term: term.is_plain):
        if plain:
            words = [part for term in run for part in _split(term.text, unspaced, names)]
            joined += _longest_names(words, names)
        else:
            joined += [_marked(term, names) for term in run]
    return joined


def without_fillers(terms: Sequence[Term], names: NameLookup) -> list[Term]:
    """Return terms without words such as `photos` and `of`, if one of the other terms means a taught name."""
    if not any(text in names for term in terms for text in term.texts):
        return list(terms)
    return [term for term in terms if not term.is_plain or term.text.lower() not in FILLERS]


def _longest_names(words: Sequence[str], names: NameLookup) -> list[Term]:
    found: list[Term] = []
    start = 0
    while start < len(words):
        lengths = range(min(names.most_words, len(words) - start), 0, -1)
        length = next((n for n in lengths if " ".join(words[start : start + n]) in names), 0)
        text = " ".join(words[start : start + (length or 1)])
        found.append(Term(text, phrase=length > 0, only_name=length > 0))
        start += length or 1
    return found


def _marked(term: Term, names: NameLookup) -> Term:
    alternatives = tuple(_marked(each, names) for each in term.alternatives)
    if term.phrase or term.text not in names:
        return replace(term, alternatives=alternatives)
    return replace(term, phrase=True, only_name=True, alternatives=alternatives)


def _split(text: str, unspaced: Sequence[str], names: NameLookup) -> list[str]:
    """Split a text at the taught names of scripts without spaces: `蓮の写真` becomes `蓮` and `写真`."""
    if not UNSPACED.search(text) or text in names:
        return [text]
    key = name_key(text)
    name = next((each for each in unspaced if each in key), None)
    if name is None:
        return [text]
    before, _, after = key.partition(name)
    return [*_known_parts(before, unspaced, names), name, *_known_parts(after, unspaced, names)]


def _known_parts(text: str, unspaced: Sequence[str], names: NameLookup) -> list[str]:
    """Return the words of the rest of a text. What no source knows, such as a particle, is left out."""
    if not text.strip():
        return []
    parts = _split(text, unspaced, names)
    if parts != [text]:
        return parts
    translations = open_translations()
    return [part for part in translations.split(text) if not UNSPACED.search(part) or translations.look_up(part)]
