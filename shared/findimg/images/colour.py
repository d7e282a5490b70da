"""Convert decoded pixels to 8-bit sRGB on a white background."""

import functools
import io
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
from numpy.typing import NDArray

from findimg.images import hdr

COLOURS = "findimg_colours"
_MAX_PROFILE = 4 * 2**20  # bytes. The largest CMYK profiles of printers have about 3 MB.
_MAX_BEYOND = 0.01  # share of values outside 0 to 1 that count as highlights, and are clipped
_SAME = 2  # largest difference of 8-bit values at which a profile counts as sRGB
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def to_eight_bit(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Scale greyscale of 16 or 32 bits to 8. Pillow's own conversion would clip at 255."""
    if picture.mode.startswith("I;16"):
        scaled = PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        scaled.info = picture.info
        return scaled
    if picture.mode not in ("I", "F"):
        return picture
    values = np.asarray(picture)
    black, white = float_range(values) if picture.mode == "F" else _integer_range(values)
    values = np.nan_to_num(values.astype(np.float64), nan=black, posinf=white, neginf=black)
    grey = np.clip((values - black) * (255 / (white - black)), 0, 255).astype(np.uint8)
    scaled = PIL.Image.fromarray(grey)
    scaled.info = picture.info
    return scaled


def float_range(values: NDArray[Any]) -> tuple[float, float]:
    """Return the floating point values that are black and white.

    They are 0 and 1 as in other software, unless more than a hundredth of the values is beyond. Such values have no
    stated unit, so their own range is used.
    """
    finite = values[np.isfinite(values)]
    if not finite.size or np.mean((finite < 0) | (finite > 1)) <= _MAX_BEYOND:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (min(low, 0.0), max(high, 1.0))


def _integer_range(values: NDArray[Any]) -> tuple[float, float]:
    """Return the values of a 32-bit image that are black and white: of 16 bits if all fit, else their own range."""
    low, high = float(values.min()), float(values.max())
    return (0.0, 2.0**16 - 1) if low >= 0 and high < 2**16 else (low, max(high, low + 1))


def on_white(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Compose transparent pixels onto white. Return an image of mode L, RGB or CMYK."""
    if not picture.has_transparency_data:
        return picture if picture.mode in _SPACES else picture.convert("RGB")
    # Grey stays grey, so that its profile still fits.
    mode = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
    layer = picture.convert(f"{mode}A")
    paper = PIL.Image.new(mode, layer.size, "white")
    paper.paste(layer.convert(mode), mask=layer.getchannel("A"))
    paper.info = picture.info
    return paper


def to_srgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return a copy in RGB, converted by the embedded profile if that differs from sRGB, or from high dynamic range.

    The latter is stated as `info[COLOURS]`: primaries and transfer function by their numbers in ITU-T H.273.
    """
    profile = picture.info.get("icc_profile")
    primaries, transfer = picture.info.get(COLOURS, (2, 2))
    if transfer in (hdr.PQ, hdr.HLG) and picture.mode in ("L", "RGB"):
        return hdr.to_srgb(picture, primaries, transfer)
    if picture.mode in _SPACES and isinstance(profile, bytes) and len(profile) <= _MAX_PROFILE:
        transform = _transform(profile, picture.mode)
        if transform:
            return transform.apply(picture)
    return picture.convert("RGB")


@functools.lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> PIL.ImageCms.ImageCmsTransform | None:
    """Return the conversion from a profile to sRGB, None for a broken profile or one that equals sRGB."""
    try:
        source = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = PIL.ImageCms.buildTransform(source, PIL.ImageCms.createProfile("sRGB"), mode, "RGB")
        return None if mode != "CMYK" and _is_identity(transform, mode) else transform
    except Exception:
        # A broken profile must not cost the pixels.
        return None


def _is_identity(transform: PIL.ImageCms.ImageCmsTransform, mode: str) -> bool:
    ramp = np.arange(256, dtype=np.uint8)
    if mode == "L":
        samples = PIL.Image.fromarray(ramp[None])
    else:
        zero = np.zeros_like(ramp)
        colours = [[ramp, ramp, ramp], [ramp, zero, zero], [zero, ramp, zero], [zero, zero, ramp]]
        samples = PIL.Image.fromarray(np.stack([np.stack(colour, -1) for colour in colours]))
    converted = np.asarray(transform.apply(samples), np.int16)
    return bool(np.abs(converted - np.asarray(samples.convert("RGB"), np.int16)).max() <= _SAME)
