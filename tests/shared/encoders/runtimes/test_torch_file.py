import os
import pickle
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.encoders.runtimes.torch_file import read_state_dict
from findimg.errors import ModelError

HEADER = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({"little_endian": True}, 2)]
KEYS = pickle.dumps(["7"], 2)
VALUES = np.arange(6, dtype="<f4")
STORAGE = struct.pack("<q", len(VALUES)) + VALUES.tobytes()


def text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def state_dict(shape: tuple[int, int], strides: tuple[int, int], offset: int = 0) -> bytes:
    """Return the opcodes that torch writes for {"weight": a 2-d tensor over storage "7"}."""
    return b"".join(
        [
            pickle.PROTO + b"\x02",
            b"ccollections\nOrderedDict\n)R",
            text("weight"),
            b"ctorch._utils\n_rebuild_tensor_v2\n(",
            b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("7") + text("cpu") + number(len(VALUES)) + b"NtQ",
            number(offset),
            number(shape[0]) + number(shape[1]) + pickle.TUPLE2,
            number(strides[0]) + number(strides[1]) + pickle.TUPLE2,
            pickle.NEWFALSE + b"ccollections\nOrderedDict\n)Rt" + pickle.REDUCE,
            pickle.SETITEM + pickle.STOP,
        ]
    )


def weights_file(*pickles: bytes, storage: bytes = STORAGE) -> bytes:
    return b"".join([*HEADER, *pickles, storage])


def test_tensors_are_read_without_torch() -> None:
    tensors = read_state_dict(weights_file(state_dict((2, 3), (3, 1)), KEYS), "file")
    np.testing.assert_array_equal(tensors["weight"], [[0, 1, 2], [3, 4, 5]])
    assert tensors["weight"].dtype == np.float32


def test_transposed_tensor_is_read_by_its_strides() -> None:
    tensors = read_state_dict(weights_file(state_dict((3, 2), (1, 3)), KEYS), "file")
    np.testing.assert_array_equal(tensors["weight"], [[0, 3], [1, 4], [2, 5]])


class Touch:
    """Create a folder when it is unpickled without care."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", range(5))
def test_pickle_that_calls_a_function_is_refused_and_not_run(place: int, tmp_path: Path) -> None:
    pickles = [*HEADER, state_dict((2, 3), (3, 1)), KEYS]
    pickles[place] = pickle.dumps(Touch(tmp_path / "harm"), 2)
    with pytest.raises(ModelError, match=r"it asks for \w+\.mkdir"):
        read_state_dict(b"".join([*pickles, STORAGE]), "evil.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", [b"cbuiltins\neval\n", b"ctorch\nload\n", b"ctorch._utils\n_rebuild_parameter\n"])
def test_every_other_name_is_refused(name: bytes) -> None:
    with pytest.raises(ModelError, match="it asks for"):
        read_state_dict(weights_file(b"\x80\x02" + name + b"."), "evil.pth")


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((2, 3), (3, 1), 1), ((2, 3), (300, 1), 0), ((2, 3), (-3, 1), 0), ((2, -3), (3, 1), 0)],
)
def test_tensor_outside_its_storage_is_refused(shape: tuple[int, int], strides: tuple[int, int], offset: int) -> None:
    with pytest.raises(ModelError, match=r"bad\.pth is not a PyTorch weights file"):
        read_state_dict(weights_file(state_dict(shape, strides, offset), KEYS), "bad.pth")


@pytest.mark.parametrize("opcode", [b"r\xff\xff\xff\x7f", b"p2147483647\n"])
def test_pickle_that_would_take_gigabytes_is_refused(opcode: bytes) -> None:
    with pytest.raises(ModelError, match="it numbers an object 2147483647"):
        read_state_dict(weights_file(b"\x80\x02}" + opcode + b"."), "big.pth")


@settings(deadline=5000)
@given(st.data())
def test_damaged_file_is_read_or_refused_with_model_error(data: st.DataObject) -> None:
    whole = weights_file(state_dict((2, 3), (3, 1)), KEYS)
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:position] + data.draw(st.binary(max_size=3)) + whole[position + data.draw(st.integers(0, 3)) :]
    with suppress(ModelError):
        read_state_dict(damaged, "damaged.pth")


@pytest.mark.parametrize("length", [0, 10, 100, -1])
def test_truncated_file_is_refused(length: int) -> None:
    with pytest.raises(ModelError):
        read_state_dict(weights_file(state_dict((2, 3), (3, 1)), KEYS)[:length], "short.pth")
