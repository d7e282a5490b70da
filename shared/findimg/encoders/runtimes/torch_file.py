"""Reads a state dict that torch.save wrote, without torch and without executing code from the file.

The format is the one before PyTorch 1.6. It begins with five pickles: magic number, protocol version, system
information, the state dict, and the storages' keys. Then each storage follows as an int64 count and its raw
little-endian numbers. Source: `_legacy_save` in torch/serialization.py.
"""

import io
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from findimg.errors import ModelError

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_MOST_OBJECTS = 100_000  # in one pickle. A state dict of 300 tensors has 3,000.
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


@dataclass(slots=True)
class _Storage:
    """The numbers of one or several tensors. They are at the end of the file, so they are read after the tensors."""

    dtype: np.dtype
    size: int
    values: bytes = b""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A view of a storage. Offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        dtype = self.storage.dtype
        strides = [stride * dtype.itemsize for stride in self.strides]
        # The constructor refuses a view that reaches outside its buffer. as_strided does not.
        return np.ndarray(self.shape, dtype, self.storage.values, self.offset * dtype.itemsize, strides)


class _Unpickler(pickle.Unpickler):
    """Accepts only the four names that a state dict needs, and replaces each one by something harmless."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # A new function each time, because a pickle can set attributes of it.
            return lambda storage, offset, shape, strides, *_: _Tensor(storage, offset, shape, strides)
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, size, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"it refers to {pid!r}")
        return self.storages.setdefault(key, _Storage(np.dtype(dtype), size))


def _load(unpickler: _Unpickler, file: BinaryIO) -> Any:
    start = file.tell()
    # The unpickler allocates memory for the highest object number, which can be gigabytes in a damaged file.
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in ("PUT", "LONG_BINPUT") and int(argument or 0) > _MOST_OBJECTS:
            raise pickle.UnpicklingError(f"it numbers an object {argument}")
    file.seek(start)
    return unpickler.load()


def read_state_dict(data: bytes, source: str) -> Mapping[str, np.ndarray]:
    """Return the tensors of a PyTorch weights file.

    Args:
        data: the file, in the format before PyTorch 1.6, with float32 and int64 tensors on the CPU.
        source: where the file comes from, for error messages.

    Returns:
        The tensors by name, read-only, in torch's layout. Convolutions have the axes out, in, height, width.

    Raises:
        ModelError: the file has another format, is damaged, or holds anything but tensors.
    """
    file = io.BytesIO(data)
    try:
        if _load(_Unpickler(file), file) != _MAGIC_NUMBER:
            raise ValueError("it has another magic number")
        for _ in ("protocol version", "system information"):
            _load(_Unpickler(file), file)
        unpickler = _Unpickler(file)
        tensors = _load(unpickler, file)
        for key in _load(_Unpickler(file), file):
            storage = unpickler.storages[key]
            count = int.from_bytes(file.read(8), "little")
            if count != storage.size:
                raise ValueError(f"storage {key} has {count} numbers instead of {storage.size}")
            storage.values = file.read(count * storage.dtype.itemsize)
        return {name: tensor.array() for name, tensor in tensors.items()}
    # A damaged or hostile pickle can raise any exception.
    except Exception as error:
        raise ModelError(f"{source} is not a PyTorch weights file that findimg reads: {error}.") from error
