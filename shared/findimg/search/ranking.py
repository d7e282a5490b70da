"""Rank the images of a version by the evidence for the groups of a query."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from findimg.index.segmented import SegmentedMatrix
from findimg.search.evidence.joint_cosines import JointCosines
from findimg.search.evidence.term_group import RELEVANT, TermGroup
from findimg.search.scoring import RERANKED, best_first, combine, rerank, top_k

# Hits of a query at most. All of them are ranked together, so that a page does not depend on its place or its length.
MAX_HITS = 1000


class Ranking:
    """Selects candidates, scores them, and reranks the best by their visual features."""

    def __init__(self, vectors: JointCosines, visual: SegmentedMatrix):
        """Use a version's evidence.

        Args:
            vectors: orders images without other evidence.
            visual: features by the encoder that finds images by words, float16[images, dim].
        """
        self._vectors = vectors
        self._visual = visual

    def rank(
        self, groups: Sequence[TermGroup], within: NDArray[np.int64] | None, excluded: int | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the best MAX_HITS images, best first, and their scores. Without evidence, word vectors decide.

        Args:
            groups: the groups.
            within: the only images that count, None for all.
            excluded: an image to leave out.
        """
        weights = np.asarray([group.weight for group in groups], np.float32)
        vectors = [next((each.vector for each in group.expanded if each.vector is not None), None) for group in groups]
        items = self._candidates(groups, weights, vectors, within)
        if excluded is not None:
            items = items[items != excluded]
        relevance = np.stack([group.relevance[items] for group in groups])
        # Word vectors only order images without evidence.
        cosines = None if relevance.min(initial=1) > 0 else self._vectors.cosines(vectors, items)
        scores = combine(relevance, weights, cosines)
        order = best_first(scores)
        items, scores = items[order], scores[order]
        reranked = rerank(scores[:RERANKED], self._visual[items[:RERANKED]])
        # Images that are not reranked get the score that reranking gives to an image without similarity, but none may
        # overtake the reranked ones.
        rest = np.minimum(scores[RERANKED:] / 2, reranked.min(initial=1))
        texts = [
            group.text_relevance[items]
            for group in groups
            if group.by_text and group.weight > 0 and group.text_relevance is not None
        ]
        if not texts:
            order = best_first(reranked)
            return np.concatenate([items[order], items[RERANKED:]]), np.concatenate([reranked[order], rest])
        mixed = np.concatenate([reranked, rest])
        scores = np.where(np.max(texts, axis=0) > 0, np.maximum(mixed, scores), mixed)
        order = best_first(scores)
        return items[order], scores[order]

    def cautious_scores(self, groups: Sequence[TermGroup], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return scores in which a guessed term's evidence counts no more than its ceiling allows.

        No score is higher than without the guessed terms.
        """
        weights = np.asarray([group.weight for group in groups], np.float32)
        is_certain = np.asarray([group.weight < 0 or group.ceiling == 1 for group in groups])
        ceilings = np.asarray([group.ceiling for group in groups], np.float32)[:, None]
        relevance = np.stack([group.relevance[items] for group in groups])
        cautious = np.where(is_certain[:, None], relevance, 1 - ceilings + ceilings * relevance)
        return np.minimum(combine(cautious, weights), combine(relevance[is_certain], weights[is_certain]))

    def _candidates(
        self,
        groups: Sequence[TermGroup],
        weights: NDArray[np.float32],
        vectors: Sequence[NDArray[np.float32] | None],
        within: NDArray[np.int64] | None,
    ) -> NDArray[np.int64]:
        """Return up to MAX_HITS images for the exact ranking, in ascending order."""
        if within is None and len(groups) == 1:
            # The score of a single term rises with its relevance.
            places = top_k(groups[0].relevance, MAX_HITS)
            relevance = groups[0].relevance[places]
            best = relevance.max(initial=0)
            # Reranking at most halves a score. So images with less than half of a relevant score are no hits.
            relevant = relevance >= best * RELEVANT / 2
            if best > 0 and np.count_nonzero(relevant) >= RERANKED:
                return np.asarray(places[relevant], np.int64)
            if len(places) < MAX_HITS or relevance.min() > 0:
                return places
        if within is not None and not any(group.weight > 0 for group in groups):
            # Only unwanted terms and a filter: any image that matches may be a hit.
            relevance = np.stack([group.relevance[within] for group in groups])
            return within[top_k(combine(relevance, weights), MAX_HITS)]
        wanted_groups = [group for group in groups if group.weight > 0]
        # Beside named terms, guesses only order the images that have those.
        decisive = [group for group in wanted_groups if group.ceiling == 1] or wanted_groups
        evidence = np.logical_or.reduce([group.relevance > 0 for group in decisive])
        items = np.flatnonzero(evidence) if within is None else within[evidence[within]]
        if len(items) > MAX_HITS:
            relevance = np.stack([group.relevance[items] for group in groups])
            return items[top_k(combine(relevance, weights), MAX_HITS)]
        # Too few images have evidence, so those nearest by word vectors follow.
        others = np.flatnonzero(~evidence) if within is None else within[~evidence[within]]
        wanted = [vector for vector, weight in zip(vectors, weights, strict=True) if weight > 0]
        nearest = top_k(self._vectors.cosines(wanted, others).sum(axis=0), MAX_HITS - len(items))
        return np.sort(np.concatenate([items, others[nearest]]))
