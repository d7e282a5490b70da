"""Heads: from what a backbone says about an image to the image's point among words, its joint embedding."""

from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shared.errors import HeadError
from shared.lexicon import CLASSES, Lexicon, open_lexicon
from shared.words import Words, normalised


class Head(Protocol):
    """Maps images into the word space."""

    name: str
    dim: int

    def embed(
        self,
        visual: npt.NDArray[np.float32],
        classes: npt.NDArray[np.integer],
        probabilities: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """Returns the joint embeddings of n images, float32[n, dim], each of length 1.

        They lie in the space of `Words.direction`: the cosine to a word's direction says how well it fits.

        Args:
            visual: float32[n, visual dimension].
            classes: int[n, m], the likeliest classes of each image, likeliest first; m is usually 20.
            probabilities: float32[n, m], theirs.
        """


class Conse:
    """The head that needs no training: the words of an image's classes, weighted by their probabilities.

    A class also counts for everything that it is (Siamese cat, cat, feline, animal), general words for less.

    Source: Norouzi et al., Zero-Shot Learning by Convex Combination of Semantic Embeddings, 2014.
    """

    name = "conse"

    def __init__(self, words: Words, lexicon: Lexicon):
        self.dim = words.dim
        self._space = class_space(words, lexicon)

    def embed(
        self,
        visual: npt.NDArray[np.float32],
        classes: npt.NDArray[np.integer],
        probabilities: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """See `Head.embed`; `visual` is not looked at."""
        return normalised(np.einsum("nm,nmd->nd", probabilities, self._space[classes]))


@cache
def node_vectors(words: Words, lexicon: Lexicon) -> npt.NDArray[np.float32]:
    """Returns where the words of each node of the lexicon point: float32[nodes, dim], zero where none is known."""
    vectors = np.zeros((len(lexicon.names), words.dim), dtype=np.float32)
    for node, names in enumerate(lexicon.names):
        directions = [direction for name in names[:1] if (direction := words.direction(name)) is not None]
        if directions:
            vectors[node] = normalised(np.mean(directions, axis=0))
    return vectors


def class_space(words: Words, lexicon: Lexicon) -> npt.NDArray[np.float32]:
    """Returns each class's point among words, float32[1000, dim]: its own words and those of what it is."""
    share = lexicon.covers.sum(axis=1) / CLASSES
    specific = np.log(share) / np.log(1 / CLASSES)
    weights = lexicon.covers.T * specific**2
    return normalised(np.asarray(weights @ node_vectors(words, lexicon), dtype=np.float32))


def open_head(name: str, words: Words) -> Head:
    """Opens a head by its name.

    Raises:
        HeadError: there is no such head.
    """
    if name != "conse":
        raise HeadError(f"There is no head {name!r}; use conse.")
    return Conse(words, open_lexicon())
