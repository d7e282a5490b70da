"""PNGs with sound pixels and broken metadata are decoded."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from findimg.errors import ImageError
from findimg.images import decode

PICTURE = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)).resize((320, 240))
PROFILE = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()


def saved(name: str, **options: object) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, name, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes, checksum: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + (checksum or struct.pack(">I", zlib.crc32(kind + body)))


@pytest.mark.parametrize(
    "metadata",
    [
        chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"node " * 300_000)),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * 2_000_000)),
        chunk(b"tEXt", b"a\0" + b"b" * 1_500_000),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(PROFILE + bytes(1_500_000))),
        chunk(b"iCCP", b"p\0\0" + zlib.compress(PROFILE), b"\1\2\3\4"),
        chunk(b"iCCP", b""),
        chunk(b"iCCP", b"p\0\0not compressed"),
        chunk(b"tEXt", b"a\0b", b"\1\2\3\4"),
        chunk(b"gAMA", b"\0"),
        chunk(b"pHYs", b"\0\0"),
        chunk(b"cHRM", b"\0" * 5),
        chunk(b"sRGB", b""),
        chunk(b"eXIf", b"II*", b"\1\2\3\4"),
        chunk(b"tIME", b"\0", b"\1\2\3\4"),
    ],
)
@pytest.mark.parametrize("place", ["before the pixels", "after the pixels"])
def test_png_with_broken_metadata_has_the_same_pixels(metadata: bytes, place: str) -> None:
    data = saved("PNG")
    at = data.index(b"IDAT" if place == "before the pixels" else b"IEND") - 4
    image = decode(data[:at] + metadata + data[at:])

    assert image.pixels.tobytes() == decode(data).pixels.tobytes()
    assert not image.incomplete


def test_png_with_a_wrong_checksum_of_pixels_is_rejected() -> None:
    data = bytearray(saved("PNG"))
    data[data.index(b"IDAT") + 200] ^= 0xFF
    with pytest.raises(ImageError, match="truncated or broken"):
        decode(bytes(data))
