"""The interface of a source of evidence."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from findimg.search.expansion import ExpandedTerm


class Evidence(Protocol):
    """Says how well the images of a version show a term.

    To add a source, write one module in this folder, and add it to `EvidenceSources` and its order in `finder.py`.
    Open it in `Searcher.__init__`. If it can tag, add it to `Searcher.tags`.
    """

    def knows(self, term: ExpandedTerm) -> bool:
        """Return whether this source can judge the term."""

    def relevance(self, term: ExpandedTerm) -> NDArray[np.float32]:
        """Return the relevance of every image for a term that the source knows.

        Returns:
            float32[images], at least 0. Values of 1 and more mean certainty.
        """

    def relevance_in_regions(self, term: ExpandedTerm) -> NDArray[np.float32] | None:
        """Return the relevance of every image by its most relevant region.

        It counts only if a query names several things, because a region shows less than the whole image does.

        Returns:
            float32[images], at least 0, or None if this source has no regions.
        """
