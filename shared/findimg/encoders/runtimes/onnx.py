"""Runs ONNX models in ONNX Runtime, on the CPU.

A model is a file from outside. ONNX Runtime refuses operators that it does not know, and external data outside the
model's folder.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import ModelError

_ELEMENTS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OnnxModel:
    """A model that turns named arrays for one item into one vector. Several threads may call it at the same time.

    Attributes:
        inputs: names of the inputs.
        dim: length of the vector.
    """

    def __init__(self, path: Path, shapes: Mapping[str, tuple[int, ...]], optional: Sequence[str], threads: int | None):
        """Open a model and compute one item of zeros.

        Args:
            path: the model's file. Its external data lie in the same folder.
            shapes: the inputs that the model may have, each with the shape of one item.
            optional: those of the inputs that the model need not have.
            threads: items computed at the same time, each on one core. None is one per core.

        Raises:
            ModelError: ONNX Runtime is not installed, or the model is damaged, unsafe, or has another form.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError("onnxruntime is not installed. Run pip install 'findimg[clip]'.") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors become exceptions
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            given = {each.name: each for each in self._session.get_inputs()}
            self._elements = {name: _ELEMENTS.get(each.type) for name, each in given.items()}
        except Exception as error:  # ONNX Runtime raises classes of its own, without a common base
            raise ModelError(f"{path} cannot be opened: {_first_sentence(error)}") from error
        self.inputs = tuple(given)
        if not given.keys() <= shapes.keys() or shapes.keys() - given.keys() > set(optional):
            raise ModelError(f"{path} has the inputs {', '.join(given)}, not {', '.join(shapes)}.")
        if None in self._elements.values():
            raise ModelError(f"{path} takes {', '.join(each.type for each in given.values())}, which is not supported.")
        self._shapes = {name: shapes[name] for name in given}
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
        try:
            vector = self._run({name: np.zeros(shapes[name], np.float32) for name in given})
        except Exception as error:
            raise ModelError(f"{path} cannot compute its input: {_first_sentence(error)}") from error
        if vector.ndim != 1 or not np.issubdtype(vector.dtype, np.floating):
            raise ModelError(f"{path} returns {vector.dtype}{list(vector.shape)} for one item, not one vector.")
        self.dim = len(vector)

    def __call__(self, items: Sequence[Mapping[str, NDArray[np.generic]]]) -> NDArray[np.float32]:
        """Run the model on items, each with an array for every one of `inputs`.

        Returns:
            float32[items, dim], each of length 1.

        Raises:
            ModelError: a vector is not finite.
        """
        vectors = np.stack(list(self._pool.map(self._run, items))).astype(np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all():
            raise ModelError("The model returned numbers that are not finite. Use a model of higher precision.")
        return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)

    def _run(self, item: Mapping[str, NDArray[np.generic]]) -> NDArray[np.generic]:
        feed = {name: np.asarray(item[name][None], self._elements[name]) for name in self.inputs}
        output: NDArray[np.generic] = np.asarray(self._session.run(None, feed)[0])[0]
        return output


def _first_sentence(error: Exception) -> str:
    """Return what ONNX Runtime says, without its prefixes, in one line."""
    text = " ".join(str(error).split())
    return text.split(" : ", 3)[-1][:200].rstrip(".") + "."
