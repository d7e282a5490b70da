"""Compare what two libraries answer."""

from collections.abc import Sequence
from contextlib import closing

import pytest

from findimg.errors import QueryError
from findimg.library.library import Library
from findimg.search.answers.results import Answer
from findimg.search.query import Query, parse
from findimg.search.searcher import Searcher
from findimg.text.vectors import WordVectors


def shown(answer: Answer) -> tuple[object, ...]:
    """Return what a person sees of an answer. Cosines may differ in the last digit."""
    hits = [(hit.uri, hit.copies, hit.near_duplicates, hit.taken) for hit in answer.hits]
    return hits, [pytest.approx(hit.score, abs=2e-4) for hit in answer.hits], answer.total, answer.note


def found_by_words(searcher: Searcher, text: str, k: int, skip: int = 0) -> object:
    """Return what a person sees of the answer to a query, or the error that no image has a name."""
    try:
        return shown(searcher.find(parse(text), k, skip))
    except QueryError as error:
        return str(error)


def ask_everything(
    library: Library,
    words: WordVectors,
    queries: Sequence[str],
    uris: Sequence[str],
    like: Sequence[str] = (),
) -> list[object]:
    """Return the answers of the live version to queries by words, by filters and by image, their pages, and tags.

    Args:
        library: the library.
        words: the version's word vectors.
        queries: queries by words and filters.
        uris: images to compare with all others.
        like: filters for queries by image.
    """
    found: list[object] = []
    with closing(Searcher(library.open(), words)) as searcher:
        for text in queries:
            found += [(text, found_by_words(searcher, text, 50)), (text, found_by_words(searcher, text, 5, 3))]
        for uri in uris:
            item, features = searcher.look_up(uri)
            found.append((uri, shown(searcher.similar(features, Query(""), 20, excluded=item))))
            found += [(uri, shown(searcher.similar(features, parse(each, image=True), 20))) for each in like]
            found.append((uri, searcher.tags(features, 5)))
        found.append(searcher.catalog.folders())
    return found
