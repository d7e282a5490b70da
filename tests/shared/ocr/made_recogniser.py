"""Make a recognition model that reads the same text in every line."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

GREEK = "αβγδεζηθικλμνξοπρσςτυφχψω"


def make_recogniser(path: Path, text: str, confidence: float, letters: str = GREEK) -> Path:
    """Write a model with the form of PP-OCR's recognition models.

    Args:
        path: the file.
        text: what it reads. All characters are in `letters`.
        confidence: of each character, 0 to 1.
        letters: the characters that the model knows.
    """
    scores = np.zeros((2 * len(text), len(letters) + 2), np.float32)  # behind each character comes a blank
    scores[1::2, 0] = 1
    for place, character in enumerate(text):
        scores[2 * place, letters.index(character) + 1] = confidence
    constants = {
        "scores": scores[None],
        "first": np.asarray([0]),
        "second": np.asarray([1]),
        "rest": np.asarray(scores.shape),
    }
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "first", "second"], ["lines"]),
        helper.make_node("Concat", ["lines", "rest"], ["wanted"], axis=0),
        helper.make_node("Expand", ["scores", "wanted"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 48, "width"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *scores.shape])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"character": "\n".join(letters)})
    onnx.save(model, path)
    return path
