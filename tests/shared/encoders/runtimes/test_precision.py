import keras
import numpy as np

from findimg.encoders.runtimes.keras_model import KerasModel
from findimg.encoders.runtimes.precision import bfloat16_is_faster, to_bfloat16


def test_excluded_layers_stay_in_float32() -> None:
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(16, 3, activation="relu", name="hidden")(inputs)
    outputs = keras.layers.Dense(4, name="last")(keras.layers.Flatten(name="flat")(hidden))
    model = keras.Model(inputs, outputs)

    small = to_bfloat16(model, keep_float32=("last",))

    assert {layer.name: layer.compute_dtype for layer in small.layers[1:]} == {
        "hidden": "bfloat16",
        "flat": "bfloat16",
        "last": "float32",
    }
    pixels = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(KerasModel(small)(pixels)[0], KerasModel(model)(pixels)[0], atol=0.02)


def test_bfloat16_is_measured_once() -> None:
    assert bfloat16_is_faster() is bfloat16_is_faster()
    assert bfloat16_is_faster.cache_info().misses == 1
