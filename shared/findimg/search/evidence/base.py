"""The interface of a source that judges what images show."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from findimg.search.terms.expansion import ExpandedTerm


class VisualEvidence(Protocol):
    """Says how well the images of a version show a term.

    To add a source, write one module in this folder and give it its place in `sources.py`. If it can tag, ask it in
    `search/image_tags.py`.

    Taught names and text are no sources of this kind: `EvidenceFinder` adds them to what the images show, because how
    much they count depends on that.
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
