import numpy as np
import pytest
from PIL import Image

from findimg.encoders.runtimes.resize import resize_to_square


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (224, 224), (300, 200), (37, 4000)])
def test_image_of_any_size_becomes_a_square(size: tuple[int, int]) -> None:
    pixels = resize_to_square(Image.new("RGB", size, (255, 128, 0)), 224)
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (255, 128, 0)).all()


def test_longer_side_is_partly_cropped_and_partly_squeezed() -> None:
    # Four times as wide as high: of 16 columns the middle 8 are seen.
    image = Image.new("RGB", (1600, 400))
    for column in range(16):
        image.paste((column * 10, 0, 0), (column * 100, 0, column * 100 + 100, 400))
    middles = resize_to_square(image, 160)[80, 10::20, 0]
    np.testing.assert_array_equal(middles, np.arange(4, 12) * 10)


def test_square_image_is_not_cropped() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_to_square(Image.fromarray(pixels), 224), pixels)
