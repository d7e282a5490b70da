"""Photographs as the squares that CNNs look at."""

import math

import numpy as np
from PIL import Image


def resize_to_square(image: Image.Image, size: int) -> np.ndarray:
    """Resizes an image to a square, half by cropping the longer side and half by squeezing it.

    A centre crop does not see what stands at the sides, and squeezing alone distorts. Of an image r times as long
    as broad, the middle sqrt(r) is kept and squeezed by sqrt(r). Measured with efficientnet-lite0 on 640 Caltech-101
    photographs of 32 ImageNet classes, and on 200 pairs of them put side by side:

    | | right class | same class in the nearest 10 | both classes of a pair above 0.02 |
    |---|---|---|---|
    | centre crop | 0.753 | 0.934 | 0.18 |
    | centre crop of 0.875 | 0.766 | 0.927 | 0.14 |
    | squeezed | 0.744 | 0.922 | 0.23 |
    | letterbox | 0.723 | 0.919 | 0.22 |
    | half and half | 0.769 | 0.933 | 0.34 |

    Hamming's window takes half the time of a bicubic one. On 1,400 Caltech-101 photographs in 40 classes, with the
    bicubic one in parentheses: of ImageNet's classes 0.776 are named right (0.777), the names find 0.935 (0.935),
    photographs find 0.923 (0.921) of their kind, tags are right for 0.917 (0.908), and two names find 0.61 (0.57) of
    250 pairs put side by side.

    Args:
        image: RGB, upright, of any size.
        size: pixels along a side.

    Returns:
        uint8[size, size, 3].
    """
    width, height = image.size
    kept = math.sqrt(width * height)
    across, down = min(width, kept), min(height, kept)
    box = ((width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2)
    return np.asarray(image.resize((size, size), Image.Resampling.HAMMING, box))
