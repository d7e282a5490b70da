"""Search by image: one page of the images that are most similar to a query image."""

import numpy as np
from numpy.typing import NDArray

from findimg.errors import QueryError
from findimg.search.answers.pages import Page, Pages, Span
from findimg.search.answers.results import Answer
from findimg.search.filtered_images import FilteredImages
from findimg.search.query import Query
from findimg.search.ranking import MAX_HITS
from findimg.search.scoring import best_first
from findimg.search.search_files import SearchFiles
from findimg.text.spelling import did_you_mean, nearest_spellings


class ImageSearch:
    """Finds images that are similar to a query image. Several threads may use it at the same time."""

    def __init__(self, files: SearchFiles, filtered: FilteredImages, pages: Pages):
        """Use a version.

        Args:
            files: of the version.
            filtered: finds the images that match filters.
            pages: makes the pages of answers.
        """
        self._similarity = files.similarity
        self._lexicon = files.lexicon
        self._backbone = files.manifest.backbone
        self._filtered = filtered
        self._pages = pages

    def answer(self, visual: NDArray[np.float32], query: Query, span: Span) -> Answer:
        """Return one page of the images that are most similar to an image.

        Args:
            visual: float32[dim], the visual features of the query image.
            query: filters, and optionally a class that the similarity is weighted by.
            span: the hits to return.

        Raises:
            QueryError: `class:` names no class, or the version's encoder has none.
        """
        within = self._filtered.matching(query.filters)
        if query.of_class is None:
            items, scores = self._nearest(visual, span, within)
        else:
            named = self._classes_named(query.of_class)
            items, scores = self._similarity.nearest_in_class(visual, named, MAX_HITS + 1, within)
        kept = items != span.excluded
        items, scores = items[kept], scores[kept]
        order = best_first(scores)[:MAX_HITS]
        copies = self._pages.copies
        total = copies.count(items if within is not None else None)
        if within is None and span.excluded is not None and not copies.has_others(span.excluded):
            total -= 1
        page = Page(span, self._filtered.note(query.filters), total, within)
        return self._pages.make(items[order], scores[order], page)

    def _nearest(
        self, visual: NDArray[np.float32], span: Span, within: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the nearest images and their cosines: enough for the page, or MAX_HITS images."""
        hits = span.skip + span.k
        needed = min(MAX_HITS, hits) + 1  # one more, because one may be left out
        while True:
            items, scores = self._similarity.nearest(visual, needed, MAX_HITS + 1, within)
            # Copies and near-duplicates are no hits of their own.
            found = len(self._pages.copies.first_places(items[items != span.excluded]))
            if found >= hits or needed > MAX_HITS or needed > len(items):
                return items, scores
            needed = min(MAX_HITS + 1, 4 * needed)

    def _classes_named(self, name: str) -> NDArray[np.bool_]:
        """Return the classes that a word names, bool[1000]: one class, or all classes below a node."""
        if not self._similarity.knows_classes:
            raise QueryError(f"The backbone {self._backbone} has no classes. Leave class: out.")
        for sense in self._lexicon.senses(name):
            named = [node for node, steps in sense.places if steps == 0]
            if named:
                return np.asarray(self._lexicon.covers[named].any(axis=0))
        known = [name for names in self._lexicon.names for name in names]
        raise QueryError(f"No class is called {name!r}.{did_you_mean(nearest_spellings(name, known))}")
