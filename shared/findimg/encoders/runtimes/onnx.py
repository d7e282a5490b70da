"""Runs ONNX models in ONNX Runtime, on the CPU.

A model is a file from outside. ONNX Runtime refuses operators that it does not know, and external data outside the
model's folder.

Each core computes its own batch. `python -m tests.benchmarks --only clip` measures a model of ViT-B/32's size with
random weights. On two cores with much other work, batches of 4 or 8 computed 1.2 to 1.5 times as many images/s as
batches of 1. A bare session that computes one batch of 32 on both cores was the reference, in 2 alternating rounds.
This module did 1.26 times as many images/s in float32 (5.6, 351 MB) and 1.21 times in dynamically quantised int8 (13.6,
88 MB). By CPU time the ratios are 1.54 and 1.31.

A model that quantises its input dynamically gives an image another vector in another batch, so it runs in batches of 1.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from findimg.errors import ModelError
from findimg.vectors import normalised

_log = logging.getLogger(__name__)
_ELEMENTS = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


_BATCH = 8  # items at most that are computed together
_BATCH_BYTES = 1 << 23  # of their inputs at most, because a model needs many times as much
_SAME = 0.004  # largest relative difference of a vector in a batch from the same item's alone: a cosine of 0.99999


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
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1)
        self._threads = threads or os.cpu_count() or 1
        # Zeros and ones are valid pixels, token ids and masks.
        zeros, ones = ({name: np.full(shapes[name], value, np.float32) for name in given} for value in (0, 1))
        try:
            vectors = self._run([zeros])
        except Exception as error:
            raise ModelError(f"{path} cannot compute its input: {_first_sentence(error)}") from error
        if vectors.ndim != 2 or len(vectors) != 1 or not np.issubdtype(vectors.dtype, np.floating):
            shape = list(vectors.shape[1:]) if vectors.ndim else []
            raise ModelError(f"{path} returns {vectors.dtype}{shape} for one item, not one vector.")
        self.dim = vectors.shape[1]
        batch = _BATCH_BYTES // max(1, sum(array.nbytes for array in zeros.values()))
        self._batch = max(1, min(_BATCH, batch)) if self._computes_batches([ones, zeros]) else 1

    def __call__(self, items: Sequence[Mapping[str, NDArray[np.generic]]]) -> NDArray[np.float32]:
        """Run the model on items, each with an array for every one of `inputs`.

        Returns:
            float32[items, dim], each of length 1.

        Raises:
            ModelError: a vector is not finite.
        """
        # Every core gets a batch, even if few items come.
        size = min(self._batch, -(-len(items) // self._threads))
        batches = [items[start : start + size] for start in range(0, len(items), size)]
        vectors = np.concatenate(list(self._pool.map(self._run, batches))).astype(np.float32)
        if not np.isfinite(np.linalg.norm(vectors, axis=1)).all():
            raise ModelError("The model returned numbers that are not finite. Use a model of higher precision.")
        return normalised(vectors)

    def _computes_batches(self, items: Sequence[Mapping[str, NDArray[np.generic]]]) -> bool:
        """Return whether the model takes several items at once, and gives each the vector that it has alone."""
        if any(isinstance(each.shape[0], int) for each in self._session.get_inputs() if each.shape):
            return False
        try:
            together = self._run(items).astype(np.float32)
            alone = np.concatenate([self._run([item]) for item in items]).astype(np.float32)
        except Exception as error:
            _log.info("The model computes one item at a time: %s", _first_sentence(error))
            return False
        if together.shape != alone.shape:
            return False
        lengths = np.linalg.norm(np.stack([together, alone]), axis=2).max(axis=0)
        return bool((np.linalg.norm(together - alone, axis=1) <= _SAME * lengths).all())

    def _run(self, items: Sequence[Mapping[str, NDArray[np.generic]]]) -> NDArray[np.generic]:
        feed = {
            name: np.stack([np.asarray(item[name], self._elements[name]) for item in items]) for name in self.inputs
        }
        output: NDArray[np.generic] = np.asarray(self._session.run(None, feed)[0])
        return output


def _first_sentence(error: Exception) -> str:
    """Return what ONNX Runtime says, without its prefixes, in one line."""
    text = " ".join(str(error).split())
    return text.split(" : ", 3)[-1][:200].rstrip(".") + "."
