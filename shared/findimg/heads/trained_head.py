"""The trained head: a team's own labels, learnt from visual embeddings. Other words stay with `conse`.

A trained head is a few matrices and does not need TensorFlow. `findimg_jobs.training.train` makes it.
"""

import hashlib
from functools import cached_property

import numpy as np
import numpy.typing as npt

from findimg.heads.conse import Conse
from findimg.heads.weights import Floats, Weights, pack
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors
from findimg.vectors import normalised

TEMPERATURE = 0.05  # of the softmax over the labels' cosines


class TrainedHead:
    """A head that learnt labels from images.

    Two layers map the visual embedding to a vector in the space of the word vectors, and the nearest label is the
    image's label. `embed` takes the vector of `conse` and turns it towards that label, so that the image ranks before
    the images of other labels. It turns no further than needed, because each step moves the image away from other
    correct words. For an encoder without classes there is no `conse`, and the layers' vector is the embedding.

    Source of the layers: Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, 2013, here with cosine loss.
    """

    def __init__(self, weights: Weights, words: WordVectors):
        """Use trained weights with the word vectors that they were trained with."""
        self.name = weights.name
        self.dim = words.dim
        self.labels = weights.labels
        self.weights = weights
        self._conse = Conse(words, open_lexicon())

    def embed(self, visual: Floats, classes: npt.NDArray[np.integer], probabilities: Floats) -> Floats:
        """See `Head.embed`."""
        centred, points = self._project(visual)
        if not classes.shape[1]:
            return points
        nearest = np.argmax(points @ self.weights.directions.T, axis=1)
        midpoint, width = self.weights.membership
        membership = _logistic((self._cosine_to_centroid(centred, nearest) - midpoint) / width)
        conse = self._conse.embed(visual, classes, probabilities)
        return turn_towards(conse, self.weights.directions[nearest], membership * self.weights.target_cosines[nearest])

    def relevance(self, visual: Floats) -> Floats:
        """Return the probability that images show each label.

        It is calibrated for a collection in which half of the images show one of the labels.

        Args:
            visual: float32[n, visual dim].

        Returns:
            float32[n, labels], 0 to 1. The sum of a row is at most 1.
        """
        centred, points = self._project(visual)
        cosines = points @ self.weights.directions.T
        likelihood = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / TEMPERATURE)
        slope, offset = self.weights.calibration
        nearest = np.argmax(cosines, axis=1)
        any_label = _logistic(slope * self._cosine_to_centroid(centred, nearest) + offset)
        return np.asarray(likelihood / likelihood.sum(axis=1, keepdims=True) * any_label[:, None], dtype=np.float32)

    def centroid_cosine(self, visual: Floats) -> Floats:
        """Return the cosine of each image, float32[n, visual dim], to the centroid of its nearest label, float32[n]."""
        centred, points = self._project(visual)
        return self._cosine_to_centroid(centred, np.argmax(points @ self.weights.directions.T, axis=1))

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the weights, in hex. A new training under the same name changes it."""
        return hashlib.sha256(pack(self.weights)).hexdigest()

    def _project(self, visual: Floats) -> tuple[Floats, Floats]:
        """Return the centred visual embeddings and the output of the two layers, both of length 1."""
        centred = centre(visual, self.weights.mean)
        units = np.maximum(layer_input(centred) @ self.weights.hidden + self.weights.hidden_bias, 0)
        return centred, normalised(units @ self.weights.out + self.weights.out_bias)

    def _cosine_to_centroid(self, centred: Floats, labels: npt.NDArray[np.integer]) -> Floats:
        return np.asarray(np.einsum("nd,nd->n", centred, self.weights.centroids[labels]), dtype=np.float32)


def centre(visual: Floats, mean: Floats) -> Floats:
    """Return visual embeddings, float32[n, dim], normalised, with `mean` subtracted, and normalised again."""
    return normalised(normalised(visual) - mean)


def layer_input(centred: Floats) -> Floats:
    """Return the input of the first layer, float32[n, dim]: features of about 1, as its initial weights expect."""
    return np.asarray(centred * np.sqrt(centred.shape[1]), dtype=np.float32)


def turn_towards(points: Floats, targets: Floats, min_cosines: Floats) -> Floats:
    """Turn each point towards its target until their cosine reaches a minimum. Nearer points stay.

    Args:
        points: float32[n, dim], of length 1 or zero.
        targets: float32[n, dim], of length 1.
        min_cosines: float32[n], at most 1.

    Returns:
        float32[n, dim], of length 1.
    """
    cosine = np.einsum("nd,nd->n", points, targets)
    orthogonal = normalised(points - cosine[:, None] * targets)
    turned = np.clip(np.maximum(cosine, min_cosines), -1, 1)[:, None]
    return normalised(np.asarray(turned * targets + np.sqrt(1 - turned**2) * orthogonal, dtype=np.float32))


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), dtype=np.float32)
