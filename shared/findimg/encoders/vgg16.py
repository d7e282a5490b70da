"""VGG16 with its three dense layers: 4096-d visual embeddings (fc2) and the ImageNet classes, as in Keras.

Keras' tutorials squeeze an image into the square. `resize_to_square` keeps as much of it with less distortion. Measured
with vgg16-gap on 348 Caltech-101 photographs, share of the same class in the nearest 10: 0.756, squeezed 0.745, centre
crop 0.756.
"""

import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.base import Features
from findimg.encoders.registry import RegisteredEncoder, register_encoder
from findimg.encoders.runtimes.keras_model import KerasModel, start_tensorflow
from findimg.encoders.runtimes.precision import bfloat16_is_faster, to_bfloat16
from findimg.encoders.runtimes.resize import resize_to_square
from findimg.errors import ModelError
from findimg.models.artefacts import Artefact, Download, register_artefact, weights_of
from findimg.models.store import ModelStore

if TYPE_CHECKING:
    import keras

SIDE = 224  # pixels per side of the input
# Mean of ImageNet's pixels in blue, green and red. Keras' `preprocess_input` (mode "caffe") subtracts it.
MEAN = (103.939, 116.779, 123.68)
CONVOLUTIONS = ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)) + (
    (512, 512),
) * 5
DENSE = ((7 * 7 * 512, 4096), (4096, 4096), (4096, 1000))


KERAS_DOWNLOADS = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"


@register_encoder
class Vgg16(RegisteredEncoder):
    """VGG16 with its dense layers. It needs TensorFlow."""

    name = "vgg16"
    dim = 4096
    classes = 1000
    preprocessing = 2
    memory = 3_200_000_000  # the peak while TensorFlow converts its weights to bfloat16
    # The MD5 is in keras/src/applications/vgg16.py. The size is what Keras' own download prints.
    artefact = register_artefact(
        Artefact(
            "vgg16",
            weights_of(lambda path: check_weights(path)),
            Download(
                KERAS_DOWNLOADS + "vgg16_weights_tf_dim_ordering_tf_kernels.h5",
                553_467_096,
                "md5:64373286793e3c8b2b4e3219cbf3544b",
            ),
        )
    )

    def __init__(self, fingerprint: str, model: KerasModel, class_weights: NDArray[np.float32]):
        self.fingerprint = fingerprint
        self._model = model
        self._class_weights = class_weights

    @classmethod
    def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
        start_tensorflow(threads)
        check_weights(weights)
        import keras

        vgg = keras.applications.VGG16(weights=None)
        load_weights(vgg, weights)
        class_weights = vgg.get_layer("predictions").get_weights()[0]
        if bfloat16_is_faster():
            vgg = to_bfloat16(vgg, keep_float32=("predictions",))
        outputs = [vgg.get_layer("fc2").output, vgg.get_layer("predictions").output]
        return cls(fingerprint, KerasModel(with_preprocessing(keras.Model(vgg.input, outputs))), class_weights)

    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        return resize_to_square(image, SIDE)

    def embed(self, pixels: NDArray[np.uint8]) -> Features:
        visual, probabilities = self._model(pixels)
        return Features(visual, probabilities)

    def class_weights(self) -> NDArray[np.float32]:
        return self._class_weights


def with_preprocessing(vgg: "keras.Model") -> "keras.Model":
    """Return a model that takes uint8[n, SIDE, SIDE, 3] in RGB and applies Keras' VGG preprocessing first."""
    import keras

    pixels = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    blue_first = keras.ops.flip(keras.ops.cast(pixels, "float32"), axis=-1)
    return keras.Model(pixels, vgg(keras.layers.Rescaling(1.0, offset=[-mean for mean in MEAN])(blue_first)))


def check_weights(path: Path, dense: bool = True) -> None:
    """Check that a file is HDF5 and holds arrays of VGG16's shapes, without building the model.

    Args:
        path: a weights file of Keras, in the old (.h5) or the new (.weights.h5) layout.
        dense: whether the three dense layers must be there. If not, none of them may be there.

    Raises:
        ModelError: the file is not HDF5, holds other arrays, or h5py is not installed.
    """
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModelError(
            "h5py, which reads VGG16's weights, is not installed. Run pip install 'findimg[vgg]'."
        ) from error

    found: Counter[tuple[int, ...]] = Counter()

    def count(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[item.shape] += 1

    try:
        with h5py.File(path) as file:
            file.visititems(count)
    except OSError as error:
        raise ModelError(f"{path} is not a readable HDF5 file of Keras weights: {error}.") from error
    kernels = [(3, 3, *channels) for channels in CONVOLUTIONS] + (list(DENSE) if dense else [])
    expected: Counter[tuple[int, ...]] = Counter(shape for kernel in kernels for shape in (kernel, kernel[-1:]))
    wrong = (expected - found) or (found - expected)
    if wrong:
        shape = max(wrong, key=math.prod)
        raise ModelError(
            f"{path} does not hold the weights of {'vgg16' if dense else 'vgg16-gap'} alone: arrays of shape "
            f"{list(shape)} should be there {expected[shape]} times. Received: {found[shape]}."
        )


def load_weights(model: "keras.Model", path: Path) -> None:
    """Load a checked weights file of Keras into a model. Its file name does not matter.

    Raises:
        ModelError: the file's arrays do not fit the model.
    """
    import h5py

    with h5py.File(path) as file:
        suffix = ".weights.h5" if "layers" in file else ".h5"
    # Keras selects the layout by the file name.
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, f"vgg16{suffix}")
        link.symlink_to(path.resolve())
        try:
            model.load_weights(link)
        except (KeyError, OSError, ValueError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ModelError(f"The weights {path} do not fit {model.name} of Keras: {reason}.") from error
