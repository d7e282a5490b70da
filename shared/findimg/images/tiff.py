"""Decode the kinds of TIFF that Pillow refuses or decodes wrongly, by tifffile and imagecodecs.

Source: TIFF 6.0 (Adobe, 1992); ExtraSamples: section 18.
"""

import io
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from findimg.errors import ImageError
from findimg.images.formats import too_large

_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 5, 6, 8
_ASSOCIATED, _UNASSOCIATED = 1, 2
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _LAB: 3}
_UNSUPPORTED = "This kind of TIFF is not supported. Convert the image to JPEG or PNG."


def is_tiff(data: bytes) -> bool:
    """Return whether a file begins like a TIFF or a BigTIFF."""
    return data.startswith(_STARTS)


def is_safe_for_pillow(picture: TiffImageFile) -> bool:
    """Return whether Pillow decodes this kind of TIFF correctly."""
    tags: Any = picture.tag_v2
    bits = set(tags.get(258, (1,)))
    photometric = tags.get(262, _BLACK_IS_ZERO)
    samples = tags.get(277, 1)
    kinds = set(tags.get(339, (1,)))
    extra = tuple(tags.get(338, ()))
    if photometric not in _COLOURS or samples != _COLOURS[photometric] + len(extra):
        return False
    if samples == 1:
        if bits == {16}:
            return photometric == _BLACK_IS_ZERO and kinds == {1}
        if bits == {32}:
            return photometric == _BLACK_IS_ZERO and kinds in ({2}, {3})
        return bits <= {1, 2, 4, 8}
    is_planar = tags.get(284, 1) == 2
    has_plain_alpha = photometric == _RGB and extra in ((_ASSOCIATED,), (_UNASSOCIATED,))
    return bits == {8} and not is_planar and kinds == {1} and (not extra or has_plain_alpha)


def decode_tiff(data: bytes, limit_pixels: int) -> PIL.Image.Image:
    """Decode the first page.

    Args:
        data: the whole file.
        limit_pixels: width times height at most.

    Returns:
        An image of mode RGB, L or CMYK on a white background, with the embedded colour profile in `info`.

    Raises:
        ImageError: the extra `tiff` is not installed, or the image has too many pixels or an unknown layout.
    """
    try:
        import imagecodecs  # noqa: F401  # tifffile decodes compressed pages with it
        import tifffile
    except ImportError as error:
        raise ImageError(
            "This kind of TIFF needs the extra tiff. Install it with pip install 'findimg[tiff]', or convert the image."
        ) from error
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        if page.imagewidth * page.imagelength * page.imagedepth > limit_pixels:
            raise too_large(f"{page.imagewidth:,} x {page.imagelength:,}", limit_pixels)
        profile = page.tags.get(34675)
        photometric = int(page.photometric)
        samples = page.asarray()
        if page.planarconfig == 2 and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, -1)
        if samples.ndim == 2:
            samples = samples[..., None]
        if samples.ndim != 3 or photometric not in _COLOURS:
            raise ImageError(_UNSUPPORTED)
        if photometric == _YCBCR and page.compression in (6, 7):
            photometric = _RGB  # the JPEG decoder converts it
        extra = tuple(int(kind) for kind in page.extrasamples)
        palette = page.colormap if photometric == _PALETTE else None
        picture = _compose(samples, photometric, extra, int(page.bitspersample), palette)
    if profile is not None:
        picture.info["icc_profile"] = bytes(profile.value)
    return picture


def _compose(
    samples: NDArray[Any], photometric: int, extra: tuple[int, ...], bits: int, palette: NDArray[np.uint16] | None
) -> PIL.Image.Image:
    colours = _COLOURS[photometric]
    if samples.shape[2] < colours:
        raise ImageError(_UNSUPPORTED)
    if palette is not None:
        return PIL.Image.fromarray((np.moveaxis(palette, 0, -1)[samples[..., 0]] >> 8).astype(np.uint8))
    if photometric == _LAB:
        return _lab(samples[..., :3])
    colour, alpha = _to_unit(samples[..., :colours], bits), None
    for place, kind in enumerate(extra[: samples.shape[2] - colours]):
        if kind in (_ASSOCIATED, _UNASSOCIATED):
            alpha = np.clip(_to_unit(samples[..., colours + place, None], bits), 0, 1)
            break
    if photometric == _WHITE_IS_ZERO:
        colour = 1 - colour
    if photometric == _CMYK:
        inks = colour if alpha is None else colour * (1 if extra[0] == _ASSOCIATED else alpha)
        # Pillow reads inverted inks in JPEG only: 0 is no ink here as well.
        return PIL.Image.frombytes("CMYK", (samples.shape[1], samples.shape[0]), _bytes(inks).tobytes())
    if alpha is not None:
        colour = (colour if _ASSOCIATED in extra else colour * alpha) + (1 - alpha)
    pixels = _bytes(colour)
    if photometric == _YCBCR:
        return PIL.Image.fromarray(pixels, "YCbCr").convert("RGB")
    return PIL.Image.fromarray(pixels[..., 0] if colours == 1 else pixels)


def _lab(samples: NDArray[Any]) -> PIL.Image.Image:
    """Convert CIE L*a*b* of 8 or 16 bits: L* is unsigned, a* and b* are signed."""
    wide = samples.dtype.itemsize == 2
    lightness = samples[..., 0].astype(np.float64) / (65535 if wide else 255) * 255
    signed: NDArray[Any] = samples[..., 1:].astype(np.int16 if wide else np.int8)
    colour = signed.astype(np.float64) / (256 if wide else 1)
    lab = np.concatenate([lightness[..., None], colour + 128], axis=2)
    picture = PIL.Image.frombytes("LAB", lab.shape[1::-1], np.clip(lab, 0, 255).astype(np.uint8).tobytes())
    source, target = PIL.ImageCms.createProfile("LAB"), PIL.ImageCms.createProfile("sRGB")
    return PIL.ImageCms.buildTransform(source, target, "LAB", "RGB").apply(picture)


def _to_unit(samples: NDArray[Any], bits: int) -> NDArray[np.float32]:
    """Scale samples to 0 to 1. Floating point samples beyond 1 are scaled by their own range."""
    if samples.dtype.kind == "f":
        values = np.nan_to_num(samples.astype(np.float32), nan=0, posinf=1, neginf=0)
        low, high = min(0.0, float(values.min())), max(1.0, float(values.max()))
        return np.asarray((values - low) / (high - low), np.float32)
    if samples.dtype.kind == "i":
        span = 2.0 ** (8 * samples.dtype.itemsize)
        return np.asarray((samples.astype(np.float64) + span / 2) / (span - 1), np.float32)
    return np.asarray(samples / (2.0**bits - 1), np.float32)


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values * 255), 0, 255), np.uint8)
