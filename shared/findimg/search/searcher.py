"""Searching a version: by words, by likeness, and naming what an image shows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache, partial
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.base import ImageEncoder
from findimg.errors import LibraryError, QueryError
from findimg.heads.devise import RELEVANCE_FILE, Devise, open_version_head
from findimg.images import Image
from findimg.index.annoy import AnnoyPartitions, index_files
from findimg.index.float16 import Float16Matrix
from findimg.index.postings import Postings
from findimg.index.projection import open_projection
from findimg.library.catalog import Catalog
from findimg.library.layout import (
    CATALOG_FILE,
    CLASSIFIER_FILE,
    JOINT_FILE,
    PROJECTION_FILE,
    VISUAL_FILE,
    thumbnail_key,
)
from findimg.library.library import Version
from findimg.library.manifest import IndexEntry
from findimg.search.expansion import ExpandedTerm, meaning, rerank, score, strength, top_k
from findimg.search.filters import Filters
from findimg.search.query import Query, Term
from findimg.search.tags import LEAST, Tag, Tagger
from findimg.text.lexicon import open_lexicon
from findimg.text.spelling import did_you_mean, nearest_spellings
from findimg.text.vectors import WordVectors

MOST_HITS = 1000
# Candidates per hit that a cheap look brings before the exact one ranks them.
_CANDIDATES = 20
_LOOKED_AT = 70  # of the best images by words, how many are ranked again by their looks
_RELEVANT = 0.01  # a hit with a smaller part of the best one's score is noise
_MEANINGS = 2048  # of terms asked for before, some 5 KB each
_FILTERS = 16  # whose matches are kept, 8 bytes for each image that matches
# Joint embeddings of up to so many numbers in all are compared with a word one and all: 3 ms for 100,000 images of 50
# dimensions. Images are clumped and words lie far from them, so Annoy looks at nearly all of them too, in 70 ms.
_SCANNED = 50_000_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result, best first in a list of them."""

    uri: str
    score: float  # for likeness the cosine, -1 to 1; for words a relevance, 0 to 1
    item: int  # row in the catalog, item in the Annoy indexes
    width: int  # pixels
    height: int
    sha256: str  # hex, of the image's bytes
    taken: datetime | None  # by the camera's clock

    @property
    def thumbnail(self) -> str:
        """Key of the thumbnail in the library."""
        return thumbnail_key(self.sha256)


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits for one query, and what a person should know about them."""

    hits: list[Hit]
    note: str = ""


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What the backbone and the head say about one image."""

    visual: NDArray[np.float32]  # float32[dim]
    classes: NDArray[np.integer]  # int[m], most probable first; empty for a backbone without classes
    probabilities: NDArray[np.float32]  # float32[m]


class Searcher:
    """An opened version; may be asked from several threads."""

    def __init__(self, version: Version, words: WordVectors):
        """Maps the version's files into memory.

        Args:
            words: the word vectors that the manifest names.

        Raises:
            LibraryError, HeadError: a file is damaged.
        """
        self.version = version
        self.manifest = manifest = version.manifest
        self.words = words
        self.lexicon = open_lexicon()
        self.catalog = Catalog(version.folder / CATALOG_FILE)
        self._head = open_version_head(version, words)
        self._tagger = Tagger(words, self.lexicon)
        self._meaning_of = lru_cache(_MEANINGS)(partial(meaning, lexicon=self.lexicon, words=words))
        self._matching = lru_cache(_FILTERS)(self.catalog.matching)
        self._visual = Float16Matrix(version.folder / VISUAL_FILE, manifest.images, manifest.dim)
        self._visual_index = _open_index(version, "visual", manifest.visual)
        self._projection = None
        if PROJECTION_FILE in manifest.files:
            path = version.folder / PROJECTION_FILE
            self._projection = open_projection(path, manifest.dim, manifest.visual.dim)
        if manifest.joint:
            self._joint = Float16Matrix(version.folder / JOINT_FILE, manifest.images, manifest.joint.dim)
            self._joint_index = _open_index(version, "joint", manifest.joint)
        self._labels: dict[str, int] = {}
        if isinstance(self._head, Devise):
            names = enumerate(self._head.labels)
            self._labels = {self.lexicon.singular(label) or label.lower(): row for row, label in names}
            self._relevance = Float16Matrix(version.folder / RELEVANCE_FILE, len(self._head.labels), manifest.images)
        self._postings = None
        if CLASSIFIER_FILE in manifest.files:
            self._postings = Postings(version.folder, manifest.images)
            self._classifier = np.load(version.folder / CLASSIFIER_FILE, mmap_mode="r")

    def find(self, query: Query, k: int) -> Answer:
        """Finds the images that show what the query's words say.

        Raises:
            QueryError: a word is unknown, or the version knows no words.
        """
        if not query.terms:
            return self._browse(query, k)
        if not self.manifest.joint:
            raise QueryError(
                f"The backbone {self.manifest.backbone} names no classes, so this library knows no words; "
                "ask it with /similar, or index with another backbone."
            )
        terms = self._joined(query.terms)
        meanings = [self._meaning(term.text) for term in terms]
        weights = np.asarray([t.weight * m.certainty for t, m in zip(terms, meanings, strict=True)], np.float32)
        category = [self._category(each) for each in meanings]
        best = np.asarray([each.max() for each in category], np.float32)
        within = self._matching(query.filters) if query.filters else None
        note = self._note(query.filters)
        if within is None:
            strengths = strength(best[:, None], np.asarray([each.certainty for each in meanings]))
            missing = [
                term.text
                for term, strong in zip(terms, strengths, strict=True)
                if term.weight > 0 and strong <= self.manifest.noise
            ]
            note = self._missing(missing)
            if len(missing) == sum(term.weight > 0 for term in terms):
                return Answer([], note)
        # What counts as everything of a term is the best among all that may be found, not among the candidates.
        limits = [max(1, each.max() if within is None else each[within].max(initial=0)) for each in category]
        items = self._candidates(meanings, category, limits, weights, within, k)
        cosine = np.stack([self._cosines(each.vector, items) for each in meanings])
        scores = score(_fit(category, limits, items), cosine, weights)
        places = top_k(scores, max(k, _LOOKED_AT))
        items = items[places]
        scores = rerank(scores[places], self._visual[items])
        if within is None:
            if not note and scores.max() <= self.manifest.noise:
                note = "No image here shows all of that; these come nearest."
            relevant = scores >= scores.max() * _RELEVANT
            items, scores = items[relevant], scores[relevant]
        return Answer(self._hits(items, scores, k), note)

    def _browse(self, query: Query, k: int) -> Answer:
        """Return all images that match the filters, by date."""
        items = self.catalog.by_date(self._matching(query.filters), oldest_first=query.order == "oldest")
        scores = np.ones(min(k, len(items)), np.float32)
        return Answer(self._hits(items[:k], scores, k), self._note(query.filters))

    def similar(self, seen: ImageFeatures, query: Query, k: int, without: int | None = None) -> Answer:
        """Finds the images that look most like one that was seen.

        With `class:` the features of both count as much as they speak for the class: they are multiplied by the
        classifier's positive weights. The candidate's length stays that of all its features, so one in which the class
        is a small part scores less: on 200 collages of two photographs among 1,400 single ones the class then has 0.94
        of the first 10 hits, with the weighted lengths 0.71, without `class:` 0.46.

        Args:
            without: an item to leave out, usually the one that was asked with.

        Raises:
            QueryError: `class:` names no class.
        """
        looks = self._looks(seen.visual)
        # Annoy's own ranking is exact: only where another one follows are more candidates than hits of use.
        count = min(self.manifest.images, (k + 1) * (1 if query.of_class is None else _CANDIDATES))
        items = self._matching(query.filters) if query.filters else self._visual_index.nearest(looks, count)[0]
        if query.of_class is None:
            scores = _cosine(self._looks(self._visual[items]), looks)
        else:
            named = self._classes_named(query.of_class)
            if not query.filters:
                shown = self._shown(named.astype(np.float32))
                items = np.union1d(items, np.argpartition(-shown, count - 1)[:count])
            weights = np.maximum(np.asarray(self._classifier[named], np.float32).mean(axis=0), 0)
            scores = _cosine(self._visual[items], weights**2 * seen.visual)
        kept = items != without
        return Answer(self._hits(items[kept], scores[kept], k), self._note(query.filters))

    def tags(self, seen: ImageFeatures, k: int = 10) -> list[Tag]:
        """Names what an image shows, best first.

        Raises:
            QueryError: the version's backbone has no classes, and no head was trained for it.
        """
        if not self.manifest.joint:
            raise QueryError(f"The backbone {self.manifest.backbone} names no classes, so it cannot tag.")
        joint = self._head.embed(seen.visual[None], seen.classes[None], seen.probabilities[None])[0]
        tags = self._tagger.tags(joint, seen.classes, seen.probabilities, k)
        if not isinstance(self._head, Devise):
            return tags
        scores = {tag.word: tag.score for tag in tags}
        for label, relevance in zip(self._head.labels, self._head.relevance(seen.visual[None])[0], strict=True):
            if relevance >= LEAST:
                scores[label] = max(scores.get(label, 0), round(float(relevance), 3))
        return [Tag(word, scores[word]) for word in sorted(scores, key=lambda word: (-scores[word], word))[:k]]

    def look_up(self, uri: str) -> tuple[int, ImageFeatures]:
        """Returns an indexed image's item and what was seen in it.

        Raises:
            QueryError: no image with this URI is indexed.
        """
        item = self.catalog.item(uri)
        if item is None:
            raise QueryError(f"No image {uri!r} is indexed; give a URI as a search shows it.")
        return item, self.seen(item)

    def seen(self, item: int) -> ImageFeatures:
        """Returns what was seen in an indexed image, which is one of the catalog's items."""
        classes, probabilities = np.empty(0, np.int64), np.empty(0, np.float32)
        if self._postings:
            classes, probabilities = self._postings.classes_of(item)
        return ImageFeatures(self._visual[item], classes, probabilities)

    def see(self, image: Image, backbone: ImageEncoder, top: int = 20) -> ImageFeatures:
        """Embeds an image that is not indexed, with the library's backbone.

        Raises:
            LibraryError: `backbone` is another one, or has other weights.
        """
        if backbone.fingerprint != self.manifest.fingerprint:
            raise LibraryError(
                f"The library was made with {self.manifest.backbone} {self.manifest.fingerprint}, this backbone is "
                f"{backbone.name} {backbone.fingerprint}; name the same --weights as index did."
            )
        features = backbone.embed(backbone.preprocess(image.pixels)[None])
        if features.probabilities is None:
            return ImageFeatures(features.visual[0], np.empty(0, np.int64), np.empty(0, np.float32))
        order = np.argsort(-features.probabilities[0], kind="stable")[:top]
        return ImageFeatures(features.visual[0], order, features.probabilities[0][order])

    def close(self) -> None:
        """Closes the version's files; the searcher must not be asked again."""
        self.catalog.close()
        self._visual_index.close()
        if self.manifest.joint:
            self._joint_index.close()

    def _joined(self, terms: Sequence[Term]) -> list[Term]:
        """The terms, with neighbouring plain words that name one thing made one: `grand piano` needs no quotes."""
        joined: list[Term] = []
        for plain, run in groupby(terms, key=lambda term: term == Term(term.text)):
            if plain:
                joined += [Term(text) for text in self.lexicon.join_phrases([term.text for term in run], self._labels)]
            else:
                joined += run
        return joined

    def _meaning(self, term: str) -> ExpandedTerm:
        found = self._meaning_of(term)
        return replace(found, certainty=1) if found.term in self._labels else found

    def _category(self, meant: ExpandedTerm) -> NDArray[np.float32]:
        """How likely each image shows what a term means: by the trained head if it knows the term, else by classes."""
        if meant.term in self._labels:
            return self._relevance[self._labels[meant.term]]
        return self._shown(meant.classes, meant.power)

    def _shown(self, classes: NDArray[np.float32], power: float = 1) -> NDArray[np.float32]:
        if self._postings is None:
            return np.zeros(self.manifest.images, np.float32)
        return self._postings.sum(classes, power)

    def _missing(self, terms: Sequence[str]) -> str:
        if not terms:
            return ""
        note = f"Nothing here shows {' or '.join(repr(term) for term in terms)}."
        # A word that only word vectors know is often a misspelt one: they were made from web pages.
        odd = [term for term in terms if term not in self.lexicon]
        return note + (
            did_you_mean([each for term in odd for each in nearest_spellings(term, self._nouns)]) if odd else ""
        )

    def _classes_named(self, name: str) -> NDArray[np.bool_]:
        """The classes that a word names, bool[1000]: one, or all that are of the kind."""
        if not self._postings:
            raise QueryError(f"The backbone {self.manifest.backbone} names no classes; leave class: out.")
        for sense in self.lexicon.senses(name):
            named = [node for node, steps in sense.places if steps == 0]
            if named:
                return np.asarray(self.lexicon.covers[named].any(axis=0))
        known = [name for names in self.lexicon.names for name in names]
        raise QueryError(f"No class is called {name!r}.{did_you_mean(nearest_spellings(name, known))}")

    def _looks(self, visual: NDArray[np.floating]) -> NDArray[np.float32]:
        """Visual embeddings as likeness sees them: projected, where the version is."""
        return self._projection(visual) if self._projection else np.asarray(visual, np.float32)

    @cached_property
    def _nouns(self) -> list[str]:
        return self.lexicon.visible_nouns()

    def _candidates(
        self,
        meanings: Sequence[ExpandedTerm],
        category: Sequence[NDArray[np.float32]],
        limits: Sequence[float],
        weights: NDArray[np.float32],
        within: NDArray[np.int64] | None,
        k: int,
    ) -> NDArray[np.int64]:
        """The items worth an exact look, in rising order: the best by classes, and more where classes say little.

        Args:
            within: the items that match the filters; None without filters.
        """
        count = min(self.manifest.images, _CANDIDATES * max(k, 10))
        if within is None and len(weights) == 1 and weights[0] > 0:
            # One term's scores rise with what the classes say, so they need not be computed to find the best.
            places = top_k(category[0], count)
            if category[0][places].min() > 0:
                return places
        showing = [each > 0 for each, weight in zip(category, weights, strict=True) if weight > 0]
        signed = np.flatnonzero(np.logical_or.reduce(showing))
        if within is not None:
            signed = np.intersect1d(signed, within, assume_unique=True)
        # Where the classes say something, they say more than the joint embedding: it only fills the places left.
        if len(signed) >= count:
            shown = _fit(category, limits, signed)
            return signed[top_k(score(shown, np.zeros_like(shown), weights), count)]
        if within is not None:
            return within
        if self._joint.size <= _SCANNED:
            return np.arange(self.manifest.images)
        vectors = [each.vector for each, weight in zip(meanings, weights, strict=True) if weight > 0]
        known = [vector for vector in vectors if vector is not None]
        near = [self._joint_index.nearest(vector, k)[0] for vector in [*known, np.sum(known, axis=0)]] if known else []
        return np.unique(np.concatenate([signed, *near]))

    def _cosines(self, vector: NDArray[np.float32] | None, items: NDArray[np.int64]) -> NDArray[np.float32]:
        if vector is None:
            return np.zeros(len(items), np.float32)
        return self._joint.times(vector) if len(items) == len(self._joint) else self._joint[items] @ vector

    def _hits(self, items: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> list[Hit]:
        best = np.argsort(-scores, kind="stable")[:k]
        rows = self.catalog.rows(items[best].tolist())
        return [
            Hit(
                uri=row.uri,
                score=round(float(score), 4),
                item=int(item),
                width=row.width,
                height=row.height,
                sha256=row.sha256,
                taken=row.taken,
            )
            for row, item, score in zip(rows, items[best], scores[best], strict=True)
        ]

    def _note(self, filters: Filters) -> str:
        if not filters:
            return ""
        note = f"{len(self._matching(filters))} of {self.manifest.images} images match the filters."
        undated = self.catalog.undated() if filters.before or filters.after else 0
        return f"{note} {undated} images carry no date." if undated else note


def _open_index(version: Version, name: str, index: IndexEntry) -> AnnoyPartitions:
    paths = [version.folder / file for file in index_files(name, index)]
    return AnnoyPartitions(paths, index.dim, index.counts, index.search_k)


def _fit(
    category: Sequence[NDArray[np.float32]], limits: Sequence[float], items: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How much of each term some items show, float32[terms, items], as a part of the limits."""
    return np.stack([each[items] / np.float32(limit) for each, limit in zip(category, limits, strict=True)])


def _cosine(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(query)
    return np.asarray(vectors @ query / np.maximum(lengths, 1e-12), np.float32)
