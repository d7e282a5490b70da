from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import shared.backbones.efficientnet_lite0 as efficientnet_lite0
from shared.backbones import Backbone, open_backbone
from shared.backbones.network import Network
from shared.backbones.precision import bfloat16_pays, in_bfloat16
from shared.models import ModelStore

Photographs = list[Image.Image]


def cosines(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
    return (some * others).sum(axis=1) / lengths


@pytest.fixture(scope="module")
def opened(cache: Path) -> Callable[[bool], Backbone]:
    """Opens efficientnet-lite0 in bfloat16 or in float32, whatever this machine does best."""

    def opened(small: bool) -> Backbone:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(efficientnet_lite0, "bfloat16_pays", lambda: small)
            return open_backbone("efficientnet-lite0", ModelStore(cache / "models"))

    return opened


def test_bfloat16_hardly_turns_the_embeddings_of_photographs(opened: Callable[[bool], Backbone], samples: Path) -> None:
    wide, small = opened(False), opened(True)
    paths = [path for path in sorted(samples.iterdir()) if path.suffix in (".jpg", ".png")]
    batch = np.stack([wide.preprocess(Image.open(path).convert("RGB")) for path in paths])
    exact, near = wide.embed(batch), small.embed(batch)

    assert len(batch) >= 25
    assert near.visual.dtype == np.float32
    assert near.probabilities is not None
    assert exact.probabilities is not None
    assert cosines(near.visual, exact.visual).min() >= 0.999
    assert not np.array_equal(near.visual, exact.visual), "both were computed in one precision"
    np.testing.assert_allclose(near.probabilities.sum(axis=1), 1, atol=1e-3)
    likeliest = exact.probabilities.argmax(axis=1)
    assert (near.probabilities.argmax(axis=1) == likeliest).mean() >= 0.9
    # A machine of either kind reads the other's library.
    assert small.fingerprint == wide.fingerprint


def test_what_is_to_stay_in_float32_does() -> None:
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(16, 3, activation="relu", name="hidden")(inputs)
    outputs = keras.layers.Dense(4, name="last")(keras.layers.Flatten(name="flat")(hidden))
    model = keras.Model(inputs, outputs)

    small = in_bfloat16(model, but=("last",))

    assert {layer.name: layer.compute_dtype for layer in small.layers[1:]} == {
        "hidden": "bfloat16",
        "flat": "bfloat16",
        "last": "float32",
    }
    pixels = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(Network(small)(pixels)[0], Network(model)(pixels)[0], atol=0.02)


def test_the_choice_is_measured_once_and_then_kept() -> None:
    assert bfloat16_pays() is bfloat16_pays()
    assert bfloat16_pays.cache_info().misses == 1
