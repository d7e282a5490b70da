from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import skimage.data
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from PIL import Image
from sklearn.datasets import load_sample_image

from findimg.encoders import vgg16
from findimg.encoders.base import ImageEncoder
from findimg.encoders.registry import build_encoder
from findimg.encoders.vgg16 import check_weights
from findimg.errors import ModelError
from findimg.models.store import ModelStore


@pytest.fixture(scope="module")
def reference() -> keras.Model:
    """Return Keras' VGG16 with random weights that give different probabilities for different images."""
    model = keras.applications.VGG16(weights=None)
    random = np.random.default_rng(20261123)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            fan_in = kernel[..., 0].size
            kernel = random.standard_normal(kernel.shape, np.float32) * np.float32(np.sqrt(2 / fan_in))
            layer.set_weights([kernel, random.standard_normal(bias.shape, np.float32)])
    return model


@pytest.fixture(scope="module")
def weights(reference: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the reference's weights in the layout of the file that Keras publishes."""
    path = tmp_path_factory.mktemp("weights") / "vgg16.h5"
    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, reference)
    return path


@pytest.fixture(scope="module")
def encoder(weights: Path) -> ImageEncoder:
    return opened(weights, small=False)


def opened(weights: Path, small: bool) -> ImageEncoder:
    """Open the encoder in bfloat16 if `small`, else in float32, whatever this machine prefers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16, "bfloat16_is_faster", lambda: small)
        return build_encoder("vgg16", ModelStore(weights.parent), str(weights))


@pytest.mark.slow
def test_embeddings_and_probabilities_equal_those_of_keras(encoder: ImageEncoder, reference: keras.Model) -> None:
    images = [skimage.data.chelsea(), skimage.data.coffee(), load_sample_image("china.jpg")]
    batch = np.stack([encoder.preprocess(Image.fromarray(image)) for image in images])
    cut = keras.Model(reference.input, [reference.get_layer("fc2").output, reference.output])
    visual, probabilities = cut.predict(keras.applications.vgg16.preprocess_input(batch.astype(np.float32)), verbose=0)
    features = encoder.embed(batch)
    assert features.visual.shape == (3, encoder.dim)
    assert features.probabilities is not None
    assert features.probabilities.shape == (3, encoder.classes)
    assert features.visual.min() == 0, "fc2 is taken behind its ReLU"
    np.testing.assert_allclose(features.visual, visual, rtol=1e-4, atol=1e-4 * visual.max())
    np.testing.assert_allclose(features.probabilities, probabilities, rtol=1e-2, atol=1e-5)


@pytest.mark.long
@pytest.mark.slow
def test_bfloat16_embeddings_are_close_to_float32(encoder: ImageEncoder, weights: Path) -> None:
    images = [skimage.data.chelsea(), skimage.data.coffee(), load_sample_image("china.jpg")]
    batch = np.stack([encoder.preprocess(Image.fromarray(image)) for image in images])
    exact, near = encoder.embed(batch), opened(weights, small=True).embed(batch)
    lengths = np.linalg.norm(exact.visual, axis=1) * np.linalg.norm(near.visual, axis=1)
    assert near.visual.dtype == np.float32
    assert not np.array_equal(near.visual, exact.visual), "both were computed in one precision"
    assert ((exact.visual * near.visual).sum(axis=1) / lengths).min() >= 0.999
    assert near.probabilities is not None
    np.testing.assert_allclose(near.probabilities.sum(axis=1), 1, atol=1e-3)


@pytest.mark.slow
def test_class_weights_equal_the_last_layer_of_keras(encoder: ImageEncoder, reference: keras.Model) -> None:
    np.testing.assert_array_equal(encoder.class_weights(), reference.get_layer("predictions").get_weights()[0])


def test_file_that_is_not_hdf5_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.h5"
    path.write_text("<html>404</html>")
    with pytest.raises(ModelError, match=r"page\.h5 is not a readable HDF5 file"):
        build_encoder("vgg16", ModelStore(tmp_path), str(path))


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kernel", data=np.zeros(10_000))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match=r"short\.h5 is not a readable HDF5 file"):
        check_weights(path)


def test_weights_of_another_shape_are_refused_with_the_shape(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("kernel", shape=(3, 3, 3, 64))
    with pytest.raises(
        ModelError, match=r"does not hold the weights of vgg16 alone: .*\[25088, 4096\].* 1 times\. Received: 0"
    ):
        build_encoder("vgg16", ModelStore(tmp_path), str(path))


@pytest.mark.slow
def test_vgg16_gap_refuses_weights_with_dense_layers(weights: Path) -> None:
    with pytest.raises(ModelError, match=r"weights of vgg16-gap alone: .*\[25088, 4096\].* 0 times\. Received: 1"):
        build_encoder("vgg16-gap", ModelStore(weights.parent), str(weights))
