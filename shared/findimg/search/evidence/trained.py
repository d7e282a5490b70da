"""Evidence from a trained head: the relevance of its labels, computed when the version was built."""

import numpy as np
from numpy.typing import NDArray

from findimg.heads.trained_head import TrainedHead
from findimg.index.segmented import SegmentedRelevance
from findimg.search.class_tags import MIN_TAG_SCORE
from findimg.search.terms.expansion import ExpandedTerm
from findimg.text.lexicon import Lexicon


class TrainedEvidence:
    """Knows the labels of a trained head, in singular and plural."""

    is_certain = True

    def __init__(self, head: TrainedHead, relevance: SegmentedRelevance, lexicon: Lexicon):
        """Use a head's labels.

        Args:
            relevance: float16[labels, images], `TrainedHead.relevance` of every image.
        """
        labels = enumerate(head.labels)
        self._head = head
        self.labels = {lexicon.singular(label) or label.lower(): row for row, label in labels}
        self._relevance = relevance

    def knows(self, term: ExpandedTerm) -> bool:
        """See `VisualEvidence.knows`."""
        return term.term in self.labels

    def relevance(self, term: ExpandedTerm) -> NDArray[np.float32]:
        """See `VisualEvidence.relevance`."""
        return self._relevance[self.labels[term.term]]

    def tags(self, visual: NDArray[np.float32]) -> dict[str, float]:
        """Return the labels that an image shows, and their relevance, MIN_TAG_SCORE to 1.

        Args:
            visual: float32[dim], its visual features.
        """
        relevance = self._head.relevance(visual[None])[0].tolist()
        found = dict(zip(self._head.labels, relevance, strict=True))
        return {label: round(score, 3) for label, score in found.items() if score >= MIN_TAG_SCORE}

    def relevance_in_regions(self, term: ExpandedTerm) -> None:
        """See `VisualEvidence.relevance_in_regions`. A trained head knows only whole images."""
