"""Convert decoded pixels to 8-bit sRGB on a white background."""

import functools
import io

import numpy as np
import PIL.Image
import PIL.ImageCms

_MAX_PROFILE = 4 * 2**20  # bytes. The largest CMYK profiles of printers have about 3 MB.
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
    values = np.asarray(picture).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # The white level of more than 16 bits is not stated, so the image's own range decides.
    if picture.mode == "I" and low >= 0 and high < 2**16:
        low, high = 0, 2**16 - 1
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return PIL.Image.fromarray(((values - low) * (255 / ((high - low) or 1))).astype(np.uint8))


def on_white(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Compose transparent pixels onto white. Return an image of mode L, RGB or CMYK."""
    if not picture.has_transparency_data:
        return picture if picture.mode in _SPACES else picture.convert("RGB")
    layer = picture.convert("RGBA")
    paper = PIL.Image.new("RGB", layer.size, "white")
    paper.paste(layer, mask=layer.getchannel("A"))
    paper.info = picture.info
    return paper


def to_srgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return a copy in RGB, converted by the embedded profile if that differs from sRGB."""
    profile = picture.info.get("icc_profile")
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
