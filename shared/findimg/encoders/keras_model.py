"""Runs Keras models on batches. Importing this imports no TensorFlow."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from findimg.errors import SettingsError

if TYPE_CHECKING:
    import keras

# Each shape is traced and optimised once; a lone image need not pay for 32.
_BATCH_SIZES = (1, 8, 32)
_SILENCE = threading.RLock()  # one thread must not keep the silence of another for what there was before


def start_tensorflow(threads: int | None) -> ModuleType:
    """Imports TensorFlow and limits its threads.

    Args:
        threads: how many CPU threads a model may use; None leaves it to TensorFlow, which takes all.

    Returns:
        The module `tensorflow`.

    Raises:
        SettingsError: TensorFlow already runs in this process with another number of threads.
    """
    with silent_stderr():
        import tensorflow

        if threads is not None:
            try:
                tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
                tensorflow.config.threading.set_inter_op_parallelism_threads(1)
            except RuntimeError as error:
                running = tensorflow.config.threading.get_intra_op_parallelism_threads()
                raise SettingsError(
                    f"TensorFlow runs in this process with {running or 'all'} threads and cannot change to {threads}; "
                    "open every backbone of one process with the same number of threads."
                ) from error
        tensorflow.config.list_logical_devices()
    return tensorflow


class KerasModel:
    """A Keras model as a function from pixels to arrays."""

    def __init__(self, model: "keras.Model"):
        import tensorflow

        def run(pixels: tensorflow.Tensor) -> list[tensorflow.Tensor]:
            outputs: list[tensorflow.Tensor] = tensorflow.nest.flatten(model(pixels, training=False))
            return [tensorflow.cast(output, tensorflow.float32) for output in outputs]

        self._constant = tensorflow.constant
        self._run = tensorflow.function(run, autograph=False)

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Runs the model.

        Args:
            batch: uint8[n, H, W, 3] with n >= 1.

        Returns:
            One float32[n, …] for each output of the model.
        """
        parts = []
        start = 0
        while start < len(batch):
            left = len(batch) - start
            size = next((size for size in _BATCH_SIZES if size >= left), _BATCH_SIZES[-1])
            part = batch[start : start + size]
            padding = np.zeros((size - len(part), *part.shape[1:]), part.dtype)
            outputs = self._run(self._constant(np.concatenate([part, padding])))
            parts.append([output.numpy()[: len(part)] for output in outputs])
            start += size
        return [np.concatenate(output) for output in zip(*parts, strict=True)]


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Nothing reaches the file descriptor 2 meanwhile, where TensorFlow's libraries greet whatever its settings say."""
    with _SILENCE:
        kept = os.dup(2)
        try:
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
