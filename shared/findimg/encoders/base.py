"""What every backbone is and gives."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True)
class Features:
    """What a backbone sees in n images."""

    visual: np.ndarray  # float32[n, dim]
    probabilities: np.ndarray | None  # float32[n, 1000], classes sorted by WordNet id; None without classes


class ImageEncoder(Protocol):
    """A CNN with its preprocessing.

    Attributes:
        name: the name in the registry.
        dim: length of a visual embedding.
        classes: 1000, or 0 for a backbone that names no classes.
        fingerprint: hex digits that stand for weights and preprocessing; equal ones give comparable embeddings.
    """

    name: str
    dim: int
    classes: int
    fingerprint: str

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Turns an upright RGB image of any size into the model's input, uint8[H, W, 3]."""

    def embed(self, batch: np.ndarray) -> Features:
        """Embeds preprocessed images, uint8[n, H, W, 3] with n >= 1."""

    def class_weights(self) -> np.ndarray:
        """Returns the classifier's last layer, float32[dim, 1000].

        Raises:
            ModelError: the backbone names no classes.
        """
