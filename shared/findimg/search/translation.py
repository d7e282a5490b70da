"""Translate the terms of a query into English."""

from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import groupby

from findimg.search.query import Term
from findimg.text.lexicon import Lexicon
from findimg.text.lexicon.translations import open_translations


def translate_terms(terms: Sequence[Term], lexicon: Lexicon, labels: Container[str] = ()) -> list[Term]:
    """Return a query's terms with English nouns in place of foreign nouns.

    Words in scripts without spaces are split. Quoted phrases are translated as a whole or stay.

    Args:
        terms: the terms of one query. Together they decide what an ambiguous word means.
        lexicon: knows English nouns and translations.
        labels: words and phrases in lower case that are not translated.
    """
    translations = open_translations()
    texts = [part for term in terms for text in term.texts for part in translations.split(text)]
    translation = lexicon.translation(texts, labels)
    translated: list[Term] = []
    for plain, run in groupby(terms, key=lambda term: term.is_plain):
        if plain:
            words = [part for term in run for part in translations.split(term.text)]
            translated += [Term(text) for text in translation.words(words)]
        else:
            for term in run:
                parts = [translation.phrase(term.text)]
                if parts == [term.text] and not term.alternatives and term.text.lower() not in labels:
                    parts = [translation.phrase(part) for part in translations.split(term.text)]
                    parts = parts if len(parts) > 1 and not term.phrase else [" ".join(parts)]
                others = tuple(replace(other, text=translation.phrase(other.text)) for other in term.alternatives)
                translated += [replace(term, text=part, alternatives=others) for part in parts]
    return translated
