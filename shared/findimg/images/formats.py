"""The formats that findimg reads, and the reason why a file is not one of them."""

import importlib.util
from collections.abc import Iterator

import PIL.Image
import pillow_heif

from findimg.errors import ImageError
from findimg.images.readers.isobmff import brands
from findimg.images.readers.jpeg_xl import is_jpeg_xl
from findimg.images.refusals import broken, unknown, unknown_format

EXTENSIONS = frozenset(
    {
        *(".apng", ".avif", ".avifs", ".bmp", ".dib", ".gif", ".heic", ".heics", ".heif", ".heifs", ".hif", ".insp"),
        *(".jfif", ".jpe", ".jpeg", ".jpg", ".jps", ".mpo", ".pjpeg", ".png", ".tif", ".tiff", ".webp"),
    }
)
# Extensions that need an extra, and the package that the extra installs.
EXTRAS = {
    "jxl": ("pillow_jxl", frozenset({".jxl"})),
    "raw": (
        "rawpy",
        frozenset(
            {
                *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef"),
                *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
                ".x3f",
            }
        ),
    ),
}
# JPEG includes MPO. AVIF comes before HEIF, because some files of both begin alike and only Pillow's AVIF decoder
# rejects the other format.
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "AVIF", "HEIF")


_AVIF = {b"avif", b"avis"}


def missing_extra(extension: str) -> str | None:
    """Return the extra that reads files with this extension, such as ".jxl". Return None if it is installed."""
    for extra, (package, extensions) in EXTRAS.items():
        if extension in extensions and importlib.util.find_spec(package) is None:
            return extra
    return None


def readable_formats(data: bytes) -> Iterator[str]:
    """Yield the names in `PILLOW_FORMATS` that fit a file's first bytes."""
    PIL.Image.init()
    # Decoders read the first bytes without a check of their number.
    start = data[:16].ljust(16, b"\0")
    for name in PILLOW_FORMATS:
        if name == "HEIF":
            # pillow_heif opens AVIF, too, but cannot decode it.
            accepted = pillow_heif.is_supported(start) and not _AVIF & brands(data)
        else:
            accepts = PIL.Image.OPEN[name][1]
            # A decoder that is not installed returns a message.
            accepted = accepts is None or accepts(start) is True
        if accepted:
            yield name


def starts_like_an_image(head: bytes) -> bool:
    """Return whether a file's first bytes are those of `PILLOW_FORMATS`, or of JPEG XL if it can be read."""
    if is_jpeg_xl(head):
        return missing_extra(".jxl") is None
    return bool(head) and any(readable_formats(head))


def unreadable(data: bytes) -> ImageError:
    """Return an error that says why no decoder accepted the file, judged by its first bytes."""
    if known := next(readable_formats(data), None):
        return broken(known)
    start = data[:16].ljust(16, b"\0")
    alike = [name for name, (_, accepts) in PIL.Image.OPEN.items() if accepts and accepts(start)]
    return unknown_format(alike[0]) if alike else unknown()
