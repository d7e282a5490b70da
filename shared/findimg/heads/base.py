"""The interface of a head."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Head(Protocol):
    """Maps images into the space of the word vectors.

    Attributes:
        name: `conse`, or the name of a trained head.
        dim: length of a joint embedding, which is the dimension of the word vectors.
    """

    name: str
    dim: int

    def embed(
        self,
        visual: npt.NDArray[np.float32],
        classes: npt.NDArray[np.integer],
        probabilities: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """Return the joint embeddings of n images.

        The cosine between a joint embedding and `WordVectors.direction` of a word says how well the word describes the
        image.

        Args:
            visual: float32[n, visual dim].
            classes: int[n, m], the most probable classes of each image, best first. m is usually 20, and 0 for an
                encoder without classes.
            probabilities: float32[n, m], the probabilities of these classes.

        Returns:
            float32[n, dim], each of length 1, or zero if nothing is known about the image.
        """
