"""A perceptual hash of an image's pixels: the same for copies in another size or encoding."""

import numpy as np
import PIL.Image
from PIL.Image import Resampling

_SIDE = 16
HASH_BYTES = _SIDE * _SIDE // 8
LENGTH = HASH_BYTES + 1
_CONTRAST = 1  # of 255: smaller differences are noise of the encoding
_SAMPLED = 64  # pixels of each side that are sampled for the background


def perceptual_hash(pixels: PIL.Image.Image) -> bytes:
    """Return the perceptual hash of an RGB image: LENGTH bytes.

    The first HASH_BYTES have a bit for each of 16 × 16 places: whether it is darker than the next place to its right.
    The last byte is the percentage of the most frequent colour, with 16 levels of each channel, at least 1.

    Source: Krawetz, Kind of Like That, 2013, for the bits.
    """
    grey = pixels.convert("L").resize((_SIDE + 1, _SIDE), Resampling.LANCZOS, reducing_gap=2.0)
    light = np.asarray(grey, np.int16)
    bits = light[:, 1:] > light[:, :-1] + _CONTRAST
    levels = np.asarray(pixels.resize((_SAMPLED, _SAMPLED), Resampling.NEAREST), np.int64) >> 4
    colours = (levels @ [256, 16, 1]).ravel()
    background = max(1, 100 * int(np.bincount(colours).max()) // len(colours))
    return np.packbits(bits).tobytes() + bytes([background])
