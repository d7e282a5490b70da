"""The interface of a source that judges what images show."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from findimg.search.terms.expansion import ExpandedTerm


class VisualEvidence(Protocol):
    """Says how well the images of a version show a term.

    To add a source:

    - Write one module in this folder. `trained.py` is short.
    - Give it a field of `EvidenceSources` (`sources.py`), construct it in `open_sources`, and put it into the order of
      `EvidenceSources.visual`, before the last source, which knows every term. If it knows words that neither the
      lexicon nor the word vectors know, add them to `labels`.
    - If it has files in a version, open them in `search/search_files.py`.
    - If it can tag, ask it in `search/image_tags.py`.

    Taught names and text are evidence, but not of this interface. How much they count depends on what the images show,
    so `VisualGroups` adds taught names, and `EvidenceFinder` adds text.

    Attributes:
        is_certain: whether a term that the source knows has the meaning that the source gives it. Otherwise query
            expansion decides whether the term names something or is a guess, which lowers the relevance.
    """

    is_certain: bool

    def knows(self, term: ExpandedTerm) -> bool:
        """Return whether this source can judge the term."""

    def relevance(self, term: ExpandedTerm) -> NDArray[np.float32]:
        """Return the relevance of every image for a term that the source knows.

        Returns:
            float32[images], at least 0. Values of 1 and more mean certainty. The term counts as shown if the best image
            exceeds the noise floor of the version.
        """

    def relevance_in_regions(self, term: ExpandedTerm) -> NDArray[np.float32] | None:
        """Return the relevance of every image by its most relevant region.

        It counts only if a query names several things, because a region shows less than the whole image does.

        Returns:
            float32[images], at least 0, or None if this source has no regions.
        """
