"""VGG16 without its dense layers: 512-d visual embeddings, the last convolutions averaged; it names no classes."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from findimg.encoders.base import Features
from findimg.encoders.keras_model import KerasModel, start_tensorflow
from findimg.encoders.precision import bfloat16_pays, in_bfloat16
from findimg.encoders.resize import resize_to_square
from findimg.encoders.vgg16 import SIDE, check_weights, load_weights, with_pixels
from findimg.errors import ModelError

if TYPE_CHECKING:
    from findimg.encoders.artefacts import ModelStore


class Vgg16Gap:
    """VGG16's convolutions alone, a tenth of its weights. See `ImageEncoder`."""

    name = "vgg16-gap"
    dim = 512
    classes = 0
    preprocessing = 2

    def __init__(self, weights: Path, fingerprint: str, threads: int | None, store: "ModelStore"):
        self.fingerprint = fingerprint
        check_weights(weights, dense=False)
        start_tensorflow(threads)
        import keras

        vgg = keras.applications.VGG16(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), pooling="avg")
        load_weights(vgg, weights)
        if bfloat16_pays():
            vgg = in_bfloat16(vgg, but=(vgg.layers[-1].name,))
        self._network = KerasModel(with_pixels(keras.Model(vgg.input, [vgg.output])))

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return resize_to_square(image, SIDE)

    def embed(self, batch: np.ndarray) -> Features:
        (visual,) = self._network(batch)
        return Features(visual, None)

    def class_weights(self) -> np.ndarray:
        raise ModelError("vgg16-gap names no classes, so it has no class weights; use vgg16 or efficientnet-lite0.")
