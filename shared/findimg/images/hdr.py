"""Convert high dynamic range (PQ and HLG) to sRGB.

Sources: ITU-T H.273 for the numbers of primaries and transfer functions; Recommendation ITU-R BT.2100-2 for PQ and HLG;
Report ITU-R BT.2408-7 for the reference white of 203 cd/m².
"""

import numpy as np
import PIL.Image
from numpy.typing import NDArray

PQ, HLG = 16, 18
_WHITE = 203.0  # cd/m² of diffuse white, which becomes white of sRGB
_HLG_PEAK = 1000.0  # cd/m² of the display that HLG is rendered for
_KNEE = 0.35  # share of white below which tones stay as they are
_HIGHLIGHTS = 99.9  # percentile of the pixels. Brighter ones are clipped.
# From linear light in other primaries to linear sRGB. Rows are red, green and blue.
_TO_SRGB = {
    9: [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]],
    12: [[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]],
}
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # BT.2020


def to_srgb(picture: PIL.Image.Image, primaries: int, transfer: int) -> PIL.Image.Image:
    """Return an RGB image in sRGB.

    Tones up to diffuse white keep their brightness if the image has nothing brighter. Otherwise highlights are
    compressed into the range above the knee, in proportion, so that colours keep their hue.

    Args:
        picture: RGB or greyscale, of a size that fits into memory as floating point.
        primaries: number in H.273. Unknown ones count as those of sRGB.
        transfer: `PQ` or `HLG`.
    """
    signal = np.asarray(picture.convert("RGB"), np.float32) / np.float32(255)
    light = _pq(signal) if transfer == PQ else _hlg(signal)
    if primaries in _TO_SRGB:
        light = light @ np.array(_TO_SRGB[primaries], np.float32).T
    light = _compressed(np.maximum(light, 0))
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)
    return PIL.Image.fromarray(np.rint(encoded * 255).astype(np.uint8))


def _pq(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return light relative to diffuse white."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** np.float32(1 / m2)
    light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return np.asarray(light * (10_000 / _WHITE), np.float32)


def _hlg(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return light relative to diffuse white."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = np.maximum(scene @ _LUMINANCE, 1e-6)[..., None]
    return np.asarray(scene * luminance**0.2 * (_HLG_PEAK / _WHITE), np.float32)


def _compressed(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return linear light from 0 to 1. The curve has slope 1 at the knee, and reaches 1 at the brightest pixels."""
    brightest = light.max(axis=-1)
    peak = float(np.percentile(brightest, _HIGHLIGHTS))
    if peak > 1:
        above, room = peak - _KNEE, 1 - _KNEE
        bend = room * above / (above - room)
        excess = np.maximum(brightest - _KNEE, 0)
        toned = np.minimum(brightest, _KNEE) + excess * bend / (excess + bend)
        light = light * (toned / np.maximum(brightest, 1e-6))[..., None]
    return np.clip(light, 0, 1)
