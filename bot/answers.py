"""Answers: from what a person types, with or without an image, to hits, tags or words."""

import time
from dataclasses import dataclass
from functools import cached_property

from shared.backbones import Backbone, open_backbone
from shared.errors import QueryError
from shared.images import Image
from shared.library import Library
from shared.models import ModelStore
from shared.query import Query, parse
from shared.search import Hit, Searcher
from shared.settings import Settings
from shared.tags import Tag
from shared.words import EMBEDDED, Words, open_words

COMMANDS = ("/findimg", "/similar", "/tag", "/words")


@dataclass(frozen=True, slots=True)
class Found:
    """Answer to `/findimg` and `/similar`."""

    query: str
    hits: list[Hit]
    note: str
    version: str
    took_ms: float


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


class Desk:
    """Answers from one library's live version; each part is opened when it is first needed."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._models = ModelStore(settings.cache / "models")

    def answer(self, text: str, image: Image | None, k: int) -> Answer:
        """Answers one command.

        Args:
            text: as typed in Slack: `/findimg cat sofa`, `/similar like:<uri>`, `/tag`, `/words said`.
            image: what `/similar` and `/tag` are about when the text names none.
            k: how many hits, tags or words at the most, from 1 on.

        Raises:
            QueryError: the text cannot be understood or answered.
            LibraryError, ModelError: what is needed is missing or damaged.
        """
        command, _, rest = text.strip().partition(" ")
        if command not in COMMANDS:
            raise QueryError(f"{command!r} is no command; start with one of {', '.join(COMMANDS)}.")
        if command == "/words":
            return self._related(rest.strip(), k)
        # Opened before the clock starts: only the search counts.
        searcher, backbone = self.searcher, self._backbone if image else None
        start = time.perf_counter()
        version = searcher.manifest.version
        query = parse(rest, image=image is not None) if rest.strip() or command == "/findimg" else Query("")
        if command == "/findimg" and query.like is None:
            found = searcher.find(query, k)
            return Found(query.text, found.hits, found.note, version, _since(start))
        if query.like is not None:
            item, seen = searcher.look_up(query.like)
        elif image is not None and backbone is not None:
            item, seen = None, searcher.see(image, backbone)
        else:
            raise QueryError(f"{command} needs an image, or like: with the URI of an indexed one.")
        if command == "/tag":
            return Tagged(searcher.tags(seen, k), version, _since(start))
        found = searcher.similar(seen, query, k, without=item)
        return Found(query.text, found.hits, found.note, version, _since(start))

    @cached_property
    def library(self) -> Library:
        """The library that the settings name."""
        return Library(self._settings.library, self._settings.cache)

    @cached_property
    def searcher(self) -> Searcher:
        """The live version, opened."""
        version = self.library.open()
        return Searcher(version, self._open_words(version.manifest.words))

    @cached_property
    def _backbone(self) -> Backbone:
        return open_backbone(self.searcher.manifest.backbone, self._models, self._settings.weights or None)

    @cached_property
    def _words(self) -> Words:
        if self._settings.words or not self._settings.library:
            return self._open_words(self._settings.words or EMBEDDED)
        return self.searcher.words

    def _open_words(self, name: str) -> Words:
        return open_words(name, self._models.words(name))

    def _related(self, word: str, k: int) -> Related:
        words = self._words
        if len(word.split()) != 1:
            raise QueryError(f"/words takes one word, as in `/words dog`. Received: {word!r}.")
        start = time.perf_counter()
        return Related(words.nearest(word, k), _since(start))


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 2)
