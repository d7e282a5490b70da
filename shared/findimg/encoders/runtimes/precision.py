"""Runs Keras models in bfloat16 where that is faster on this machine, else in float32.

The precision is not part of the fingerprint, because VGG16's embeddings in both have a cosine similarity of 0.9999.
Machines with and without bfloat16 instructions can therefore index and search the same library.
"""

import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_GAIN = 0.8  # bfloat16 is chosen if it needs at most this share of float32's time
_ROUNDS = 4


@cache
def bfloat16_is_faster() -> bool:
    """Return whether convolutions are faster in bfloat16 on this machine.

    The first call measures it in about 0.2 seconds. A processor without bfloat16 instructions is many times slower, and
    one with them is not always faster, so their presence alone does not decide.
    """
    import tensorflow

    convolve = tensorflow.function(lambda pixels, kernel: tensorflow.nn.conv2d(pixels, kernel, 1, "SAME"))
    best: dict[tensorflow.DType, float] = {}
    # Measured alternately, so that other work on the machine slows down both.
    for number in range(_ROUNDS + 1):
        for dtype in (tensorflow.float32, tensorflow.bfloat16):
            pixels, kernel = tensorflow.ones((4, 28, 28, 256), dtype), tensorflow.ones((3, 3, 256, 256), dtype)
            start = time.perf_counter()
            convolve(pixels, kernel).numpy()
            if number > 0:  # the first round prepares the kernels
                best[dtype] = min(best.get(dtype, 60), time.perf_counter() - start)
    return best[tensorflow.bfloat16] < _GAIN * best[tensorflow.float32]


def to_bfloat16(model: "keras.Model", keep_float32: tuple[str, ...] = ()) -> "keras.Model":
    """Return a copy of a model with weights and activations in bfloat16.

    Args:
        model: in float32.
        keep_float32: names of the layers that stay in float32.
    """
    import keras

    def changed(layer: "keras.Layer") -> "keras.Layer":
        dtype = "float32" if layer.name in keep_float32 else "bfloat16"
        return type(layer).from_config(layer.get_config() | {"dtype": dtype})

    copy = keras.models.clone_model(model, clone_function=changed)
    # One layer at a time, because all weights of VGG16 take half a gigabyte.
    for layer, changed_layer in zip(model.layers, copy.layers, strict=True):
        changed_layer.set_weights(layer.get_weights())
    return copy
