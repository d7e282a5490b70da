"""What an encoder is: images or text in, vectors out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Names of the files of a portable model
ENCODER_FILE = "encoder.tflite"
MODEL_FOLDER = "model"  # of models that have several files


@dataclass(frozen=True, slots=True)
class Features:
    """What an image encoder returns for n images."""

    visual: NDArray[np.float32]  # float32[n, dim]
    probabilities: NDArray[np.float32] | None  # float32[n, 1000], classes sorted by WordNet id; None without classes
    regions: NDArray[np.float32] | None = None  # float32[n, 1000], each class's largest probability in any window


class ImageEncoder(Protocol):
    """A model that turns images into vectors, with its preprocessing.

    Attributes:
        name: the name in the registry.
        dim: length of a visual embedding.
        classes: 1000, or 0 if the model has no classifier.
        fingerprint: hex digits that identify weights and preprocessing. Embeddings with equal fingerprints are
            comparable.
    """

    name: str
    dim: int
    classes: int
    fingerprint: str

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the model's input, uint8[H, W, 3], for an upright RGB image of any size."""

    def embed(self, pixels: NDArray[np.uint8]) -> Features:
        """Return the features of preprocessed images, uint8[n, H, W, 3] with n >= 1."""

    def class_weights(self) -> NDArray[np.float32]:
        """Return the classifier's last layer, float32[dim, 1000].

        Raises:
            ModelError: the encoder has no classifier, or it was opened from its portable model.
        """

    def portable_files(self) -> Mapping[str, bytes | Path]:
        """Return files by name that run the model without TensorFlow. Empty if the encoder needs TensorFlow.

        `open_portable` in the registry opens them. `index` keeps them in the library for readers.
        """


@runtime_checkable
class TextEncoder(Protocol):
    """A model that turns texts into vectors of the space of an image encoder.

    Attributes:
        prompt: what a text is written into before it is compared with images, such as `a photo of {}`.
        multilingual: whether the model was trained with texts of many languages. Otherwise nouns are translated.
    """

    prompt: str
    multilingual: bool

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of n texts, float32[n, dim], each of length 1. n is at least 1."""


def embed_prompts(encoder: TextEncoder, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the vectors of n texts for comparing them with images, float32[n, dim], each of length 1.

    Raises:
        ModelError: the model cannot compute a text.
    """
    return encoder.embed_texts([encoder.prompt.format(text) for text in texts])
