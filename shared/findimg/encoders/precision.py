"""The numbers that models compute with: bfloat16 where this machine is faster with them, else float32.

The precision is no part of a fingerprint: VGG16's embeddings in both have a cosine of 0.9999. So a library may be
indexed by some workers that have the instructions and some that don't, and be asked by a machine of either kind.
"""

import time
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_GAIN = 0.8  # of float32's time is the most that bfloat16 may need to be chosen
_ROUNDS = 4


@cache
def bfloat16_pays() -> bool:
    """Measures whether convolutions are faster in bfloat16 here; takes some 0.2 seconds, once in a process.

    Without the processor's instructions for it they are many times slower, so asking for those is not enough, nor
    is it needed.
    """
    import tensorflow

    convolve = tensorflow.function(lambda pixels, kernel: tensorflow.nn.conv2d(pixels, kernel, 1, "SAME"))
    best: dict[tensorflow.DType, float] = {}
    # In turns, so that other work on the machine slows down both.
    for number in range(_ROUNDS + 1):
        for dtype in (tensorflow.float32, tensorflow.bfloat16):
            pixels, kernel = tensorflow.ones((4, 28, 28, 256), dtype), tensorflow.ones((3, 3, 256, 256), dtype)
            start = time.perf_counter()
            convolve(pixels, kernel).numpy()
            if number > 0:  # the first prepares the kernels
                best[dtype] = min(best.get(dtype, 60), time.perf_counter() - start)
    return best[tensorflow.bfloat16] < _GAIN * best[tensorflow.float32]


def in_bfloat16(model: "keras.Model", but: tuple[str, ...] = ()) -> "keras.Model":
    """Copies a model, with weights and values in bfloat16.

    Args:
        but: the names of the layers that stay in float32.
    """
    import keras

    def changed(layer: "keras.Layer") -> "keras.Layer":
        dtype = "float32" if layer.name in but else "bfloat16"
        return type(layer).from_config(layer.get_config() | {"dtype": dtype})

    copy = keras.models.clone_model(model, clone_function=changed)
    # A layer at a time: all weights of VGG16 as arrays are half a gigabyte.
    for layer, changed_layer in zip(model.layers, copy.layers, strict=True):
        changed_layer.set_weights(layer.get_weights())
    return copy
