"""Measure image–text models of the size of CLIP's ViT-B/32, with random weights, in float32 and in int8.

Published weights could not be downloaded. Speed does not depend on their values.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from findimg.encoders.runtimes.onnx import OnnxModel
from tests.benchmarks.figures import Figure, in_turns, load

IMAGES = 32
_PATCH, _HEAD, _DIM = 32, 64, 512


def measure(folder: Path, short: bool) -> list[Figure]:
    """Measure the image tower through findimg beside bare sessions, which compute one batch on all cores."""
    side, width, layers = (64, 64, 1) if short else (224, 768, 12)
    paths = {"float32": folder / "vit-float32.onnx", "int8": folder / "vit-int8.onnx"}
    onnx.save(vision_transformer(side, width, layers), paths["float32"])
    quantize_dynamic(paths["float32"], paths["int8"], weight_type=QuantType.QInt8)
    images = np.random.default_rng(1).random((IMAGES, 3, side, side), np.float32)
    figures = []
    for precision, path in paths.items():
        model = OnnxModel(path, {"image": (3, side, side)}, (), None)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        runs: dict[str, Callable[[], object]] = {"findimg": partial(model, [{"image": image} for image in images])}
        runs |= {f"bare session, batches of {size}": partial(_in_batches, session, images, size) for size in (1, 8, 32)}
        spent = in_turns(runs, 1 if short else 3)
        ours = spent.pop("findimg")
        for name, other in spent.items():
            ratio, cpu_ratio = other.wall / ours.wall, other.cpu / ours.cpu
            speed = IMAGES / ours.wall
            figures.append(Figure(f"ViT-B/32 in {precision}", speed, "images/s", name, ratio, cpu_ratio, load()))
    return figures


def _in_batches(session: onnxruntime.InferenceSession, images: NDArray[np.float32], size: int) -> None:
    for start in range(0, len(images), size):
        session.run(None, {"image": images[start : start + size]})


def vision_transformer(side: int, width: int, layers: int) -> onnx.ModelProto:
    """Return an image tower with random weights that takes batches of any size."""
    random = np.random.default_rng(0)
    nodes: list[onnx.NodeProto] = []
    tensors: list[onnx.TensorProto] = []
    tokens, heads = (side // _PATCH) ** 2 + 1, width // _HEAD

    def constant(values: Any, dtype: type = np.float32) -> str:
        tensors.append(numpy_helper.from_array(np.asarray(values, dtype), f"constant{len(tensors)}"))
        return str(tensors[-1].name)

    def weights(*shape: int) -> str:
        return constant(random.standard_normal(shape, np.float32) / 50)

    def add(operator: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, list(inputs), [f"value{len(nodes)}"], **attributes))
        return str(nodes[-1].output[0])

    def normed(x: str) -> str:
        return add("LayerNormalization", x, constant(np.ones(width)), constant(np.zeros(width)))

    def linear(x: str, before: int, after: int) -> str:
        return add("Add", add("MatMul", x, weights(before, after)), constant(np.zeros(after)))

    def split(x: str) -> str:
        parts = add("Reshape", linear(x, width, width), constant([0, tokens, heads, _HEAD], np.int64))
        return add("Transpose", parts, perm=[0, 2, 1, 3])

    patches = add("Conv", "image", weights(width, 3, _PATCH, _PATCH), strides=[_PATCH, _PATCH])
    patches = add("Reshape", patches, constant([0, width, tokens - 1], np.int64))
    count = add("Slice", add("Shape", "image"), constant([0], np.int64), constant([1], np.int64))
    first = add("Expand", weights(1, 1, width), add("Concat", count, constant([1, width], np.int64), axis=0))
    x = add("Concat", first, add("Transpose", patches, perm=[0, 2, 1]), axis=1)
    x = normed(add("Add", x, weights(1, tokens, width)))
    for _ in range(layers):
        y = normed(x)
        query, key, value = split(y), split(y), split(y)
        logits = add("Mul", add("MatMul", query, add("Transpose", key, perm=[0, 1, 3, 2])), constant(_HEAD**-0.5))
        mixed = add("Transpose", add("MatMul", add("Softmax", logits, axis=-1), value), perm=[0, 2, 1, 3])
        x = add("Add", x, linear(add("Reshape", mixed, constant([0, tokens, width], np.int64)), width, width))
        y = linear(normed(x), width, 4 * width)
        y = add("Mul", y, add("Sigmoid", add("Mul", y, constant(1.702))))
        x = add("Add", x, linear(y, 4 * width, width))
    x = add("MatMul", add("Gather", normed(x), constant(0, np.int64), axis=1), weights(width, _DIM))
    nodes.append(helper.make_node("LpNormalization", [x], ["embedding"], axis=-1))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, side, side])
    vector = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", _DIM])
    graph = helper.make_graph(nodes, "tower", [image], [vector], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
