"""VGG16 with its three dense layers: 4096-d visual embeddings (fc2) and the ImageNet classes, as in Keras.

Keras' tutorials squeeze an image into the square; `resize_to_square` sees as much with less distortion. Measured with
vgg16-gap on 348 Caltech-101 photographs, share of the same class in the nearest 10: 0.756, squeezed 0.745, centre crop
0.756.
"""

import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from findimg.encoders.base import Features
from findimg.encoders.keras_model import KerasModel, start_tensorflow
from findimg.encoders.precision import bfloat16_pays, in_bfloat16
from findimg.encoders.resize import resize_to_square
from findimg.errors import ModelError

if TYPE_CHECKING:
    import keras

    from findimg.encoders.artefacts import ModelStore

SIDE = 224
# Blue, green, red: the mean of ImageNet's pixels, which Keras' `preprocess_input` (mode "caffe") subtracts.
MEAN = (103.939, 116.779, 123.68)
CONVOLUTIONS = ((3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256), (256, 512)) + (
    (512, 512),
) * 5
DENSE = ((7 * 7 * 512, 4096), (4096, 4096), (4096, 1000))


class Vgg16:
    """Production's backbone. See `ImageEncoder`."""

    name = "vgg16"
    dim = 4096
    classes = 1000
    preprocessing = 2

    def __init__(self, weights: Path, fingerprint: str, threads: int | None, store: "ModelStore"):
        self.fingerprint = fingerprint
        check_weights(weights)
        start_tensorflow(threads)
        import keras

        vgg = keras.applications.VGG16(weights=None)
        load_weights(vgg, weights)
        self._class_weights = vgg.get_layer("predictions").get_weights()[0]
        if bfloat16_pays():
            vgg = in_bfloat16(vgg, but=("predictions",))
        outputs = [vgg.get_layer("fc2").output, vgg.get_layer("predictions").output]
        self._network = KerasModel(with_pixels(keras.Model(vgg.input, outputs)))

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return resize_to_square(image, SIDE)

    def embed(self, batch: np.ndarray) -> Features:
        visual, probabilities = self._network(batch)
        return Features(visual, probabilities)

    def class_weights(self) -> np.ndarray:
        return self._class_weights


def with_pixels(vgg: "keras.Model") -> "keras.Model":
    """Puts Keras' VGG preprocessing before a model, so that it takes uint8[n, SIDE, SIDE, 3] in RGB."""
    import keras

    pixels = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    blue_first = keras.ops.flip(keras.ops.cast(pixels, "float32"), axis=-1)
    return keras.Model(pixels, vgg(keras.layers.Rescaling(1.0, offset=[-mean for mean in MEAN])(blue_first)))


def check_weights(path: Path, dense: bool = True) -> None:
    """Checks that a file is HDF5 and holds arrays of VGG16's shapes, without building the model.

    Args:
        path: a weights file of Keras, in the old (.h5) or the new (.weights.h5) layout.
        dense: with the three dense layers, or without any.

    Raises:
        ModelError: it is no such file.
    """
    import h5py

    found: Counter[tuple[int, ...]] = Counter()

    def count(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[item.shape] += 1

    try:
        with h5py.File(path) as file:
            file.visititems(count)
    except OSError as error:
        raise ModelError(f"{path} is no readable HDF5 file of Keras weights: {error}.") from error
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
    """Loads a checked weights file of Keras, whatever it is called.

    Raises:
        ModelError: its arrays do not fit the model.
    """
    import h5py

    with h5py.File(path) as file:
        suffix = ".weights.h5" if "layers" in file else ".h5"
    # Keras chooses the layout by the file's name.
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder, f"vgg16{suffix}")
        link.symlink_to(path.resolve())
        try:
            model.load_weights(link)
        except (KeyError, OSError, ValueError) as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ModelError(f"The weights {path} do not fit {model.name} of Keras: {reason}.") from error
