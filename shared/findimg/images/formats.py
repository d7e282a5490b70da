"""The formats that findimg reads, and the reason why a file is not one of them."""

from collections.abc import Iterator

import PIL.Image
import pillow_heif

from findimg.errors import ImageError

EXTENSIONS = frozenset(
    {
        *(".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".heic", ".heics", ".heif", ".heifs", ".hif", ".insp"),
        *(".jfif", ".jpe", ".jpeg", ".jpg", ".jps", ".mpo", ".pjpeg", ".png", ".tif", ".tiff", ".webp"),
    }
)
# JPEG includes MPO. AVIF comes before HEIF, because some files of both begin alike and only Pillow's AVIF decoder
# rejects the other format.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF")
_READABLE = "JPEG, MPO, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"


def readable_formats(data: bytes) -> Iterator[str]:
    """Yield those of `FORMATS` that a file may have, judged by its first bytes."""
    PIL.Image.init()
    # Decoders read the first bytes without a check of their number.
    start = data[:16].ljust(16, b"\0")
    for name in FORMATS:
        if name == "HEIF":
            accepted = pillow_heif.is_supported(start)
        else:
            accepts = PIL.Image.OPEN[name][1]
            # A decoder that is not installed returns a message.
            accepted = accepts is None or accepts(start) is True
        if accepted:
            yield name


def unreadable(data: bytes) -> ImageError:
    """Return an error that says why no decoder accepted the file, judged by its first bytes."""
    if known := next(readable_formats(data), None):
        return ImageError(f"The file begins like {known}, but is truncated or broken. Store it again from its source.")
    start = data[:16].ljust(16, b"\0")
    alike = [name for name, (_, accepts) in PIL.Image.OPEN.items() if accepts and accepts(start)]
    if alike:
        return ImageError(f"The file is {alike[0]}, a format that findimg does not read. Convert it to {_READABLE}.")
    return ImageError(f"The file is not an image, it begins with {data[:16]!r}. findimg reads {_READABLE}.")


def too_large(pixels: str, limit: int) -> ImageError:
    """Return an error for an image with too many pixels."""
    return ImageError(f"The image has too many pixels, {pixels}. The limit is {limit:,}. Store a smaller copy of it.")
