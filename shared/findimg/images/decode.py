"""Decode an image file once, for the encoder and for the thumbnail. Every input is treated as hostile."""

import hashlib
import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import PIL.Image
from PIL.ExifTags import Base
from PIL.GifImagePlugin import GifImageFile
from PIL.Image import Resampling, Transpose
from PIL.JpegImagePlugin import JpegImageFile
from pillow_heif.as_plugin import HeifImageFile

from findimg.errors import ImageError
from findimg.images.colour import COLOURS, on_white, to_eight_bit, to_srgb
from findimg.images.facts import ImageFacts, read_facts
from findimg.images.formats import readable_formats, unreadable
from findimg.images.perceptual_hash import perceptual_hash
from findimg.images.readers import gif, isobmff, jpeg, png, webp
from findimg.images.readers.bmp import is_bmp, open_bmp
from findimg.images.readers.camera_raw import is_camera_raw, open_camera_raw
from findimg.images.readers.jpeg_xl import is_jpeg_xl, open_jpeg_xl
from findimg.images.readers.tiff import is_tiff, open_tiff
from findimg.images.refusals import LIMIT_BYTES, broken, check_pixels, empty, too_complex, too_many_bytes

MODEL_SIDE = 256  # pixels, the short side that encoders need at least
THUMBNAIL_SIDE = 320  # pixels
_SMALL = 2**22  # pixels. Coded frames up to this size do no harm.
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
_FRAMES = 10  # frames of an animation to search for one that shows something
# Formats that Pillow does not decode, or not in every layout: name, test of the content, reader.
_READERS: tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], PIL.Image.Image]], ...] = (
    ("camera raw", is_camera_raw, open_camera_raw),
    ("TIFF", is_tiff, open_tiff),
    ("BMP", is_bmp, open_bmp),
    ("JPEG XL", is_jpeg_xl, open_jpeg_xl),
)
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Image:
    """One decoded image with the facts that its file states."""

    pixels: PIL.Image.Image  # RGB, upright, sRGB. Reduced, but not below the sides that `decode` was given.
    sha256: str  # of the file's bytes, hex
    facts: ImageFacts
    incomplete: bool = False  # whether the end of the file is missing


def decode(data: bytes, sides: tuple[int, int] = (THUMBNAIL_SIDE, MODEL_SIDE)) -> Image:
    """Decode the first frame of a JPEG, MPO, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC file.

    If an animation begins with frames of one colour, the first other frame is decoded.

    JPEG XL and the previews in camera raw files need the extras `jxl` and `raw`.

    The format is recognised by content. The pixels are upright, in sRGB, and on white where they were transparent. A
    large image is reduced by a whole factor, a JPEG during decoding. Broken metadata is ignored. A JPEG or GIF that
    lacks less than a tenth of its rows is decoded and marked as incomplete.

    Args:
        data: the whole file.
        sides: pixels of the long and the short side. A larger image is not reduced below them.

    Returns:
        The image. Several threads may use it.

    Raises:
        ImageError: the file is empty, not an image, of an unsupported format, broken, or beyond a limit. The message
            names neither the image nor sizes in bytes, so that equal reasons can be counted.

    Source: EXIF 2.32 for the orientation (tag 274).
    """
    if not data:
        raise empty()
    if len(data) > LIMIT_BYTES:
        raise too_many_bytes()
    try:
        return _decode(data, data, sides)
    except ImageError as error:
        # Repairs copy the file, so they run only after a failure.
        for repaired, incomplete in _repairs(data):
            with suppress(ImageError):
                return _decode(repaired, data, sides, incomplete)
        raise error


def thumbnail(image: Image, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return a small JPEG of an image, without metadata.

    Args:
        image: a decoded image.
        side: pixels of the longer side at most. A smaller image is not enlarged.
    """
    small = image.pixels.copy()
    # As sharp as Pillow's default filter when an image shrinks, in two thirds of the time.
    small.thumbnail((side, side), Resampling.HAMMING)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return file.getvalue()


def ignore_pillow_warnings() -> None:
    """Turn off Pillow's warnings in this process. Call it where a process starts.

    Pillow warns of files that `decode` rejects with a reason, and of metadata that it ignores.
    """
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


def _repairs(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield repaired copies of a file, each with whether the end of its pixels is missing."""
    if data.startswith(png.START):
        yield png.without_metadata(data), False
    elif data.startswith(jpeg.START):
        clean = jpeg.without_metadata(data)
        yield clean, False
        if completed := jpeg.completed(clean):
            yield completed, True
    elif data.startswith(gif.STARTS):
        if completed := gif.completed(data):
            yield completed, True
    elif webp.is_webp(data):
        yield webp.with_true_size(data), False


def _decode(data: bytes, original: bytes, sides: tuple[int, int], incomplete: bool = False) -> Image:
    """Decode `data`, which is `original` or a repaired copy of it."""
    picture = _open(data)
    width, height = picture.size
    check_pixels(width, height)
    if not width or not height:
        raise broken(picture.format or "")
    try:
        # A HEIC file would draft its embedded thumbnail, which may show something else.
        if isinstance(picture, JpegImageFile):
            if jpeg.has_several_scans(picture, data) and jpeg.has_too_many_scans(data):
                raise too_complex()
            picture.draft(None, _least(width, height, sides))
        _load(picture)
        orientation = _orientation(picture)
        upright = (height, width) if orientation >= 5 else (width, height)
        facts = read_facts(picture, upright, len(original))
        frame = _first_shown_frame(picture)
        if frame.mode in ("I", "F"):
            frame = _reduced(frame, sides)
        pixels = to_srgb(_reduced(on_white(to_eight_bit(frame)), sides))
        if orientation in _UPRIGHT:
            pixels = pixels.transpose(_UPRIGHT[orientation])
        facts = replace(facts, perceptual_hash=perceptual_hash(pixels))
    except ImageError:
        raise
    except Exception as error:
        # A decoder may raise any exception for hostile bytes.
        raise broken(picture.format or "") from error
    # Metadata would be copied to the thumbnail.
    pixels.info = {}
    return Image(pixels, hashlib.sha256(original).hexdigest(), facts, incomplete)


def _first_shown_frame(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return the first frame of an animation that has more than one colour, or else the first frame.

    Args:
        picture: an image whose first frame is loaded.
    """
    if picture.format not in _ANIMATED:
        return picture
    first = picture
    # A later frame may be broken. A decoder may raise any exception for hostile bytes.
    with suppress(Exception):
        if not getattr(picture, "is_animated", False):
            return picture
        _load(picture)  # to count the frames, Pillow starts again
        if not _has_one_colour(picture):
            return picture
        first = picture.copy()
        for number in range(1, _FRAMES):
            picture.seek(number)
            if picture.size != first.size:
                continue
            _load(picture)
            if not _has_one_colour(picture):
                return picture
    return first


def _load(picture: PIL.Image.Image) -> None:
    """Decode the pixels of the frame that an image is at."""
    picture.load()
    if isinstance(picture, GifImageFile):
        gif.clear_screen(picture)


def _has_one_colour(picture: PIL.Image.Image) -> bool:
    extrema = on_white(to_eight_bit(picture)).getextrema()
    bands = extrema if isinstance(extrema[0], tuple) else (extrema,)
    return all(low == high for low, high in bands)


def _open(data: bytes) -> PIL.Image.Image:
    """Open a file by its content. The pixels are not decoded yet, except those of the formats in `_READERS`.

    The decoders are called directly: `PIL.Image.open` has a process-wide limit of pixels, and HEIF would have to be
    registered for the whole process.
    """
    for name, accepts, read in _READERS:
        if accepts(data):
            try:
                return read(data)
            except ImageError:
                raise
            except Exception as error:
                # A decoder may raise any exception for hostile bytes.
                raise broken(name) from error
    # The decoder takes what follows the cut for pixels, such as the zeros of an interrupted copy.
    if data.startswith(jpeg.START) and jpeg.is_cut(data):
        raise broken("JPEG")
    stated = isobmff.inspect(data) if data[4:8] == b"ftyp" else None
    if stated:
        check_pixels(1, stated.pixels)
    colours = (stated.primaries, stated.transfer) if stated else None
    if webp.is_webp(data):
        webp.check_animation(data)
    if data.startswith(png.START):
        colours = png.stated_colours(data)
    for name in readable_formats(data):
        opens = HeifImageFile if name == "HEIF" else PIL.Image.OPEN[name][0]
        # A decoder may raise any exception for hostile bytes.
        with suppress(Exception):
            picture = opens(io.BytesIO(data), "")
            if colours and "icc_profile" not in picture.info:
                picture.info[COLOURS] = colours
            break
    else:
        raise unreadable(data)
    if stated and stated.pixels > 4 * picture.width * picture.height + _SMALL:
        # The decoder would take memory for a frame that is far larger than the picture.
        raise broken(name)
    return picture


def _least(width: int, height: int, sides: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest (width, height) that has the long and the short side."""
    long, short = sides
    return (long, short) if width >= height else (short, long)


def _orientation(picture: PIL.Image.Image) -> int:
    """Return the orientation, 1 to 8."""
    orientation: Any = 1
    # Broken metadata must not cost the pixels.
    with suppress(Exception):
        orientation = picture.getexif().get(Base.Orientation)
    return orientation if isinstance(orientation, int) and orientation in _UPRIGHT else 1


def _reduced(picture: PIL.Image.Image, sides: tuple[int, int]) -> PIL.Image.Image:
    """Average blocks of pixels if the image is at least twice as large as needed."""
    least_width, least_height = _least(*picture.size, sides)
    factor = min(picture.width // least_width, picture.height // least_height)
    return picture.reduce(factor) if factor > 1 else picture
