"""EfficientNet-Lite0 in int8: over twice as fast as in float32, and its embeddings are turned a little.

Calibrated on 100 of 200 Caltech-101 photographs, the embeddings of the others have a cosine to float32's of 0.993 in
the mean and 0.978 at the least, and 0.91 of them the same likeliest class. That is too far for the two to be one
backbone: a library is made with one of them, and the int8 model itself is the weights file that goes with it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from findimg.encoders.efficientnet_lite0 import SHAPES, EfficientNetLite0, build, read_tensors
from findimg.encoders.litert import LiteRTModel, to_lite
from findimg.errors import ModelError

if TYPE_CHECKING:
    from findimg.encoders.artefacts import ModelStore


class EfficientNetLite0Int8(EfficientNetLite0):
    """The embedded default in int8. See `ImageEncoder`."""

    name = "efficientnet-lite0-int8"

    def __init__(self, weights: Path, fingerprint: str, threads: int | None, store: "ModelStore"):
        self.fingerprint = fingerprint
        self._class_weights = read_tensors(store.path(EfficientNetLite0.name))["_fc.weight"].T
        try:
            self._network = LiteRTModel(weights.read_bytes(), SHAPES, threads)
        except (OSError, ModelError) as error:
            raise ModelError(f"{weights} is not what findimg-jobs quantize makes: {error}") from error


def quantize(examples: np.ndarray, store: "ModelStore") -> bytes:
    """Makes the backbone's weights file.

    Args:
        examples: uint8[n, 224, 224, 3], preprocessed photographs like those that it will embed; 100 are enough.
        store: where the weights in float32 are.

    Raises:
        ModelError: those are missing.
    """
    return to_lite(build(read_tensors(store.path(EfficientNetLite0.name))), examples)
