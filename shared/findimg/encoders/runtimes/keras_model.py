"""Runs Keras models on batches. Importing this module does not import TensorFlow."""

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.runtimes.library_messages import without_library_messages
from findimg.errors import ModelError, SettingsError

if TYPE_CHECKING:
    import keras

# TensorFlow traces and optimises each batch size once. A single image does not pay for 32.
_BATCH_SIZES = (1, 8, 32)


def start_tensorflow(threads: int | None) -> ModuleType:
    """Import TensorFlow and limit its threads.

    Args:
        threads: CPU threads for a model. None uses all.

    Returns:
        The module `tensorflow`.

    Raises:
        ModelError: TensorFlow is not installed.
        SettingsError: TensorFlow already runs in this process with another number of threads.
    """
    with without_library_messages():
        try:
            import keras  # noqa: F401
            import tensorflow
        except ModuleNotFoundError as error:
            raise ModelError(
                f"This backbone runs in TensorFlow, and the package {error.name} is not installed. "
                "Run pip install 'findimg[vgg]'."
            ) from error

        if threads is not None:
            try:
                tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
                tensorflow.config.threading.set_inter_op_parallelism_threads(1)
            except RuntimeError as error:
                running = tensorflow.config.threading.get_intra_op_parallelism_threads()
                raise SettingsError(
                    f"TensorFlow runs in this process with {running or 'all'} threads and cannot change to {threads}. "
                    "Open every backbone of one process with the same number of threads."
                ) from error
        tensorflow.config.list_logical_devices()
    module: ModuleType = tensorflow
    return module


class KerasModel:
    """A Keras model as a function from pixels to arrays."""

    def __init__(self, model: "keras.Model"):
        import tensorflow

        def run(pixels: tensorflow.Tensor) -> list[tensorflow.Tensor]:
            outputs: list[tensorflow.Tensor] = tensorflow.nest.flatten(model(pixels, training=False))
            return [tensorflow.cast(output, tensorflow.float32) for output in outputs]

        self._constant = tensorflow.constant
        self._run = tensorflow.function(run, autograph=False)

    def __call__(self, batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Run the model.

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
