"""Arrays that live in files: written and read through mappings, so that they need not fit into memory."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def new_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Create an array of zeros in a file of its own, which holds nothing else.

    Raises:
        OSError: there is no room for it.
    """
    reserve(path, math.prod(shape) * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", shape=shape)


def reserve(path: Path, size: int) -> None:
    """Give a file, which may be there already, room for `size` bytes.

    Where the disk is full this is an error; writing to a mapping would kill the process.

    Raises:
        OSError: there is no room for it.
    """
    with path.open("ab") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, max(1, size))
        file.truncate(size)
