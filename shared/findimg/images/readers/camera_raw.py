"""Show the preview that cameras embed in raw files, with the extra `raw`.

Sources: TIFF/EP (ISO 12234-2) and the DNG specification 1.6 for raw files in TIFF; LibRaw for the other ones.
"""

import io
from contextlib import suppress

import PIL.Image
from PIL.ExifTags import IFD, Base
from PIL.JpegImagePlugin import JpegImageFile

from findimg.images.readers.jpeg import has_too_many_scans
from findimg.images.readers.tiff import is_tiff
from findimg.images.readers.tiff_directory import Directory, read_directory, read_directory_at
from findimg.images.refusals import check_pixels, needs_extra

_STARTS = (
    *(b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"IIII"),
    b"II\x1a\0\0\0HEAPCCDR",
)
_CR2 = b"CR"  # at offset 8 of a TIFF
_CR3 = b"ftypcrx "  # at offset 4
_COMPRESSION, _PHOTOMETRIC, _SUB_DIRECTORIES, _DNG_VERSION = 259, 262, 330, 50706
_RAW_COMPRESSIONS = (32767, 34713, 65535)  # Sony, Nikon, Pentax
_RAW_COLOURS = (32803, 34892)  # colour filter array, linear raw
_MAX_SUB_DIRECTORIES = 8
_TURNED = {3: 3, 5: 8, 6: 6}  # LibRaw's flip → orientation in EXIF
_LEAST_SIDE = 320  # pixels of a preview that is large enough


def is_camera_raw(data: bytes) -> bool:
    """Return whether a file is a camera's raw file."""
    if data.startswith(_STARTS) or data[4:12] == _CR3:
        return True
    if not is_tiff(data):
        return False
    if data[8:10] == _CR2:
        return True
    try:
        directory = read_directory(data)
        if _DNG_VERSION in directory.entries or _is_raw(directory):
            return True
        below = (directory.numbers(_SUB_DIRECTORIES) or [])[:_MAX_SUB_DIRECTORIES]
    except ValueError:
        return False
    for offset in below:
        with suppress(ValueError):
            if _is_raw(read_directory_at(data, offset)):
                return True
    return False


def open_camera_raw(data: bytes) -> PIL.Image.Image:
    """Return the embedded preview. A raw file with a small preview or none is developed in half its size.

    Raises:
        ImageError: the extra is missing, or the image has too many pixels.
        Exception: LibRaw may raise any for hostile bytes.
    """
    try:
        import rawpy
    except ImportError as error:
        raise needs_extra("Camera raw", "raw") from error
    with rawpy.imread(io.BytesIO(data)) as raw:
        sizes = raw.sizes
        check_pixels(sizes.raw_width, sizes.raw_height)
        picture: PIL.Image.Image | None = None
        with suppress(rawpy.LibRawError):
            preview = raw.extract_thumb().data
            if not isinstance(preview, bytes):
                picture = PIL.Image.fromarray(preview)
            elif not has_too_many_scans(preview):
                picture = JpegImageFile(io.BytesIO(preview), "")
        if picture is None or max(picture.size) < _LEAST_SIDE:
            picture = PIL.Image.fromarray(raw.postprocess(half_size=True, use_camera_wb=True, user_flip=0))
        turned = _TURNED.get(sizes.flip, 1)
    check_pixels(*picture.size)
    picture.load()
    _add_metadata(picture, data, turned)
    picture.format = "RAW"
    return picture


def _is_raw(directory: Directory) -> bool:
    return directory.number(_COMPRESSION, 1) in _RAW_COMPRESSIONS or directory.number(_PHOTOMETRIC, 0) in _RAW_COLOURS


def _add_metadata(picture: PIL.Image.Image, data: bytes, turned: int) -> None:
    """Add the orientation and the capture times that only the raw file states.

    Other tags of the raw file are not read, so a fact that needs one must have it copied here, see
    `findimg.images.facts`.
    """
    exif = picture.getexif()
    if Base.Orientation not in exif:
        exif[Base.Orientation] = turned
    if is_tiff(data):
        stated = PIL.Image.Exif()
        # Broken metadata must not cost the picture.
        with suppress(Exception):
            stated.load(data)
            for tag, value in stated.get_ifd(IFD.Exif).items():
                if tag in (Base.DateTimeOriginal, Base.DateTimeDigitized):
                    exif.get_ifd(IFD.Exif).setdefault(tag, value)
