"""Evidence from class probabilities: the probabilities of the classes that a term stands for, added up.

One embedding of a whole photograph hides the smaller of two things. For queries of several things, the classifier's
result in overlapping windows of the photograph counts as well, see `Features.regions`. TABLE
"""

import numpy as np
from numpy.typing import NDArray

from findimg.index.postings import Postings
from findimg.search.expansion import ExpandedTerm

# Regions are less reliable than whole images, because a small window shows less.
REGION_WEIGHT = np.float32(0.5)


class ClassEvidence:
    """Knows every term, because an expanded term always has class weights."""

    def __init__(self, postings: Postings | None, images: int, regions: Postings | None = None):
        """Use a version's posting lists.

        Args:
            postings: the classes of whole images. None for an encoder without classes.
            images: number of images.
            regions: the classes of regions. None if no image was embedded with regions.
        """
        self._postings = postings
        self._regions = regions
        self._images = images

    def knows(self, term: ExpandedTerm) -> bool:
        """See `Evidence.knows`."""
        return True

    def relevance(self, term: ExpandedTerm) -> NDArray[np.float32]:
        """See `Evidence.relevance`."""
        return self.probability(term.classes, term.power)

    def relevance_in_regions(self, term: ExpandedTerm) -> NDArray[np.float32] | None:
        """Return the relevance of every image by its most relevant region, or None without regions.

        Returns:
            float32[images], at least 0.
        """
        if self._regions is None:
            return None
        return REGION_WEIGHT * self._regions.sum(term.classes, term.power)

    def probability(self, classes: NDArray[np.float32], power: float = 1) -> NDArray[np.float32]:
        """Return (sum over classes of weight · probability ** power) ** (1 / power) of every image.

        Args:
            classes: float32[1000], weights of the classes.
            power: exponent of the power mean.

        Returns:
            float32[images].
        """
        if self._postings is None:
            return np.zeros(self._images, np.float32)
        return self._postings.sum(classes, power)
