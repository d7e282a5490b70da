import keras
import numpy as np
import pytest

from findimg.encoders.runtimes.litert import LiteRTModel, convert_to_litert
from findimg.errors import ModelError

SHAPES = ((8, 8, 3), (4,), (2,))


def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    hidden = keras.layers.Conv2D(16, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
    visual = keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(hidden))
    return keras.Model(pixels, [visual, keras.layers.Dense(2, activation="softmax")(visual)])


def images(count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)


def test_converted_model_returns_the_outputs_of_keras_in_order() -> None:
    kerases = model()
    expected = kerases.predict(images(40), verbose=0)
    found = LiteRTModel(convert_to_litert(kerases), SHAPES, threads=3)(images(40))
    assert [output.dtype for output in found] == [np.float32, np.float32]
    for output, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(output, right, atol=1e-5)


def test_int8_outputs_are_close_and_probabilities_stay_in_float32() -> None:
    kerases = model()
    exact = LiteRTModel(convert_to_litert(kerases), SHAPES, threads=1)(images(40))
    near = LiteRTModel(convert_to_litert(kerases, images(100)), SHAPES, threads=1)(images(40))
    assert not np.array_equal(near[0], exact[0]), "both were computed in one precision"
    np.testing.assert_allclose(near[0], exact[0], atol=0.02)
    np.testing.assert_allclose(near[1].sum(axis=1), 1, atol=1e-6)


def test_other_data_is_refused() -> None:
    with pytest.raises(ModelError, match="LiteRT cannot run the model"):
        LiteRTModel(b"\0" * 1000, SHAPES, threads=1)


def test_model_with_other_shapes_is_refused() -> None:
    with pytest.raises(ModelError, match=r"\[1, 8, 8, 3\], \[1, 4\], \[1, 2\]\] instead of .*\[1, 7\]\]"):
        LiteRTModel(convert_to_litert(model()), ((8, 8, 3), (7,)), threads=1)
