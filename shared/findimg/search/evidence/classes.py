"""Evidence from class probabilities: the probabilities of the classes that a term stands for, added up."""

import numpy as np
from numpy.typing import NDArray

from findimg.index.postings import Postings
from findimg.search.expansion import ExpandedTerm


class ClassEvidence:
    """Knows every term, because an expanded term always has class weights."""

    def __init__(self, postings: Postings | None, images: int):
        """Use a version's posting lists, or None for an encoder without classes."""
        self._postings = postings
        self._images = images

    def knows(self, term: ExpandedTerm) -> bool:
        """See `Evidence.knows`."""
        return True

    def relevance(self, term: ExpandedTerm) -> NDArray[np.float32]:
        """See `Evidence.relevance`."""
        return self.probability(term.classes, term.power)

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
