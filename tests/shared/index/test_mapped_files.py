import errno
from pathlib import Path

import numpy as np
import pytest

from findimg.index import mapped_files as mapped
from findimg.index.mapped_files import new_array, reserve


def test_new_array_is_zero_and_writes_reach_the_file(tmp_path: Path) -> None:
    array = new_array(tmp_path / "a", np.float16, (3, 5))
    assert not array.any()
    array[1] = 2
    del array
    assert np.fromfile(tmp_path / "a", np.float16).reshape(3, 5).sum() == 10


def test_array_without_rows_is_allowed(tmp_path: Path) -> None:
    assert new_array(tmp_path / "a", np.uint16, (7, 0)).shape == (7, 0)


def test_disk_space_is_reserved_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    reserve(path, 1_000_000)
    assert path.read_bytes()[:4] == b"abc\0"
    assert path.stat().st_blocks * 512 >= 1_000_000


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(mapped.os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        new_array(tmp_path / "a", np.float16, (3, 5))
