"""Search by words: from the terms of a query to one page of images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from findimg.errors import QueryError
from findimg.search.answers.missing_terms import missing_terms
from findimg.search.answers.pages import Page, Pages, Span
from findimg.search.answers.results import Answer
from findimg.search.evidence.finder import EvidenceFinder
from findimg.search.evidence.joint_cosines import JointCosines
from findimg.search.evidence.sources import EvidenceSources
from findimg.search.evidence.term_group import (
    RELEVANT,
    TermGroup,
    name_different_things,
    score_without,
    soften_guesses,
    within_text,
    without_stray_text,
)
from findimg.search.evidence.visual_groups import VisualGroups
from findimg.search.filtered_images import FilteredImages
from findimg.search.query import Query
from findimg.search.ranking import Ranking
from findimg.search.search_files import SearchFiles
from findimg.search.terms.corrections import SpellingChecker
from findimg.search.terms.expansion import GUESS_CEILING
from findimg.search.terms.preparation import TermPreparation

_ORDERED = 0.25  # an image below this share of the best score is no hit of a query that asks for another order
_QUERIES = 2048  # prepared queries that are kept


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """Ranked images, best first."""

    items: NDArray[np.int64]
    scores: NDArray[np.float32]
    groups: Sequence[TermGroup]  # that the images are ranked by
    left_out: Sequence[TermGroup] = ()  # guesses that no image with the named things shows


class WordSearch:
    """Finds the images that show or say the terms of a query. Several threads may use it at the same time."""

    def __init__(
        self,
        files: SearchFiles,
        sources: EvidenceSources,
        filtered: FilteredImages,
        pages: Pages,
    ):
        """Use a version.

        Args:
            files: of the version.
            sources: its sources of evidence.
            filtered: finds the images that match filters.
            pages: makes the pages of answers.
        """
        self._sources = sources
        self._filtered = filtered
        self._pages = pages
        self._backbone = files.for_words.manifest.backbone
        self._visual = VisualGroups(files, sources)
        self._evidence = EvidenceFinder(files, sources, self._visual)
        self._ranking = Ranking(JointCosines(files.for_words.joint), files.for_words.visual)
        self._spelling = SpellingChecker(files.lexicon, files.words, sources.labels, sources.text.knows)
        tower = sources.sentences.text_tower if sources.sentences else None
        preparation = TermPreparation(files.lexicon, sources.labels, sources.text.knows, self._spelling, tower)
        self._prepare = lru_cache(_QUERIES)(preparation.prepare)

    def answer(self, query: Query, span: Span, image: TermGroup | None = None) -> Answer:
        """Return one page of the images that fit the terms and the filters of a query.

        Args:
            query: has at least one term.
            span: the hits to return.
            image: the similarity to an image, which counts beside the terms.

        Raises:
            QueryError: a word is unknown, or the version cannot be searched by words.
        """
        if not self._sources.can_search_words:
            raise QueryError(
                f"The backbone {self._backbone} has neither classes nor a text tower, so this library cannot be "
                "searched by words. Search it by image with /similar, or index it with another backbone."
            )
        terms, note = self._prepare(query.terms, self._sources.taught.state)
        groups = without_stray_text([group for term in terms for group in self._evidence.groups(term)])
        answer = self._answer_groups([image, *groups] if image else groups, query, span)
        return replace(answer, note=_joined(note, answer.note)) if note else answer

    def forget_queries(self) -> None:
        """Prepare all queries again, because what is taught has changed."""
        self._prepare.cache_clear()

    def _answer_groups(self, groups: Sequence[TermGroup], query: Query, span: Span) -> Answer:
        """Return one page of the images that fit groups and the filters of a query."""
        within = self._filtered.matching(query.filters, span.excluded)
        note = self._filtered.note(query.filters)
        wanted = [group for group in groups if group.weight > 0]
        missing = [group for group in wanted if not group.shown]
        if any(group.required for group in missing) or (missing == wanted and all(g.is_only_text for g in missing)):
            return Answer([], self._missing(missing))
        within = within_text([group for group in groups if group.shown], within)
        if missing:
            note = _joined(self._missing(missing), note)
            if len(missing) == len(wanted) and within is None:
                return Answer([], note)
            if len(missing) < len(wanted):
                groups = [group for group in groups if group.shown or group.weight < 0]
        ranked = self._rank(groups, within, span.excluded)
        if ranked.left_out:
            note = _joined(self._missing(ranked.left_out), note)
        if within is None and len(ranked.items):
            if not missing and self._is_only_near(ranked):
                note = "No image shows all of these. The nearest images follow."
            ranked = _without_noise(ranked)
        scores = self._shown_scores(ranked)
        items = ranked.items
        if query.order != "best":
            items = items[scores >= scores.max(initial=0) * _ORDERED]
            items = self._pages.catalog.by_date(items, oldest_first=query.order == "oldest")
            scores = np.ones(len(items), np.float32)
        # If filters or required text limit the images, each of these is a hit.
        total = None if within is None or query.order != "best" else self._pages.copies.count(within)
        with_text = [group for group in wanted if group.text_relevance is not None]
        return self._pages.make(items, scores, Page(span, note, total, within, with_text))

    def _rank(self, groups: Sequence[TermGroup], within: NDArray[np.int64] | None, excluded: int | None) -> _Ranked:
        """Rank the images. Guesses count less than named things, or not at all if no image shows both."""
        if name_different_things(groups):
            groups = [self._visual.with_regions(group) for group in groups]
        items, scores = self._ranking.rank(groups, within, excluded)
        named, guessed = _named_and_guessed(groups)
        if named and guessed and len(scores) and scores[0] <= score_without(guessed, groups):
            groups = [group for group in groups if group not in guessed]
            return _Ranked(*self._ranking.rank(groups, within, excluded), groups, guessed)
        if named and any(group.only_orders for group in guessed):
            items, scores = self._ranking.rank(soften_guesses(groups), within, excluded)
        return _Ranked(items, scores, groups)

    def _is_only_near(self, ranked: _Ranked) -> bool:
        """Return whether several things are named, and no image shows all of them."""
        named, guessed = _named_and_guessed(ranked.groups)
        return len(named) > 1 and not guessed and bool(ranked.scores[0] <= self._visual.noise)

    def _shown_scores(self, ranked: _Ranked) -> NDArray[np.float32]:
        """Return the scores of the hits. Guesses never make a good match."""
        named, guessed = _named_and_guessed(ranked.groups)
        if not guessed:
            return ranked.scores
        if not named:
            return ranked.scores * GUESS_CEILING
        return np.minimum.accumulate(self._ranking.cautious_scores(ranked.groups, ranked.items))

    def _missing(self, groups: Sequence[TermGroup]) -> str:
        return missing_terms(groups, self._spelling, self._sources.sentences is not None)


def _named_and_guessed(groups: Sequence[TermGroup]) -> tuple[list[TermGroup], list[TermGroup]]:
    """Return the wanted groups that name something, and those that are only guessed."""
    wanted = [group for group in groups if group.weight > 0]
    return [group for group in wanted if group.ceiling == 1], [group for group in wanted if group.ceiling < 1]


def _without_noise(ranked: _Ranked) -> _Ranked:
    """Return the images with a relevant share of the best score."""
    kept = np.count_nonzero(ranked.scores >= ranked.scores[0] * RELEVANT)
    return replace(ranked, items=ranked.items[:kept], scores=ranked.scores[:kept])


def _joined(*notes: str) -> str:
    return " ".join(filter(None, notes))
