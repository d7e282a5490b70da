"""Finds the results of a question: hits, tags or words."""

import time
from dataclasses import dataclass

from findimg.errors import QueryError
from findimg.search.answers.results import Hit
from findimg.search.class_tags import Tag
from findimg.search.image_features import fits
from findimg.search.searcher import Searcher
from findimg.text.vectors import WordVectors
from findimg_bot.questions import Question, parse_question

_SAMPLED = 40  # images whose classes are examples of what to search for


@dataclass(frozen=True, slots=True)
class ImageResults:
    """Result of `/findimg` and `/similar`."""

    query: str
    hits: list[Hit]
    note: str
    version: str
    took_ms: float
    more: bool = False  # whether there are further hits
    total: int | None = None  # number of hits on all pages, where it is known. Copies are one hit.
    by_similarity: bool = False  # whether the scores are similarities of images, not relevance to words


@dataclass(frozen=True, slots=True)
class TagResults:
    """Result of `/tag`."""

    tags: list[Tag]
    version: str
    took_ms: float
    text: str = ""  # lines that were read in the image, separated by line feeds


@dataclass(frozen=True, slots=True)
class WordResults:
    """Result of `/words`."""

    words: list[tuple[str, float]]  # word and Annoy's angular distance, nearest first
    took_ms: float


Results = ImageResults | TagResults | WordResults


def find_results(searcher: Searcher, question: Question, k: int, skip: int = 0) -> ImageResults | TagResults:
    """Return the result of any question except `/words`.

    Args:
        k: maximum number of hits or tags, 1 or more.
        skip: number of hits on earlier pages.

    Raises:
        QueryError: the text cannot be parsed or answered.
        LibraryError: the library cannot answer such a question.
    """
    start = time.perf_counter()
    version = searcher.manifest.version
    query = parse_question(question)
    if question.command == "/tag" and query.terms:
        raise QueryError(f"/tag takes an image and no words. Leave out `{query.terms[0].text}`.")
    features, item = question.features, None
    if query.like is not None:
        item, features = searcher.look_up(query.like)
    if features is None:
        if question.command != "/findimg":
            raise QueryError(f"{question.command} needs an image, or like: with the URI of an indexed one.")
        found = searcher.find(query, k + 1, skip)
    elif not fits(features, searcher.manifest):
        raise QueryError("The library was rebuilt with another encoder since you sent this image. Send it again.")
    elif question.command == "/tag":
        return TagResults(searcher.tags(features, k), version, _milliseconds_since(start), features.text)
    else:
        found = searcher.similar(features, query, k + 1, excluded=item, skip=skip)
    return ImageResults(
        query.text,
        found.hits[:k],
        found.note,
        version,
        _milliseconds_since(start),
        more=len(found.hits) > k,
        total=found.total,
        # With words beside the image, a score is the relevance of both.
        by_similarity=features is not None and not query.terms,
    )


def related_words(words: WordVectors, text: str, k: int) -> WordResults:
    """Return the result of `/words`.

    Raises:
        QueryError: the text is not exactly one known word.
    """
    if len(text.split()) != 1:
        raise QueryError(f"/words takes one word, as in `/words dog`. Received: {text[:100]!r}.")
    start = time.perf_counter()
    return WordResults(words.nearest(text, k), _milliseconds_since(start))


def example_words(searcher: Searcher, count: int) -> list[str]:
    """Return at most `count` words that some images of the library show most clearly, as examples for a search."""
    clearest: dict[str, float] = {}
    images = searcher.manifest.images
    for item in range(0, images, max(1, -(-images // _SAMPLED))):
        features = searcher.features(item)
        for chosen, probability in zip(features.classes[:1], features.probabilities[:1], strict=True):
            name = searcher.lexicon.names[int(chosen)][0]
            clearest[name] = max(clearest.get(name, 0), float(probability))
        if not len(features.classes) and searcher.knows_words:
            for tag in searcher.tags(features, 1):
                clearest[tag.word] = max(clearest.get(tag.word, 0), tag.score)
    return sorted(clearest, key=lambda name: -clearest[name])[:count]


def _milliseconds_since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
