"""An image's bytes, decoded once for the backbone and for the thumbnail; whatever comes in is taken for hostile."""

import functools
import hashlib
import io
import re
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pillow_heif
from PIL.ExifTags import IFD, Base
from PIL.Image import Resampling, Transpose
from PIL.JpegImagePlugin import JpegImageFile

from findimg.errors import ImageError

EXTENSIONS = frozenset(
    {
        ".avif",
        ".bmp",
        ".gif",
        ".heic",
        ".heif",
        ".jfif",
        ".jpe",
        ".jpeg",
        ".jpg",
        ".mpo",
        ".png",
        ".tif",
        ".tiff",
        ".webp",
    }
)
LIMIT_BYTES = 64 * 2**20
LIMIT_PIXELS = 100_000_000
MODEL_SIDE = 256  # pixels; the short side that backbones shrink an image to before they crop it
THUMBNAIL_SIDE = 320  # pixels, DESIGN.md 4

# JPEG stands for MPO too. AVIF stands before HEIF because some files of both begin alike, and only Pillow's own
# AVIF decoder turns the other's away.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
_PROFILE_BYTES = 4 * 2**20  # the largest CMYK profiles of printers have about 3 MB
_FIRST_PHOTOGRAPH = 1826
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}

# Pillow would register its decoders during the first call, in whichever thread that runs.
PIL.Image.init()
pillow_heif.register_heif_opener()
# Pillow warns beyond this and refuses beyond twice as much; its own 89 million would warn of images that are welcome.
PIL.Image.MAX_IMAGE_PIXELS = LIMIT_PIXELS
# What Pillow only warns of is either refused below, in words, or does no harm to the pixels.
# (A filter for each call would not be safe with threads.)
for _category in (PIL.Image.DecompressionBombWarning, UserWarning):
    warnings.filterwarnings("ignore", category=_category, module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class Image:
    """One decoded image: its pixels, and what its file says about it."""

    pixels: PIL.Image.Image  # RGB, upright, sRGB; large ones reduced, but never below MODEL_SIDE and THUMBNAIL_SIDE
    width: int  # pixels of the upright original
    height: int
    format: str  # Pillow's name: "JPEG", "MPO", "PNG", "HEIF" …
    bytes: int
    sha256: str  # hex, of the file's bytes
    taken: datetime | None  # EXIF capture time, local to the camera; None when absent or nonsense


def decode(data: bytes) -> Image:
    """Decodes the first frame of a JPEG, MPO, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC file.

    The pixels come upright, on white where they were transparent, and in sRGB. An image much larger than a backbone
    and a thumbnail need is reduced by a whole factor, a JPEG while it is being decoded.

    Args:
        data: a whole file.

    Returns:
        The image; safe to call from several threads.

    Raises:
        ImageError: `data` is empty, no image, of another format, truncated, broken, or beyond a limit. The text does
            not name the image: only the caller knows its URI.

    Source: EXIF 2.32 for the orientation (tag 274) and the capture times (tags 36867 and 36868).
    """
    if not data:
        raise ImageError("The file is empty (0 bytes); store the image again.")
    if len(data) > LIMIT_BYTES:
        raise ImageError(
            f"The file has {len(data):,} bytes, more than the limit of {LIMIT_BYTES:,}; store a smaller copy of it."
        )
    try:
        picture = PIL.Image.open(io.BytesIO(data), formats=_FORMATS)
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        found = re.search(r"\d+", str(error))
        raise _too_large(f"{int(found[0]):,}" if found else "an unknown number") from error
    except Exception as error:
        raise _unreadable(data) from error
    width, height = picture.size
    if width * height > LIMIT_PIXELS:
        raise _too_large(f"{width * height:,} ({width:,} x {height:,})")
    try:
        # A HEIC file would draft its embedded thumbnail, which may show something else.
        if isinstance(picture, JpegImageFile):
            picture.draft(None, _least(width, height))
        picture.load()
        orientation, taken = _exif(picture)
        pixels = _srgb(_reduced(_composited(_eight_bit(picture))))
        if orientation in _UPRIGHT:
            pixels = pixels.transpose(_UPRIGHT[orientation])
    except Exception as error:
        # A decoder that meets hostile bytes may raise anything.
        raise ImageError(
            f"The {picture.format} image is truncated or broken ({_reason(error)}); store it again from its source."
        ) from error
    if orientation >= 5:
        width, height = height, width
    # Metadata would travel on into the thumbnail.
    pixels.info = {}
    return Image(
        pixels=pixels,
        width=width,
        height=height,
        format=picture.format or "",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        taken=taken,
    )


def thumbnail(image: Image, side: int = THUMBNAIL_SIDE) -> bytes:
    """Makes a small JPEG of an image, without any metadata.

    Args:
        image: what `decode` returned.
        side: pixels; neither side of the thumbnail is longer. A smaller image is not enlarged.

    Returns:
        A JPEG file.
    """
    small = image.pixels.copy()
    # As sharp as Pillow's default where an image shrinks, in two thirds of its time.
    small.thumbnail((side, side), Resampling.HAMMING)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()


def _least(width: int, height: int) -> tuple[int, int]:
    """The smallest (width, height) that still serves a backbone and a thumbnail."""
    return (THUMBNAIL_SIDE, MODEL_SIDE) if width >= height else (MODEL_SIDE, THUMBNAIL_SIDE)


def _exif(picture: PIL.Image.Image) -> tuple[int, datetime | None]:
    """The orientation, 1 to 8, and the capture time."""
    orientation: Any = 1
    details: dict[int, Any] = {}
    try:
        exif = picture.getexif()
        orientation = exif.get(Base.Orientation)
        details = exif.get_ifd(IFD.Exif)
    except Exception:
        # Broken metadata is no reason to lose sound pixels, nor what was read before the break.
        pass
    times = (_time(details.get(tag)) for tag in (Base.DateTimeOriginal, Base.DateTimeDigitized))
    return (
        orientation if isinstance(orientation, int) and orientation in _UPRIGHT else 1,
        next((time for time in times if time), None),
    )


def _time(text: Any) -> datetime | None:
    """A time as EXIF writes it; cameras without a clock write zeros or blanks."""
    try:
        time = datetime.strptime(text.strip(" \0"), "%Y:%m:%d %H:%M:%S")
    except (AttributeError, TypeError, ValueError):
        return None
    return time if time.year >= _FIRST_PHOTOGRAPH else None


def _eight_bit(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Scales greyscale of 16 or 32 bits to 8, which Pillow's own conversion would clip at 255."""
    if picture.mode.startswith("I;16"):
        return PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode not in ("I", "F"):
        return picture
    values = np.asarray(_reduced(picture)).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    # Nothing says what is white in wider numbers than 16 bits, so the image's own range does.
    if picture.mode == "I" and low >= 0 and high < 2**16:
        low, high = 0, 2**16 - 1
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return PIL.Image.fromarray(((values - low) * (255 / ((high - low) or 1))).astype(np.uint8))


def _composited(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Lays what is transparent onto white; gives L, RGB or CMYK."""
    if not picture.has_transparency_data:
        return picture if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")
    layer = picture.convert("RGBA")
    paper = PIL.Image.new("RGB", layer.size, "white")
    paper.paste(layer, mask=layer.getchannel("A"))
    paper.info = picture.info
    return paper


def _reduced(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Averages blocks of pixels where the image is at least twice as large as needed."""
    least_width, least_height = _least(*picture.size)
    factor = min(picture.width // least_width, picture.height // least_height)
    return picture.reduce(factor) if factor > 1 else picture


def _srgb(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A copy in RGB, through the embedded profile if it has one that differs from sRGB."""
    profile = picture.info.get("icc_profile")
    if picture.mode in ("RGB", "CMYK") and isinstance(profile, bytes) and len(profile) <= _PROFILE_BYTES:
        transform = _to_srgb(profile, picture.mode)
        if transform:
            return transform.apply(picture)
    return picture.convert("RGB")


@functools.lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> PIL.ImageCms.ImageCmsTransform | None:
    """The way from an ICC profile to sRGB; None when there is nothing to do, or the profile is broken or of no use."""
    try:
        source = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != mode or "sRGB" in (source.profile.profile_description or ""):
            return None
        return PIL.ImageCms.buildTransform(source, PIL.ImageCms.createProfile("sRGB"), mode, "RGB")
    except Exception:
        # A broken profile is no reason to lose sound pixels.
        return None


def _too_large(pixels: str) -> ImageError:
    return ImageError(
        f"The image has too many pixels, {pixels}; the limit is {LIMIT_PIXELS:,}, so store a smaller copy of it."
    )


def _unreadable(data: bytes) -> ImageError:
    """Says why no decoder took these bytes, from how they begin."""
    start = data[:16].ljust(16, b"\0")
    alike = [name for name, (_, accepts) in PIL.Image.OPEN.items() if accepts and accepts(start)]
    for name in _FORMATS:
        if name in alike:
            return ImageError(
                f"The file begins like {name}, but is truncated or broken ({len(data):,} bytes); "
                "store it again from its source."
            )
    readable = "JPEG, MPO, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"
    if alike:
        return ImageError(f"The file is {alike[0]}, a format that findimg does not read; convert it to {readable}.")
    return ImageError(f"The file is not an image, it begins with {data[:16]!r}; findimg reads {readable}.")


def _reason(error: Exception) -> str:
    """A decoder's own words, fit for one line."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 120 else words[:119] + "…"
