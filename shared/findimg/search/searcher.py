"""Search a version: by words, by image, and for tags."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from findimg.errors import QueryError
from findimg.index.text_index import TEXT_KINDS, TextKind
from findimg.library.library import Version
from findimg.search.answers.copies import Copies
from findimg.search.answers.pages import Page, Pages, Span
from findimg.search.answers.results import Answer
from findimg.search.class_tags import Tag
from findimg.search.evidence.sources import open_sources
from findimg.search.evidence.taught import VectorOf
from findimg.search.evidence.term_group import TermGroup
from findimg.search.filtered_images import FilteredImages
from findimg.search.image_features import ImageFeatures
from findimg.search.image_search import ImageSearch
from findimg.search.image_tags import ImageTags
from findimg.search.query import Query, Term
from findimg.search.search_files import open_search_files
from findimg.search.sentences.text_vectors import TextVectors
from findimg.search.word_search import WordSearch
from findimg.taught.state import TaughtState
from findimg.text.vectors import WordVectors


class Searcher:
    """An opened version. Several threads may use it at the same time."""

    def __init__(
        self,
        version: Version,
        words: WordVectors,
        text_kinds: Collection[TextKind] = TEXT_KINDS,
        text_vectors: TextVectors | None = None,
        hidden: NDArray[np.int64] | None = None,
    ):
        """Map the version's files into memory.

        Args:
            version: a complete version on this machine.
            words: the word vectors that the manifest names.
            text_kinds: the kinds of text that count as evidence.
            text_vectors: the vectors of texts by the version's encoder. They are used if that has a text tower.
            hidden: int64[n], items to leave out as if they were deleted. At least one must remain. The others are
                numbered anew.

        Raises:
            LibraryError, HeadError: a file is damaged.
        """
        self._files = files = open_search_files(version, words, hidden)
        self._sources = sources = open_sources(files, text_kinds, text_vectors)
        filtered = FilteredImages(files.catalog)
        pages = Pages(files.catalog, Copies(files.duplicates, files.catalog), sources.text)
        self.version = version
        self.manifest = files.manifest
        self.words = words
        self.lexicon = files.lexicon
        self.catalog = files.catalog
        self._filtered = filtered
        self._pages = pages
        self._word_search = WordSearch(files, sources, filtered, pages)
        self._image_search = ImageSearch(files, filtered, pages)
        self._image_tags = ImageTags(files, sources)

    def use_taught(self, state: TaughtState, vector_of: VectorOf | None = None) -> None:
        """Answer with these taught names from now on.

        Args:
            state: what is taught.
            vector_of: returns the visual features of an example that another encoder embedded, None where they cannot
                be had.
        """
        self._sources.taught.use(state, vector_of)
        self._word_search.forget_queries()

    @property
    def taught(self) -> TaughtState:
        """Return the taught names that answers use."""
        return self._sources.taught.state

    @property
    def knows_words(self) -> bool:
        """Return whether the version can be searched by words, and can tag images."""
        return self._sources.can_search_words

    def find(self, query: Query, k: int, skip: int = 0) -> Answer:
        """Return one page of the images that fit a query's words and filters.

        Args:
            query: words, filters or both.
            k: number of hits on the page.
            skip: number of hits on the pages before. Pages of any length add up to one ranking. With words it has at
                most MAX_HITS images.

        Raises:
            QueryError: a word is unknown, or the version cannot be searched by words.
        """
        span = Span(k, skip)
        return self._word_search.answer(query, span) if query.terms else self._browse(query, span)

    def similar(
        self, features: ImageFeatures, query: Query, k: int, excluded: int | None = None, skip: int = 0
    ) -> Answer:
        """Return one page of the images that are most similar to an image.

        Args:
            features: the query image.
            query: filters, and optionally a class that the similarity is weighted by, or words. With words, the
                similarity counts like one more term.
            k: number of hits on the page.
            excluded: an item that is no hit, usually the query image itself.
            skip: number of hits on the pages before.

        Raises:
            QueryError: `class:` names no class, a word is unknown, or the version cannot be searched by words.
        """
        span = Span(k, skip, excluded)
        if not query.terms:
            return self._image_search.answer(features.visual, query, span)
        image = self._files.similarity.relevance(features.visual)
        group = TermGroup(Term(""), (), image, 1.0, 1, shown=True) if image.any() else None
        return self._word_search.answer(query, span, group)

    def tags(self, features: ImageFeatures, k: int = 10) -> list[Tag]:
        """Return words for the content of an image, best first.

        Raises:
            QueryError: the version's backbone has no classes, and no head was trained for it.
        """
        if not self.knows_words:
            raise QueryError(
                f"The backbone {self.manifest.for_words.backbone} has no classes, so it cannot tag images."
            )
        return self._image_tags.tags(features, k)

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
        texts = self._files.text_index.texts([item]) if self._files.text_index else {}
        return texts[item].written if item in texts else ""

    def features(self, item: int) -> ImageFeatures:
        """Return the features of an indexed image, by its item in the catalog."""
        visual, words_files = self._files.similarity.visual, self._files.for_words
        classes, probabilities = np.empty(0, np.int64), np.empty(0, np.float32)
        if words_files.postings:
            classes, probabilities = words_files.postings.classes_of(item)
        for_words = None if words_files.visual is visual else words_files.visual[item]
        return ImageFeatures(visual[item], classes, probabilities, for_words)

    def close(self) -> None:
        """Close the version's files. The searcher must not be used afterwards."""
        self._files.close()

    def _browse(self, query: Query, span: Span) -> Answer:
        """Return one page of all images that match the filters, by date."""
        within = self._filtered.matching(query.filters)
        items = np.arange(self.manifest.images) if within is None else within
        items = self.catalog.by_date(items, oldest_first=query.order == "oldest")
        page = Page(span, self._filtered.note(query.filters), None, np.sort(items))
        return self._pages.make(items, np.ones(len(items), np.float32), page)
