import tracemalloc
from pathlib import Path

import numpy as np

from findimg.index.float16 import Float16Matrix


def test_rows_and_products_match_the_array(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    array = random.standard_normal((3000, 50)).astype(np.float16)
    array.tofile(tmp_path / "array.f16")
    halves = Float16Matrix(tmp_path / "array.f16", 3000, 50)

    assert (len(halves), halves.size) == (3000, 150_000)
    np.testing.assert_array_equal(halves[7], array[7])
    np.testing.assert_array_equal(halves[np.array([5, 2])], array[[5, 2]])


def test_cosines_of_many_rows_take_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "visual.f16"
    with path.open("wb") as empty:
        empty.truncate(200_000 * 256 * 2)  # 102 MB, without space on disk
    matrix = Float16Matrix(path, 200_000, 256)
    tracemalloc.start()
    found = matrix.cosines(np.ones(256, np.float32), np.arange(0, 200_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.tolist() == [0.0] * 200_000
    assert peak < 10_000_000
