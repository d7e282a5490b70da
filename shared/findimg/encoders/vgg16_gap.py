"""VGG16 without its dense layers: 512-d visual embeddings, the average of the last convolution. It has no classes."""

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.base import Features
from findimg.encoders.registry import RegisteredEncoder, register_encoder
from findimg.encoders.runtimes.keras_model import KerasModel, start_tensorflow
from findimg.encoders.runtimes.precision import bfloat16_is_faster, to_bfloat16
from findimg.encoders.runtimes.resize import resize_to_square
from findimg.encoders.vgg16 import KERAS_DOWNLOADS, SIDE, check_weights, load_weights, with_preprocessing
from findimg.models.artefacts import Artefact, Download, register_artefact, weights_of
from findimg.models.store import ModelStore


@register_encoder
class Vgg16Gap(RegisteredEncoder):
    """VGG16's convolutions only, a tenth of its weights. It needs TensorFlow."""

    name = "vgg16-gap"
    dim = 512
    classes = 0
    preprocessing = 2
    # The MD5 is in keras/src/applications/vgg16.py. The size is what Keras' own download prints.
    artefact = register_artefact(
        Artefact(
            "vgg16-gap",
            weights_of(lambda path: check_weights(path, dense=False)),
            Download(
                KERAS_DOWNLOADS + "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                58_889_256,
                "md5:6d6bbae143d832006294945121d1f1fc",
            ),
        )
    )

    def __init__(self, fingerprint: str, model: KerasModel):
        self.fingerprint = fingerprint
        self._model = model

    @classmethod
    def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
        start_tensorflow(threads)
        check_weights(weights, dense=False)
        import keras

        vgg = keras.applications.VGG16(weights=None, include_top=False, input_shape=(SIDE, SIDE, 3), pooling="avg")
        load_weights(vgg, weights)
        if bfloat16_is_faster():
            vgg = to_bfloat16(vgg, keep_float32=(vgg.layers[-1].name,))
        return cls(fingerprint, KerasModel(with_preprocessing(keras.Model(vgg.input, [vgg.output]))))

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        return resize_to_square(image, SIDE)

    def embed(self, pixels: NDArray[np.uint8]) -> Features:
        (visual,) = self._model(pixels)
        return Features(visual, None)
