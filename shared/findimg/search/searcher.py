"""Search a version: by words, by image, and for tags."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from findimg.errors import QueryError
from findimg.heads.devise import Devise
from findimg.heads.loading import open_version_head
from findimg.index.duplicates import Duplicates
from findimg.index.postings import REGIONS, WHOLE
from findimg.index.text_index import KINDS, Kind
from findimg.index.version_files import (
    open_items,
    open_joint,
    open_postings,
    open_relevance,
    open_text_index,
    open_visual,
)
from findimg.library.layout import VOCABULARY_FILE
from findimg.library.library import Version
from findimg.library.version_catalog import VersionCatalog
from findimg.search.answers.copies import CopyGroups
from findimg.search.answers.notes import Notes
from findimg.search.answers.pages import Page, Pages
from findimg.search.answers.results import Answer
from findimg.search.corrections import SpellingChecker
from findimg.search.evidence.classes import ClassEvidence
from findimg.search.evidence.finder import EvidenceFinder, EvidenceSources
from findimg.search.evidence.groups import (
    RELEVANT,
    TermGroup,
    name_different_things,
    score_without,
    soften_guesses,
    within_text,
    without_stray_text,
)
from findimg.search.evidence.sentences import SentenceEvidence
from findimg.search.evidence.taught import TaughtEvidence, VectorOf
from findimg.search.evidence.text import TextEvidence
from findimg.search.evidence.trained import TrainedEvidence
from findimg.search.evidence.vectors import VectorEvidence
from findimg.search.expansion import GUESS_CEILING
from findimg.search.group_ranking import MAX_HITS, GroupRanking
from findimg.search.image_features import ImageFeatures, fits
from findimg.search.query import Query, Term
from findimg.search.ranking import best_first
from findimg.search.sentences.text_vectors import TextVectors
from findimg.search.sentences.vocabulary import read_vocabulary
from findimg.search.similarity import SimilaritySearch
from findimg.search.tags import MIN_TAG_SCORE, Tag, open_tagger
from findimg.search.term_preparation import TermPreparation
from findimg.taught.state import TaughtState
from findimg.text.lexicon import open_lexicon
from findimg.text.spelling import did_you_mean, nearest_spellings
from findimg.text.vectors import WordVectors

_ORDERED = 0.25  # an image below this share of the best score is no hit of a query that asks for another order
_QUERIES = 2048  # prepared queries that are kept
_FILTERS = 16  # filters whose matches are kept, 8 bytes for each matching image


@dataclass(frozen=True, slots=True)
class _Span:
    """The hits that are asked for."""

    k: int  # hits on the page
    skip: int  # hits on the pages before
    without: int | None  # an item to leave out


class Searcher:
    """An opened version. Several threads may use it at the same time."""

    def __init__(
        self,
        version: Version,
        words: WordVectors,
        texts: Collection[Kind] = KINDS,
        text_vectors: TextVectors | None = None,
        hidden: NDArray[np.int64] | None = None,
    ):
        """Map the version's files into memory.

        Args:
            version: a complete version on this machine.
            words: the word vectors that the manifest names.
            texts: the kinds of text that count as evidence.
            text_vectors: the text tower of the version's encoder. Without it only an encoder with classes finds words.
            hidden: int64[n], items to leave out as if they were deleted, but not all. The others are numbered anew.

        Raises:
            LibraryError, HeadError: a file is damaged.
        """
        self.version = version
        for_words = version.for_words
        rows, groups = open_items(version, hidden)
        word_rows = rows if for_words.manifest is version.manifest else open_items(for_words, hidden)[0]
        self.manifest = manifest = version.manifest.model_copy(update={"images": len(rows)})
        self.words = words
        self.lexicon = open_lexicon()
        self.catalog = VersionCatalog(version, rows)
        self._copies = CopyGroups(Duplicates(groups), self.catalog)
        self._head = open_version_head(for_words, words)
        self._tagger = open_tagger(words, self.lexicon)
        self._matching = lru_cache(_FILTERS)(self.catalog.matching)
        self._postings = open_postings(for_words, word_rows, WHOLE)
        classes = ClassEvidence(self._postings, manifest.images, open_postings(for_words, word_rows, REGIONS))
        if word_rows is rows:
            self._similarity = SimilaritySearch(version, rows, classes)
            self._described = self._similarity.visual
        else:
            own = ClassEvidence(open_postings(version, rows, WHOLE), manifest.images)
            self._similarity = SimilaritySearch(version, rows, own)
            self._described = open_visual(for_words, word_rows)
        self._taught = TaughtEvidence(self._similarity, self.catalog, manifest)
        trained: TrainedEvidence | None = None
        if isinstance(self._head, Devise):
            relevance = open_relevance(for_words, word_rows, len(self._head.labels))
            trained = TrainedEvidence(self._head, relevance, self.lexicon)
        self._sentences: SentenceEvidence | None = None
        if text_vectors and VOCABULARY_FILE in for_words.manifest.files:
            vocabulary = read_vocabulary(for_words.path(VOCABULARY_FILE), for_words.manifest.dim)
            self._sentences = SentenceEvidence(self._described, vocabulary, text_vectors)
        self._text_index = open_text_index(version, rows)
        self._text = TextEvidence(self._text_index, self.lexicon, texts)
        sources = EvidenceSources(classes, self._taught, self._text, trained, self._sentences)
        self._evidence = EvidenceFinder(sources, manifest.images, for_words.manifest.noise, self.lexicon, words)
        spelling = SpellingChecker(self.lexicon, words, sources.labels, self._text.knows)
        prepares_sentences = text_vectors if self._sentences else None
        preparation = TermPreparation(self.lexicon, sources.labels, self._text.knows, spelling, prepares_sentences)
        self._prepared = lru_cache(_QUERIES)(preparation.prepare)
        self._notes = Notes(self.catalog, self._matching, spelling, self._sentences is not None)
        self._filter_note = lru_cache(_FILTERS)(self._notes.of_filters)
        self._pages = Pages(self.catalog, self._copies, self._text)
        self._ranking = GroupRanking(VectorEvidence(open_joint(for_words, word_rows)), self._described)

    def use_taught(self, state: TaughtState, vector_of: VectorOf | None = None) -> None:
        """Answer with these taught names from now on.

        Args:
            state: what is taught.
            vector_of: returns the visual features of an example that another encoder embedded, None where they cannot
                be had.
        """
        self._taught.use(state, vector_of)
        self._prepared.cache_clear()  # it would keep the former state

    @property
    def taught(self) -> TaughtState:
        """Return the taught names that answers use."""
        return self._taught.state

    @cached_property
    def knows_words(self) -> bool:
        """Return whether the version can be searched by words, and can tag images."""
        return self.manifest.for_words.joint is not None or self._sentences is not None

    def find(self, query: Query, k: int, skip: int = 0) -> Answer:
        """Return one page of the images that fit a query's words and filters.

        Args:
            query: words, filters or both.
            k: number of hits on the page.
            skip: number of hits on the pages before. Pages of any length add up to one ranking of MAX_HITS hits.

        Raises:
            QueryError: a word is unknown, or the version cannot be searched by words.
        """
        if not query.terms:
            return self._browse(query, k, skip)
        return self._find_terms(query, k, skip, ())

    def _find_terms(
        self, query: Query, k: int, skip: int, others: Sequence[TermGroup], without: int | None = None
    ) -> Answer:
        """Return one page of the images that fit the terms and filters of a query, and other groups.

        Errors as of `find`.

        Args:
            query: has at least one term.
            k: number of hits on the page.
            skip: number of hits on the pages before.
            others: groups that count beside the terms.
            without: an item to leave out.
        """
        if not self.knows_words:
            name = self.manifest.for_words.backbone
            raise QueryError(
                f"The backbone {name} has neither classes nor a text tower, so this library cannot be searched by "
                "words. Search it by image with /similar, or index it with another backbone."
            )
        terms, note = self._prepared(query.terms, self._taught.state)
        groups = without_stray_text([group for term in terms for group in self._evidence.find(term)])
        answer = self._find_groups([*others, *groups], query, _Span(k, skip, without))
        return replace(answer, note=f"{note} {answer.note}".strip()) if note else answer

    def _find_groups(self, groups: Sequence[TermGroup], query: Query, span: _Span) -> Answer:
        """Return one page of the images that fit groups and the filters of a query."""
        within = self._matching(query.filters) if query.filters else None
        if within is not None and span.without is not None:
            within = within[within != span.without]
        note = self._filter_note(query.filters)
        wanted = [group for group in groups if group.weight > 0]
        missing = [group for group in wanted if not group.shown]
        if any(group.required for group in missing) or (missing == wanted and all(g.is_only_text for g in missing)):
            return Answer([], self._notes.missing(missing))
        within = within_text([group for group in groups if group.shown], within)
        if missing:
            note = " ".join(filter(None, [self._notes.missing(missing), note]))
            if len(missing) == len(wanted) and within is None:
                return Answer([], note)
            if len(missing) < len(wanted):
                groups = [group for group in groups if group.shown or group.weight < 0]
        if name_different_things(groups):
            groups = [self._evidence.with_regions(group) for group in groups]
        items, scores = self._ranking.rank(groups, within, span.without)
        guessed = [group for group in groups if group.weight > 0 and group.ceiling < 1]
        named = [group for group in groups if group.weight > 0 and group.ceiling == 1]
        if named and guessed and len(scores) and scores[0] <= score_without(guessed, groups):
            note = " ".join(filter(None, [self._notes.missing(guessed), note]))
            groups = [group for group in groups if group not in guessed]
            guessed = []
            items, scores = self._ranking.rank(groups, within, span.without)
        elif named and any(group.only_orders for group in guessed):
            items, scores = self._ranking.rank(soften_guesses(groups), within, span.without)
        if within is None and len(scores):
            if len(named) > 1 and not missing and not guessed and scores[0] <= self._evidence.noise:
                note = "No image shows all of these. The nearest images follow."
            kept = np.count_nonzero(scores >= scores[0] * RELEVANT)
            items, scores = items[:kept], scores[:kept]
        if guessed:
            scores = (
                np.minimum.accumulate(self._ranking.cautious_scores(groups, items)) if named else scores * GUESS_CEILING
            )
        if query.order != "best":
            items = items[scores >= scores.max(initial=0) * _ORDERED]
            items = self.catalog.by_date(items, oldest_first=query.order == "oldest")
            scores = np.ones(len(items), np.float32)
        with_text = [group for group in wanted if group.text is not None]
        # With a filter, every image that matches it counts as a hit.
        total = None if within is None or query.order != "best" else self._copies.count(within)
        return self._pages.make(items, scores, Page(span.k, span.skip, note, total, within, with_text))

    def similar(
        self, features: ImageFeatures, query: Query, k: int, without: int | None = None, skip: int = 0
    ) -> Answer:
        """Return one page of the images that are most similar to an image.

        Args:
            features: the query image.
            query: filters, and optionally a class that the similarity is weighted by, or words. With words, the
                similarity counts like one more term.
            k: number of hits on the page.
            without: an item to leave out, usually the query image itself.
            skip: number of hits on the pages before.

        Raises:
            QueryError: `class:` names no class, a word is unknown, or the version cannot be searched by words.
        """
        if query.terms:
            image = self._taught.similar(features.visual)
            group = TermGroup(Term(""), (), image, 1.0, 1, shown=bool(image.any()))
            return self._find_terms(query, k, skip, [group] if group.shown else [], without)
        within = self._matching(query.filters) if query.filters else None
        if query.of_class is None:
            items, scores = self._nearest(features, skip + k, without, within)
        else:
            named = self._classes_named(query.of_class)
            items, scores = self._similarity.nearest_in_class(features.visual, named, MAX_HITS + 1, within)
        kept = items != without
        items, scores = items[kept], scores[kept]
        order = best_first(scores)[:MAX_HITS]
        total = self._copies.count(items if within is not None else None)
        if within is None and without is not None and not self._copies.has_others(without):
            total -= 1
        page = Page(k, skip, self._filter_note(query.filters), total, within)
        return self._pages.make(items[order], scores[order], page)

    def _nearest(
        self, features: ImageFeatures, hits: int, without: int | None, within: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the nearest images and their cosines: enough for some hits, or MAX_HITS images."""
        needed = min(MAX_HITS, hits) + 1  # one more, because one may be left out
        while True:
            items, scores = self._similarity.nearest(features.visual, needed, MAX_HITS + 1, within)
            # Copies and near-duplicates are no hits of their own.
            found = len(self._copies.first_places(items[items != without]))
            if found >= hits or needed > MAX_HITS or needed > len(items):
                return items, scores
            needed = min(MAX_HITS + 1, 4 * needed)

    def tags(self, features: ImageFeatures, k: int = 10) -> list[Tag]:
        """Return words for the content of an image, best first.

        Raises:
            QueryError: the version's backbone has no classes, and no head was trained for it.
        """
        if not self.knows_words:
            raise QueryError(
                f"The backbone {self.manifest.for_words.backbone} has no classes, so it cannot tag images."
            )
        if not fits(features, self.manifest, to_words=True):
            raise QueryError("The library has another encoder since this image was sent. Send it again.")
        visual = features.described if self.manifest.words_by_second else features.visual
        assert visual is not None
        classes, probabilities = features.classes, features.probabilities
        if self._sentences:
            tags = self._sentences.tags(visual, k)
        else:
            joint = self._head.embed(visual[None], classes[None], probabilities[None])[0]
            tags = self._tagger.tags(joint, classes, probabilities, k)
        taught = self._taught.tags(features.visual)
        if not isinstance(self._head, Devise) and not taught:
            return tags
        scores = {tag.word: tag.score for tag in tags}
        if isinstance(self._head, Devise):
            for label, relevance in zip(self._head.labels, self._head.relevance(visual[None])[0], strict=True):
                if relevance >= MIN_TAG_SCORE:
                    scores[label] = max(scores.get(label, 0), round(float(relevance), 3))
        for name, relevance in taught.items():
            scores[name] = max(scores.get(name, 0), relevance)
        return [Tag(word, scores[word]) for word in sorted(scores, key=lambda word: (-scores[word], word))[:k]]

    def look_up(self, uri: str) -> tuple[int, ImageFeatures]:
        """Return an indexed image's item and its features.

        Raises:
            QueryError: no image with this URI is indexed.
        """
        item = self.catalog.item(uri)
        if item is None:
            raise QueryError(f"No image {uri!r} is indexed. Use a URI as a search prints it.")
        return item, replace(self.features(item), text=self.written(item))

    def written(self, item: int) -> str:
        """Return the lines that were read in an indexed image, separated by line feeds. Empty if there are none."""
        texts = self._text_index.texts([item]) if self._text_index else {}
        return texts[item].written if item in texts else ""

    def features(self, item: int) -> ImageFeatures:
        """Return the features of an indexed image, by its item in the catalog."""
        classes, probabilities = np.empty(0, np.int64), np.empty(0, np.float32)
        if self._postings:
            classes, probabilities = self._postings.classes_of(item)
        visual = self._similarity.visual
        described = None if self._described is visual else self._described[item]
        return ImageFeatures(visual[item], classes, probabilities, described)

    def close(self) -> None:
        """Close the version's files. The searcher must not be used afterwards."""
        self.catalog.close()
        self._similarity.close()
        if self._text_index:
            self._text_index.close()

    def _browse(self, query: Query, k: int, skip: int) -> Answer:
        """Return one page of all images that match the filters, by date."""
        items = self.catalog.by_date(self._matching(query.filters), oldest_first=query.order == "oldest")
        page = Page(k, skip, self._filter_note(query.filters), None, np.sort(items))
        return self._pages.make(items, np.ones(len(items), np.float32), page)

    def _classes_named(self, name: str) -> NDArray[np.bool_]:
        """Return the classes that a word names, bool[1000]: one class, or all classes below a node."""
        if not self._similarity.knows_classes:
            raise QueryError(f"The backbone {self.manifest.backbone} has no classes. Leave class: out.")
        for sense in self.lexicon.senses(name):
            named = [node for node, steps in sense.places if steps == 0]
            if named:
                return np.asarray(self.lexicon.covers[named].any(axis=0))
        known = [name for names in self.lexicon.names for name in names]
        raise QueryError(f"No class is called {name!r}.{did_you_mean(nearest_spellings(name, known))}")
