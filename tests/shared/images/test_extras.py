"""Test formats that need an extra: JPEG XL and camera raw."""

import io
import sys

import numpy as np
import PIL.Image
import pytest

from findimg.errors import ImageError
from findimg.images import decode
from findimg.images.formats import missing_extra
from tests.shared.images.test_decode import corners, exif, file, flag

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")
TURNED = flag().transpose(PIL.Image.Transpose.ROTATE_90)


def dng(preview: bool = True, orientation: int = 1) -> bytes:
    """Return a raw file as a camera writes it: a colour filter array, and perhaps a JPEG of another picture."""
    mosaic = np.full((480, 640), 2000, np.uint16)
    # tifffile stores the samples as they are, and readers take them for YCbCr.
    shown = np.asarray((TURNED if orientation == 6 else flag()).resize((640, 480)).convert("YCbCr"))
    output = io.BytesIO()
    with tifffile.TiffWriter(output) as writer:
        camera = [
            (50706, 1, 4, (1, 4, 0, 0), True),
            (50708, 2, 5, "Test", True),
            (271, 2, 5, "Test", True),
            (272, 2, 5, "Test", True),
            (33421, 3, 2, (2, 2), True),
            (33422, 1, 4, (0, 1, 1, 2), True),
            (50721, 10, 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
            (50778, 3, 1, 21, True),
            (50717, 4, 1, 4095, True),
            (274, 3, 1, orientation, True),
        ]
        options = {"photometric": 32803, "extratags": camera, "metadata": None}
        writer.write(mosaic, subifds=1 if preview else 0, **options)
        if preview:
            writer.write(shown, photometric="ycbcr", compression="jpeg", subfiletype=1, rowsperstrip=480, metadata=None)
    return output.getvalue()


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_jpeg_xl_is_decoded(container: bool, mode: str) -> None:
    pytest.importorskip("pillow_jxl")
    image = decode(file(flag().convert(mode), "JXL", use_container=container))
    assert (image.facts.format, image.facts.width, image.facts.height, corners(image.pixels)) == ("JXL", 64, 48, "rgby")


def test_jpeg_xl_is_not_turned_twice() -> None:
    pytest.importorskip("pillow_jxl")
    image = decode(file(flag(), "JXL", exif=exif(6)[6:]))
    assert (image.facts.width, image.facts.height, corners(image.pixels)) == (64, 48, "rgby")


def test_jpeg_xl_with_too_many_pixels_is_rejected_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = pytest.importorskip("pillow_jxl.JpegXLImagePlugin")
    # A size that is not small, a height of 13 bits, and the ratio 1:1, the lowest bits first
    header = 0b01 << 1 | 7999 << 3 | 1 << 16
    data = b"\xff\x0a" + header.to_bytes(30, "little")
    monkeypatch.setattr(plugin, "Decoder", lambda **_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="too much time or memory"):
        decode(data)


@pytest.mark.parametrize("orientation", [1, 6])
def test_preview_of_a_raw_file_is_shown_upright(orientation: int) -> None:
    pytest.importorskip("rawpy")
    image = decode(dng(orientation=orientation))
    assert (image.facts.format, corners(image.pixels)) == ("RAW", "rgby")
    assert (image.facts.width > image.facts.height) == (orientation == 1)


def test_raw_file_without_a_preview_is_developed() -> None:
    pytest.importorskip("rawpy")
    image = decode(dng(preview=False))
    assert (image.facts.width, image.facts.height) == (320, 240)


def test_cut_raw_file_is_rejected() -> None:
    pytest.importorskip("rawpy")
    with pytest.raises(ImageError, match="The camera raw image is truncated or broken"):
        decode(dng()[:4000])


@pytest.mark.parametrize(
    ("package", "data", "sentence"),
    [
        ("pillow_jxl", b"\xff\x0a" + bytes(20), "JPEG XL needs the extra jxl. Install it with pip install"),
        ("rawpy", b"FUJIFILMCCD-RAW 0201" + bytes(100), "Camera raw needs the extra raw. Install it with pip install"),
    ],
)
def test_missing_extra_is_named(package: str, data: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImageError, match=sentence):
        decode(data)


def test_extension_names_its_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert [missing_extra(extension) for extension in (".jxl", ".nef", ".jpg")] == ["jxl", "raw", None]


def test_scan_without_raw_tags_is_no_raw_file() -> None:
    assert decode(file(flag(), "TIFF")).facts.format == "TIFF"
