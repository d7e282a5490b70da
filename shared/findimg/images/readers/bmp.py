"""Decode BMP files: by Pillow where it knows the layout, by numpy otherwise.

Sources: Microsoft, "Bitmap Header Types" (BITMAPINFOHEADER to BITMAPV5HEADER); IBM OS/2 2.0, "Bitmap File Format".
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from findimg.images.refusals import broken, check_pixels, unknown_kind

_START = b"BM"
_FILE_HEADER = 14  # bytes. Files named .dib may lack it.
_OS2_HEADERS = {12, *range(16, 40), *range(41, 52), *range(53, 56), *range(57, 65)}  # OS/2 allows shortened headers
_WINDOWS_HEADERS = {40, 52, 56, 108, 124}
_RGB, _RLE8, _RLE4, _FIELDS, _JPEG, _PNG, _ALPHA_FIELDS = range(7)
_WINDOWS_LAYOUTS = {
    *((_RGB, bits) for bits in (1, 2, 4, 8, 16, 24, 32)),
    *((_FIELDS, bits) for bits in (16, 24, 32)),
    *((_ALPHA_FIELDS, bits) for bits in (16, 24, 32)),
    *((_RLE8, 8), (_RLE4, 4), (_JPEG, 0), (_PNG, 0)),
}
_OS2_LAYOUTS = {*((_RGB, bits) for bits in (1, 4, 8, 16, 24, 32)), (_RLE8, 8), (_RLE4, 4)}
_DEFAULT_MASKS = {16: (0x7C00, 0x3E0, 0x1F, 0), 24: (0xFF0000, 0xFF00, 0xFF, 0), 32: (0xFF0000, 0xFF00, 0xFF, 0)}
_BAND = 2**20  # pixels that are converted at a time


@dataclass(frozen=True, slots=True)
class _Header:
    size: int  # bytes of the header behind the file header
    width: int
    height: int
    is_top_down: bool
    bits: int
    compression: int
    masks: tuple[int, int, int, int]  # red, green, blue, alpha
    palette: NDArray[np.uint8]  # uint8[at most 256, 3]
    pixels: int  # offset in the file


def is_bmp(data: bytes) -> bool:
    """Return whether a file begins like a BMP, with or without its file header."""
    if data.startswith(_START):
        return True
    # Without the file header, only headers that state one plane are certain enough.
    if len(data) < 16:
        return False
    (size,) = struct.unpack_from("<I", data)
    return size in _WINDOWS_HEADERS and struct.unpack_from("<H", data, 12)[0] == 1


def open_bmp(data: bytes) -> PIL.Image.Image:
    """Decode a BMP.

    Alpha that is 0 everywhere is ignored, because programs that know no alpha leave it empty.

    Returns:
        An image with its pixels loaded, or the JPEG or PNG inside.

    Raises:
        ImageError: the file is broken, of an unusual layout, or has too many pixels.
        Exception: decoders may raise any for hostile bytes.
    """
    if not data.startswith(_START):
        data = _START + struct.pack("<IHHI", _FILE_HEADER + len(data), 0, 0, 0) + data
    header = _read_header(data)
    check_pixels(header.width, header.height)
    picture: PIL.Image.Image
    if header.compression in (_JPEG, _PNG):
        inside = io.BytesIO(data[header.pixels :])
        picture = JpegImageFile(inside, "") if header.compression == _JPEG else PngImageFile(inside, "")
    elif header.compression in (_RLE8, _RLE4):
        picture = BmpImageFile(io.BytesIO(_with_plain_header(data, header)), "")
        picture.load()
    else:
        picture = _decode(data, header)
    picture.format = "BMP"
    return picture


def _read_header(data: bytes) -> _Header:
    try:
        (pixels,) = struct.unpack_from("<I", data, 10)
        (size,) = struct.unpack_from("<I", data, _FILE_HEADER)
        if size not in _WINDOWS_HEADERS and size not in _OS2_HEADERS:
            raise broken("BMP")
        fields = data[_FILE_HEADER : _FILE_HEADER + size]
        compression = colours = 0
        if size == 12:
            width, height, _, bits = struct.unpack_from("<HHHH", fields, 4)
        else:
            width, height, _, bits = struct.unpack_from("<iiHH", fields, 4)
            padded = fields.ljust(40, b"\0")
            (compression,), (colours,) = struct.unpack_from("<I", padded, 16), struct.unpack_from("<I", padded, 32)
        layouts = _WINDOWS_LAYOUTS if size in _WINDOWS_HEADERS else _OS2_LAYOUTS
        if width <= 0 or height == 0 or bits not in (0, 1, 2, 4, 8, 16, 24, 32):
            raise broken("BMP")
        if (compression, bits) not in layouts:
            raise unknown_kind("BMP")
        end = _FILE_HEADER + size
        masks = _DEFAULT_MASKS.get(bits, (0, 0, 0, 0))
        if compression in (_FIELDS, _ALPHA_FIELDS):
            # The masks are part of the larger headers, and follow the smallest one.
            count = 4 if size >= 56 or compression == _ALPHA_FIELDS else 3
            stored = struct.unpack_from(f"<{count}I", data, _FILE_HEADER + 40)
            if any(stored):
                masks = (*stored, 0)[:4]
            end = max(end, _FILE_HEADER + 40 + 4 * count)
    except struct.error as error:
        raise broken("BMP") from error
    # A few programs leave the palette out of the offset of the pixels.
    if pixels <= end and bits <= 8:
        pixels = 0
    step = 3 if size == 12 else 4
    palette = np.zeros((0, 3), np.uint8)
    if 0 < bits <= 8:
        count = colours or 2**bits
        if count > 2**16:
            raise broken("BMP")
        # Other programs state a palette that reaches into the pixels.
        available = (pixels - end) // step if pixels else count
        entries = data[end : end + step * min(count, available, 2**bits)]
        entries = entries[: len(entries) // step * step]
        palette = np.frombuffer(entries, np.uint8).reshape(-1, step)[:, 2::-1]
        end += step * count
    return _Header(size, width, abs(height), height < 0, bits, compression, masks, palette, pixels or end)


def _with_plain_header(data: bytes, header: _Header) -> bytes:
    """Return a run-length encoded BMP with a header and a palette that Pillow reads."""
    palette = np.zeros((len(header.palette), 4), np.uint8)
    palette[:, :3] = header.palette[:, ::-1]
    height = -header.height if header.is_top_down else header.height
    sizes = (0, 0, 0, len(palette), 0)
    plain = struct.pack("<IiiHHI5I", 40, header.width, height, 1, header.bits, header.compression, *sizes)
    start = _FILE_HEADER + len(plain) + palette.nbytes
    pixels = data[header.pixels :]
    return _START + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + plain + palette.tobytes() + pixels


def _decode(data: bytes, header: _Header) -> PIL.Image.Image:
    stride = (header.width * header.bits + 31) // 32 * 4
    if header.pixels + stride * header.height > len(data):
        # The last row may lack its padding.
        needed = header.pixels + stride * (header.height - 1) + (header.width * header.bits + 7) // 8
        if needed > len(data):
            raise broken("BMP")
        data = data.ljust(header.pixels + stride * header.height, b"\0")
    stored = np.frombuffer(data, np.uint8, stride * header.height, header.pixels).reshape(header.height, stride)
    if not header.is_top_down:
        stored = stored[::-1]
    has_alpha = header.bits > 8 and header.masks[3] != 0
    pixels = np.empty((header.height, header.width, 4 if has_alpha else 3), np.uint8)
    rows = max(1, _BAND // header.width)
    for top in range(0, header.height, rows):
        band = stored[top : top + rows]
        pixels[top : top + rows] = _from_palette(band, header) if header.bits <= 8 else _from_fields(band, header)
    if has_alpha and not pixels[..., 3].any():
        pixels = pixels[..., :3]
    return PIL.Image.fromarray(pixels)


def _from_palette(band: NDArray[np.uint8], header: _Header) -> NDArray[np.uint8]:
    per_byte = 8 // header.bits
    shifts = np.arange(8 - header.bits, -1, -header.bits, dtype=np.uint8)
    indices = (band[..., None] >> shifts) & np.uint8(2**header.bits - 1)
    indices = indices.reshape(len(band), band.shape[1] * per_byte)[:, : header.width]
    # Indices beyond the palette are black, as in other software.
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(header.palette)] = header.palette
    colours: NDArray[np.uint8] = palette[indices]
    return colours


def _from_fields(band: NDArray[np.uint8], header: _Header) -> NDArray[np.uint8]:
    size = header.bits // 8
    samples = band[:, : header.width * size].reshape(len(band), header.width, size)
    # Most files have whole bytes, which need no arithmetic.
    wholes = {0xFF << 8 * place: place for place in range(size)}
    masks = header.masks if header.masks[3] else header.masks[:3]
    if all(mask in wholes for mask in masks):
        whole: NDArray[np.uint8] = samples[..., [wholes[mask] for mask in masks]]
        return whole
    values = np.zeros(samples.shape[:2], np.uint32)
    for place in range(size):
        values |= samples[..., place].astype(np.uint32) << np.uint32(8 * place)
    return np.stack([_field(values, mask) for mask in masks], axis=-1)


def _field(values: NDArray[np.uint32], mask: int) -> NDArray[np.uint8]:
    """Return the bits of a mask, scaled to 8 bits."""
    if not mask:
        return np.zeros(values.shape, np.uint8)
    low = (mask & -mask).bit_length() - 1
    high = mask >> low
    field = ((values & np.uint32(mask)) >> np.uint32(low)).astype(np.float64)
    return np.rint(field * (255 / high)).astype(np.uint8)
