"""The limits of an image file, and the reasons why one is refused.

The reasons are few fixed sentences, so that a report can count equal ones. They contain no bytes, sizes or names of a
file, and no words of a library.
"""

from findimg.errors import ImageError

LIMIT_BYTES = 64 * 2**20
LIMIT_PIXELS = 100_000_000
READABLE = "JPEG, MPO, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"


def empty() -> ImageError:
    return ImageError("The file is empty. Store the image again.")


def too_many_bytes() -> ImageError:
    return ImageError(f"The file is larger than {LIMIT_BYTES // 2**20} MB. Store a smaller copy of it.")


def check_pixels(width: int, height: int) -> None:
    """Check the size that a file states, before its pixels are decoded.

    Raises:
        ImageError: the image has too many pixels.
    """
    if width * height > LIMIT_PIXELS:
        raise ImageError(f"The image has too many pixels. The limit is {LIMIT_PIXELS:,}. Store a smaller copy of it.")


def too_complex() -> ImageError:
    return ImageError("The image would take too much time or memory to decode. Store a smaller copy of it.")


def unknown() -> ImageError:
    return ImageError(f"The format of the file is unknown. findimg reads {READABLE}.")


def unknown_format(name: str) -> ImageError:
    return ImageError(f"The file is {name}, a format that findimg does not read. Convert it to JPEG or PNG.")


def unknown_kind(name: str) -> ImageError:
    """Return an error for a sound file of a known format with an unusual layout."""
    return ImageError(f"This kind of {name} is not supported. Convert the image to JPEG or PNG.")


def broken(name: str) -> ImageError:
    return ImageError(f"The {name} image is truncated or broken. Store it again from its source.")


def needs_extra(what: str, extra: str) -> ImageError:
    return ImageError(
        f"{what} needs the extra {extra}. Install it with pip install 'findimg[{extra}]', or convert the image."
    )
