"""Translate the terms of a query into English."""

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

from findimg.search.query import Term
from findimg.text.lexicon import Lexicon
from findimg.text.lexicon.folding import UNSPACED
from findimg.text.lexicon.translations import open_translations


def translate_terms(
    terms: Sequence[Term],
    lexicon: Lexicon,
    labels: Container[str] = (),
    is_written: Callable[[str], bool] = lambda _: False,
) -> list[Term]:
    """Return a query's terms with English nouns in place of foreign nouns, and with the words as typed.

    Words in scripts without spaces are split. Quoted phrases are translated as a whole or stay. Words that only text
    is searched for stay.

    Args:
        terms: the terms of one query. Together they decide what an ambiguous word means.
        lexicon: knows English nouns and translations.
        labels: words and phrases in lower case that are not translated.
        is_written: returns whether a text is written in any image or around it. Parts of words in scripts without
            spaces may be.
    """
    translations = open_translations()
    split = partial(translations.split, is_written=is_written)
    texts = [part for term in terms if not term.text_kind for text in term.texts for part in split(text)]
    translation = lexicon.translation(texts, labels)
    translated: list[Term] = []
    for plain, run in groupby(terms, key=lambda term: term.is_plain):
        if plain:
            words = [part for term in run for part in split(term.text)]
            translated += [
                Term(english, typed=typed) if english else Term(typed) for english, typed in translation.pairs(words)
            ]
        else:
            for term in run:
                if term.text_kind:
                    translated.append(term)
                    continue
                parts = [translation.phrase(term.text)]
                if parts == [term.text] and not term.alternatives and term.text.lower() not in labels:
                    words = split(term.text)
                    parts = [translation.phrase(word) for word in words]
                    if term.phrase and UNSPACED.search(term.text) and "".join(words) != term.text:
                        parts = [term.text]  # a part of the words would be another phrase
                    parts = parts if len(parts) > 1 and not term.phrase else [" ".join(parts)]
                others = tuple(
                    other if other.text_kind else replace(other, text=translation.phrase(other.text), typed=other.text)
                    for other in term.alternatives
                )
                translated += [replace(term, text=part, alternatives=others, typed=term.text) for part in parts]
    return translated
