"""Test BMP layouts that Pillow refuses or shows empty."""

import io
import struct
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from findimg.errors import ImageError
from findimg.images import decode

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 220), "yellow": (230, 220, 30)}
INDEX = np.zeros((48, 64), np.uint8)
INDEX[:24, 32:], INDEX[24:, :32], INDEX[24:, 32:] = 1, 2, 3
PALETTE = np.array(list(COLOURS.values()), np.uint8)
RGB = PALETTE[INDEX]
DEEP = (0x3FF << 20, 0x3FF << 10, 0x3FF, 0)
SHORT = (0xF00, 0xF0, 0xF, 0xF000)


def bmp(pixels: bytes, bits: int, compression: int = 0, **more: Any) -> bytes:
    """Return a BMP of 64 × 48 pixels. `pixels` are its rows from the bottom up."""
    size, palette = more.get("size", 40), more.get("palette", np.zeros((0, 3), np.uint8))
    masks = struct.pack(f"<{len(more.get('masks', ()))}I", *more.get("masks", ()))
    stated = more.get("stated_colours", len(palette))
    header = struct.pack("<IiiHHIIiiII", size, 64, more.get("height", 48), 1, bits, compression, 0, 0, 0, stated, 0)
    if size < 40:
        header = header[:size]
    entries = np.pad(palette[:, ::-1], ((0, 0), (0, 1))).tobytes()
    body = (header + masks).ljust(size, b"\0") + entries
    start = more.get("start", 14 + len(body))
    return b"BM" + struct.pack("<IHHI", 14 + len(body) + len(pixels), 0, 0, start) + body + pixels


def fields(rgb: NDArray[np.uint8], masks: tuple[int, ...], alpha: int, dtype: str) -> bytes:
    values = np.zeros(rgb.shape[:2], np.uint64)
    samples = [*np.moveaxis(rgb, -1, 0), np.full(rgb.shape[:2], alpha, np.uint8)]
    for channel, mask in zip(samples, masks, strict=True):
        low = (mask & -mask).bit_length() - 1 if mask else 0
        values |= np.rint(channel / 255 * (mask >> low)).astype(np.uint64) << np.uint64(low)
    return values[::-1].astype(dtype).tobytes()


def inside(name: str) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(RGB).save(file, name, **({"quality": 95, "subsampling": 0} if name == "JPEG" else {}))
    return file.getvalue()


two_bits = np.packbits(np.unpackbits(INDEX[::-1, :, None], axis=2)[..., 6:].reshape(48, -1), axis=1).tobytes()
bgr0 = np.pad(RGB[::-1, :, ::-1], ((0, 0), (0, 0), (0, 1))).tobytes()
MASKS = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def runs(left: int, right: int) -> bytes:
    """Return a row of two runs of 32 pixels."""
    return bytes([32, left, 32, right, 0, 0])


@pytest.mark.parametrize(
    ("data", "tolerance"),
    [
        (bmp(bgr0, 32, 3, size=56, masks=MASKS), 0),
        (bmp(bgr0, 32, 3, size=124, masks=MASKS), 0),
        (bmp(bgr0, 32, 6, masks=MASKS), 0),
        (bmp(fields(RGB, (0xFF, 0xFF00, 0xFF0000, 0), 0, "<u4"), 32, 3, masks=(0xFF, 0xFF00, 0xFF0000)), 0),
        (bmp(fields(RGB, DEEP, 0, "<u4"), 32, 3, masks=DEEP[:3]), 1),
        (bmp(fields(RGB, SHORT, 255, "<u2"), 16, 3, size=56, masks=SHORT), 9),
        (bmp(two_bits, 2, palette=PALETTE), 0),
        (bmp(INDEX[::-1].tobytes(), 8, size=16, palette=np.resize(PALETTE, (256, 3))), 0),
        (bmp(INDEX[::-1].tobytes(), 8, palette=np.resize(PALETTE, (300, 3))), 0),
        (bmp(INDEX[::-1].tobytes(), 8, palette=PALETTE, stated_colours=256, start=14 + 40 + 16), 0),
        (bmp(INDEX[::-1].tobytes(), 8, palette=PALETTE, start=14 + 40), 0),
        (bmp(runs(2, 3) * 24 + runs(0, 1) * 24 + b"\0\1", 8, 1, palette=np.resize(PALETTE, (300, 3))), 0),
        (bmp(inside("JPEG"), 0, 4), 4),
        (bmp(inside("PNG"), 0, 5), 0),
        (bmp(RGB[:, :, ::-1].tobytes(), 24, height=-48), 0),
        (bmp(RGB[::-1, :, ::-1].tobytes(), 24)[14:], 0),
    ],
    ids=[
        *(
            "alpha 0, V3",
            "alpha 0, V5",
            "alpha fields",
            "RGBX",
            "10 bits",
            "4 bits",
            "palette of 4",
            "OS/2 of 16 bytes",
        ),
        *("palette of 300", "stated palette too long", "offset without palette", "runs, palette of 300", "JPEG", "PNG"),
        *("top down", "without file header"),
    ],
)
def test_layout_has_correct_colours(data: bytes, tolerance: int) -> None:
    image = decode(data)
    assert (image.facts.format, image.facts.width, image.facts.height) == ("BMP", 64, 48)
    assert np.abs(np.asarray(image.pixels).astype(int) - RGB).max() <= tolerance


def test_half_transparent_pixels_are_composed_on_white() -> None:
    image = decode(bmp(fields(RGB, MASKS, 128, "<u4"), 32, 3, size=56, masks=MASKS))
    expected = np.rint(RGB * (128 / 255) + 127)
    assert np.abs(np.asarray(image.pixels) - expected).max() <= 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bmp(bytes(64 * 48), 8, 9), "This kind of BMP is not supported"),
        (bmp(bytes(64 * 48), 1, 3, size=64), "This kind of BMP is not supported"),
        (bmp(bytes(64 * 40), 8, palette=PALETTE), "truncated or broken"),
        (bmp(b"", 30_000), "truncated or broken"),
        (bmp(b"", 8, stated_colours=305_402_420), "truncated or broken"),
        (bmp(b"", 24, height=-(2**31)), "too many pixels"),
    ],
)
def test_refused_bmp_has_a_true_reason(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(data)
