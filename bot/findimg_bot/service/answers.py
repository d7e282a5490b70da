"""Answers: from a question to hits, tags or words."""

import time
from dataclasses import dataclass, replace
from datetime import date

from findimg.errors import QueryError
from findimg.search.query import Query, parse
from findimg.search.searcher import MOST_HITS, Hit, ImageFeatures, Searcher
from findimg.search.tags import Tag
from findimg.text.vectors import WordVectors

COMMANDS = ("/findimg", "/similar", "/tag", "/words")


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks; all of it that must be kept for the next page of answers."""

    command: str  # one of COMMANDS
    text: str  # what was typed after it
    like: str | None = None  # URI of the indexed image it is about, where the text names none
    seen: ImageFeatures | None = None  # what the backbone said about the uploaded image it is about
    name: str = ""  # what that image is called


@dataclass(frozen=True, slots=True)
class Found:
    """Answer to `/findimg` and `/similar`."""

    query: str
    hits: list[Hit]
    note: str
    version: str
    took_ms: float
    more: bool = False  # whether there are hits after these


@dataclass(frozen=True, slots=True)
class Tagged:
    """Answer to `/tag`."""

    tags: list[Tag]
    version: str
    took_ms: float


@dataclass(frozen=True, slots=True)
class Related:
    """Answer to `/words`."""

    words: list[tuple[str, float]]  # word and Annoy's angular distance, nearest first
    took_ms: float


Answer = Found | Tagged | Related


def read_question(text: str) -> Question:
    """Reads a command as a person types it: `/findimg cat sofa`, `/similar like:<uri>`, `/tag`, `/words said`.

    Raises:
        QueryError: it begins with no command.
    """
    command, _, rest = text.strip().partition(" ")
    if command not in COMMANDS:
        raise QueryError(f"{command!r} is no command; start with one of {', '.join(COMMANDS)}.")
    return Question(command, rest.strip())


def parsed(question: Question) -> Query:
    """The query that a question about images holds.

    Raises:
        QueryError: it cannot be understood.
    """
    about_image = question.seen is not None or question.like is not None
    if not question.text and question.command != "/findimg":
        return Query("", like=question.like)
    query = parse(question.text, image=about_image, today=date.today())
    return replace(query, like=question.like) if question.like is not None else query


def answer(searcher: Searcher, question: Question, k: int, skip: int = 0) -> Found | Tagged:
    """Answers any question but `/words`.

    Args:
        k: how many hits or tags at the most, from 1 on.
        skip: how many of the best hits were shown before.

    Raises:
        QueryError: the text cannot be understood or answered.
        LibraryError: the library cannot answer such a question.
    """
    start = time.perf_counter()
    version = searcher.manifest.version
    query = parsed(question)
    seen, item = question.seen, None
    if query.like is not None:
        item, seen = searcher.look_up(query.like)
    wanted = min(skip + k + 1, MOST_HITS)
    if seen is None:
        if question.command != "/findimg":
            raise QueryError(f"{question.command} needs an image, or like: with the URI of an indexed one.")
        found = searcher.find(query, wanted)
    elif seen.visual.shape != (searcher.manifest.dim,):
        raise QueryError("The library was made anew since this image was looked at; ask with it again.")
    elif question.command == "/tag":
        return Tagged(searcher.tags(seen, k), version, _since(start))
    else:
        found = searcher.similar(seen, query, wanted, without=item)
    hits, more = found.hits[skip : skip + k], len(found.hits) > skip + k
    return Found(query.text, hits, found.note, version, _since(start), more)


def related(words: WordVectors, text: str, k: int) -> Related:
    """Answers `/words`.

    Raises:
        QueryError: the text is not one word, or an unknown one.
    """
    if len(text.split()) != 1:
        raise QueryError(f"/words takes one word, as in `/words dog`. Received: {text[:100]!r}.")
    start = time.perf_counter()
    return Related(words.nearest(text, k), _since(start))


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
