from pathlib import Path

import numpy as np
import pytest

from findimg.errors import LibraryError
from findimg.index.projection import fit_projection, open_projection, write_projection

RANDOM = np.random.default_rng(1)
# Two directions in which rows differ, six of noise, all far from the origin.
ROWS = (RANDOM.normal(size=(500, 8)) * [5, 3, *[0.01] * 6] + 100).astype(np.float32)


def test_directions_without_variance_are_dropped() -> None:
    projected = fit_projection(ROWS, 2)(ROWS)
    assert projected.shape == (500, 2)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), np.linalg.norm(ROWS - ROWS.mean(axis=0), axis=1), 0.1)


def test_all_directions_keep_all_distances() -> None:
    projected = fit_projection(ROWS, 8)(ROWS)
    np.testing.assert_allclose(
        np.linalg.norm(projected[:-1] - projected[1:], axis=1), np.linalg.norm(ROWS[:-1] - ROWS[1:], axis=1), rtol=1e-3
    )


def test_single_vector_is_projected_like_a_batch() -> None:
    projection = fit_projection(ROWS, 3)
    np.testing.assert_allclose(projection(ROWS[7]), projection(ROWS)[7], atol=1e-4)


def test_saved_projection_loads_unchanged(tmp_path: Path) -> None:
    projection = fit_projection(ROWS, 3)
    write_projection(tmp_path / "p.npy", projection)
    back = open_projection(tmp_path / "p.npy", 8, 3)
    np.testing.assert_array_equal(back(ROWS), projection(ROWS))


@pytest.mark.parametrize("damage", [b"", b"no numbers", b"\x93NUMPY"])
def test_damaged_projection_is_refused(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "p.npy").write_bytes(damage)
    with pytest.raises(LibraryError, match="cannot be opened as a projection"):
        open_projection(tmp_path / "p.npy", 8, 3)


def test_a_projection_of_other_dimensions_is_refused(tmp_path: Path) -> None:
    write_projection(tmp_path / "p.npy", fit_projection(ROWS, 3))
    with pytest.raises(LibraryError, match="not a projection from 8 to 4 dimensions"):
        open_projection(tmp_path / "p.npy", 8, 4)
