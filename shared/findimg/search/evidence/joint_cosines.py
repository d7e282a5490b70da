"""The cosine between an image's joint embedding and the vector of a term, which orders images without evidence."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from findimg.index.segmented import SegmentedMatrix

_PIECE = 65_536  # images read at a time


class JointCosines:
    """Compares the images of a version with terms by word vectors."""

    def __init__(self, joint: SegmentedMatrix | None):
        """Use a version's joint embeddings, float16[images, dim]. None for a version without word vectors of images."""
        self._joint = joint

    def cosines(self, vectors: Sequence[NDArray[np.float32] | None], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines of some images to the terms' vectors.

        Args:
            vectors: float32[dim] of length 1 for each term, None for an unknown one.
            items: int64[n].

        Returns:
            float32[terms, n], 0 for a term without a vector.
        """
        cosines = np.zeros((len(vectors), len(items)), np.float32)
        known = [place for place, vector in enumerate(vectors) if vector is not None]
        if self._joint is not None and known and len(items):
            matrix = np.stack([vector for vector in vectors if vector is not None])
            for start in range(0, len(items), _PIECE):
                piece = slice(start, start + _PIECE)
                cosines[known, piece] = matrix @ self._joint[items[piece]].T
        return cosines
