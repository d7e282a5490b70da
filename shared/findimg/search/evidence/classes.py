"""Evidence from class probabilities: the probabilities of the classes that a term stands for, added up.

One embedding of a whole photograph hides the smaller of two things. If a query names several things, the classifier's
results in nine overlapping windows count as well: each class has the largest of its probabilities in any window, see
`Features.regions`. A term's relevance is then max(whole image, REGION_WEIGHT × regions).

Precision@10 of two class names on 1,400 Caltech-101 photographs and collages of two of them: about 50 pairs with 10
collages in each of three layouts, and 200 collages of unequal width side by side. The last column has 25 queries of two
words for one thing, such as `dog animal`.

| windows of the 7 × 7 map, REGION_WEIGHT | side by side | inset | overlapping | unequal | one thing |
|---|---|---|---|---|---|
| none | 0.52 | 0.30 | 0.52 | 0.49 | 0.936 |
| 3 × 3, stride 2, 0.3 (chosen) | 0.62 | 0.40 | 0.61 | 0.60 | 0.936 |
| 3 × 3, stride 2, 0.5 / 1 | 0.62 / 0.63 | 0.41 / 0.41 | 0.61 / 0.62 | 0.60 / 0.61 | 0.932 / 0.928 |
| 3 × 3, stride 1, 0.5 | 0.63 | 0.41 | 0.62 | 0.60 | 0.932 |
| 4 × 4, stride 3, 0.5 | 0.62 | 0.37 | 0.62 | 0.58 | 0.936 |
| 4 × 4, stride 1, 0.5 | 0.62 | 0.38 | 0.62 | 0.59 | 0.932 |

Through the product, the names find 0.575 of the 200 collages instead of 0.466, and 0.69 instead of 0.49 if both name
classes.

Single words do not use regions, because 40 class names would fall from 0.935 to 0.905. Words that name no class do not
use them either, because some window resembles nearly any guess. The windows take the model 6 % more time per image.
"""

import numpy as np
from numpy.typing import NDArray

from findimg.index.segmented import SegmentedPostings
from findimg.search.terms.expansion import ExpandedTerm

# Regions are less reliable than whole images, because a small window shows less.
REGION_WEIGHT = np.float32(0.3)


class ClassEvidence:
    """Knows every term, because an expanded term always has class weights."""

    is_certain = False

    def __init__(self, postings: SegmentedPostings | None, images: int, regions: SegmentedPostings | None = None):
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
        """See `VisualEvidence.knows`."""
        return True

    def relevance(self, term: ExpandedTerm) -> NDArray[np.float32]:
        """See `VisualEvidence.relevance`."""
        return self.probability(term.classes, term.power)

    def relevance_in_regions(self, term: ExpandedTerm) -> NDArray[np.float32] | None:
        """See `VisualEvidence.relevance_in_regions`."""
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
