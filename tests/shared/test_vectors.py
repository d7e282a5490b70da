import numpy as np
import pytest

from findimg.vectors import normalised, to_float32


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_vectors_get_length_1_and_zero_stays_zero(dtype: type[np.floating]) -> None:
    vectors = np.array([[3, 4], [0, 0], [-0.5, 0]], dtype)
    np.testing.assert_allclose(normalised(vectors), [[0.6, 0.8], [0, 0], [-1, 0]], rtol=1e-6)
    assert normalised(vectors[0]).shape == (2,)
    assert normalised(vectors).dtype == np.float32


def test_every_finite_float16_is_widened_to_its_value() -> None:
    every = np.arange(2**16, dtype=np.uint32).astype(np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]

    wide = to_float32(finite)

    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide.view(np.uint32), finite.astype(np.float32).view(np.uint32))


def test_values_too_large_for_float16_stay_finite_and_largest() -> None:
    np.testing.assert_array_equal(to_float32(np.array([np.inf, -np.inf], np.float16)), [65_536, -65_536])
