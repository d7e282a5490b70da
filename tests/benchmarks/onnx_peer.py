"""A Keras model in ONNX Runtime, for comparison."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


def in_onnx_runtime(model: Any) -> Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]:
    """Translate a model with the layers of findimg's backbones, channels first, because ONNX Runtime is faster so.

    Returns:
        A function from uint8[n, H, W, 3] to the model's outputs.
    """
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(values: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values), f"constant{len(constants)}"))
        return str(constants[-1].name)

    def add(op: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, list(inputs), [f"value{len(nodes)}"], **attributes))
        return str(nodes[-1].output[0])

    def activated(layer: Any, value: str) -> str:
        match getattr(layer, "activation", None) and layer.activation.__name__:
            case "relu":
                return add("Relu", value)
            case "softmax":
                return add("Softmax", value, axis=-1)
        return value

    def translated(layer: Any, inputs: Sequence[str]) -> str:
        (value, *others) = inputs
        weights = layer.get_weights()
        match type(layer).__name__:
            case "Conv2D" | "DepthwiseConv2D" as kind:
                order = (3, 2, 0, 1) if kind == "Conv2D" else (2, 3, 0, 1)
                kernel = np.ascontiguousarray(weights[0].transpose(order))
                same = {"auto_pad": "SAME_UPPER", "strides": list(layer.strides)}
                groups = 1 if kind == "Conv2D" else len(kernel)
                value = add("Conv", value, constant(kernel), constant(weights[1]), group=groups, **same)
                return activated(layer, value)
            case "Dense":
                return activated(layer, add("Gemm", value, constant(weights[0]), constant(weights[1])))
            case "ReLU" if layer.max_value is not None:
                return add("Clip", value, constant(np.float32(0)), constant(np.float32(layer.max_value)))
            case "ReLU":
                return add("Relu", value)
            case "Add":
                return add("Add", value, *others)
            case "MaxPooling2D":
                return add("MaxPool", value, kernel_shape=list(layer.pool_size), strides=list(layer.strides))
            case "GlobalAveragePooling2D":
                return add("ReduceMean", value, constant(np.array([2, 3])), keepdims=0)
            case "Flatten":  # as Keras has it, channels last
                return add("Flatten", add("Transpose", value, perm=[0, 2, 3, 1]))
            case "Rescaling":
                scale, offset = (np.asarray(each, np.float32).reshape(-1, 1, 1) for each in (layer.scale, layer.offset))
                return add("Add", add("Mul", value, constant(scale)), constant(offset))
        raise ValueError(f"No backbone of ours has a layer {type(layer).__name__}, so it is not translated.")

    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", *model.input_shape[1:]])
    start = add("Transpose", add("Cast", "pixels", to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    names = {id(model.inputs[0]): start}
    # Regions are left out: ONNX Runtime is a peer for the embedding and the classes.
    needed = _layers_of(model, model.outputs[:2])
    for layer in model.layers[1:]:  # in an order in which each layer's inputs come before it
        if id(layer) not in needed:
            continue
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        names[id(layer.output)] = translated(layer, [names[id(each)] for each in given])
    outputs = [names[id(output)] for output in model.outputs[:2]]
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "peer", [pixels], told, constants)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return lambda batch: session.run(outputs, {"pixels": batch})


def _layers_of(model: Any, outputs: list[Any]) -> set[int]:
    """Return the ids of the layers that compute some outputs."""
    makers = {id(layer.output): layer for layer in model.layers[1:]}
    needed: set[int] = set()
    queue = [id(output) for output in outputs]
    for key in queue:
        layer = makers.get(key)
        if layer is not None and id(layer) not in needed:
            needed.add(id(layer))
            queue += [id(each) for each in (layer.input if isinstance(layer.input, list) else [layer.input])]
    return needed
