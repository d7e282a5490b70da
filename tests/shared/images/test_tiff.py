"""Test TIFFs that Pillow refuses or decodes wrongly."""

import io
import struct
import sys
import tracemalloc
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from numpy.typing import NDArray

from findimg.errors import ImageError
from findimg.images import decode

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

COLOURS = {"r": (220, 30, 30), "g": (30, 200, 30), "b": (30, 30, 220), "y": (230, 220, 30)}


def flag() -> NDArray[np.uint8]:
    """Return four rectangles: red and green above, blue and yellow below."""
    pixels = np.zeros((240, 320, 3), np.uint8)
    for place, colour in zip([(0, 0), (0, 160), (120, 0), (120, 160)], COLOURS.values(), strict=True):
        pixels[place[0] : place[0] + 120, place[1] : place[1] + 160] = colour
    return pixels


RGB = flag()
GREY = np.asarray(PIL.Image.fromarray(RGB).convert("L"))
CMYK = np.asarray(PIL.Image.fromarray(RGB).convert("CMYK"))
OPAQUE = np.full((*GREY.shape, 1), 255, np.uint8)


def wide(values: NDArray[Any]) -> NDArray[np.uint16]:
    return values.astype(np.uint16) * 257


def written(values: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, values, metadata=None, **options)
    return file.getvalue()


def corners(data: bytes) -> list[tuple[int, ...]]:
    pixels = decode(data).pixels
    assert pixels.mode == "RGB"
    return [pixels.getpixel(place) for place in ((80, 60), (240, 60), (80, 180), (240, 180))]


def assert_close(found: list[tuple[int, ...]], expected: NDArray[np.uint8], tolerance: int = 3) -> None:
    places = ((60, 80), (60, 240), (180, 80), (180, 240))
    for pixel, place in zip(found, places, strict=True):
        colour = np.broadcast_to(expected[place], 3)
        assert np.abs(np.asarray(pixel, int) - colour).max() <= tolerance, (found, place)


@pytest.mark.parametrize(
    "data",
    [
        written(RGB, photometric="rgb"),
        written(wide(RGB), photometric="rgb"),
        written(np.moveaxis(wide(RGB), -1, 0), photometric="rgb", planarconfig="separate"),
        written(np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate"),
        written(wide(np.dstack([RGB, OPAQUE])), photometric="rgb", extrasamples=["unassalpha"]),
        written(np.dstack([RGB, OPAQUE, OPAQUE]), photometric="rgb", extrasamples=["assocalpha", "unspecified"]),
        written((RGB / 255).astype(np.float32), photometric="rgb"),
        written(wide(RGB), photometric="rgb", compression="zlib", predictor=True),
        written(wide(RGB), photometric="rgb", compression="lerc"),
        written(wide(RGB), photometric="rgb", compression="jpeg2000"),
        written(RGB, photometric="rgb", compression="jpegxl"),
        written(RGB.astype(np.uint32) * 16_843_009, photometric="rgb"),
        written(wide(RGB), photometric="rgb", bigtiff=True, byteorder=">"),
        written(wide(RGB), photometric="rgb", tile=(64, 48)),
        written(RGB, photometric="rgb", compression="webp", compressionargs={"level": 90}),
    ],
    ids=range(15),
)
def test_rgb_kinds_have_correct_colours(data: bytes) -> None:
    assert_close(corners(data), RGB)


@pytest.mark.parametrize(
    "data",
    [
        written(GREY, photometric="minisblack"),
        written(wide(GREY), photometric="minisblack"),
        written(65535 - wide(GREY), photometric="miniswhite"),
        written(GREY.astype(np.uint32) * 16_843_009, photometric="minisblack"),
        written((GREY.astype(np.int16) - 128).astype(np.int8), photometric="minisblack"),
        written((GREY / 255).astype(np.float32), photometric="minisblack"),
        written((GREY / 255).astype(np.float16), photometric="minisblack"),
        written(np.dstack([GREY, OPAQUE]), photometric="minisblack", extrasamples=["assocalpha"]),
        written(np.dstack([wide(GREY), wide(OPAQUE)]), photometric="minisblack", extrasamples=["unassalpha"]),
    ],
    ids=range(9),
)
def test_grey_kinds_have_correct_values(data: bytes) -> None:
    assert_close(corners(data), GREY)


@pytest.mark.parametrize(
    "data",
    [
        written(CMYK, photometric="separated"),
        written(np.dstack([CMYK, OPAQUE]), photometric="separated", extrasamples=["unassalpha"]),
        written(np.moveaxis(wide(CMYK), -1, 0), photometric="separated", planarconfig="separate"),
    ],
    ids=range(3),
)
def test_cmyk_kinds_have_correct_colours(data: bytes) -> None:
    assert_close(corners(data), RGB, tolerance=6)


def test_transparent_pixels_are_white() -> None:
    clear = np.dstack([wide(RGB), np.zeros_like(wide(OPAQUE))])
    found = corners(written(clear, photometric="rgb", extrasamples=["unassalpha"]))
    assert found == [(255, 255, 255)] * 4


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "findimg.images.readers.tiff_pages", raising=False)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(ImageError, match=r"findimg\[tiff\]"):
        decode(written(wide(RGB), photometric="rgb"))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_tiff_is_rejected(share: float) -> None:
    data = written(wide(RGB), photometric="rgb")
    with pytest.raises(ImageError, match="truncated or broken"):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("values", [RGB, wide(RGB)], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("tag", [(700, 2, 15, "<x:xmpmeta></x>"), (33723, 4, 3, (1, 2, 3)), (34675, 2, 4, "icc")])
def test_metadata_of_an_odd_type_costs_no_pixels(values: NDArray[Any], tag: tuple[Any, ...]) -> None:
    assert_close(corners(written(values, photometric="rgb", extratags=[(*tag, True)])), RGB)


def test_orientation_of_a_kind_that_pillow_does_not_read_is_applied() -> None:
    data = written(wide(RGB), photometric="rgb", extratags=[(274, 3, 1, 3, True)])
    assert_close(corners(data), RGB[::-1, ::-1])


def directory(data: bytes) -> tuple[int, list[bytes]]:
    """Return the offset of the first directory of a small TIFF, and its entries."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    return start, [data[start + 2 + 12 * number : start + 14 + 12 * number] for number in range(count)]


def with_tags(values: NDArray[Any], *entries: tuple[int, int, int], without: int = 0, **options: Any) -> bytes:
    """Return a TIFF with other entries (tag, type, single value) in its directory."""
    data = written(values, **options)
    _, old = directory(data)
    kept = {struct.unpack("<H", entry[:2])[0]: entry for entry in old}
    kept.pop(without, None)
    for tag, kind, value in entries:
        kept[tag] = struct.pack("<HHII", tag, kind, 1, value)
    body = struct.pack("<H", len(kept)) + b"".join(kept[tag] for tag in sorted(kept)) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + body


@pytest.mark.parametrize("values", [RGB, GREY, wide(RGB)], ids=["RGB", "grey", "RGB of 16 bits"])
@pytest.mark.parametrize(
    "odd",
    [
        *({"without": tag} for tag in (259, 262, 277, 279, 284)),
        *({"entries": [entry]} for entry in ((259, 3, 0), (284, 3, 0), (284, 3, 3), (317, 3, 0), (266, 3, 9))),
        *({"entries": [entry]} for entry in ((279, 4, 0), (279, 4, 10), (278, 3, 0), (278, 4, 2**31), (339, 3, 0))),
        {"entries": [(322, 3, 0), (323, 3, 0)]},
        {"entries": [(530, 3, 2)]},
        {"entries": [(256, 11, 0x43A00000), (257, 11, 0x43700000)]},  # 320.0 and 240.0
    ],
    ids=str,
)
def test_odd_structural_tags_have_correct_pixels(values: NDArray[Any], odd: dict[str, Any]) -> None:
    photometric = "rgb" if values.ndim == 3 else "minisblack"
    data = with_tags(
        values, *odd.get("entries", ()), without=odd.get("without", 0), photometric=photometric, rowsperstrip=240
    )
    assert_close(corners(data), values if values.dtype == np.uint8 else RGB)


def test_palette_of_eight_bits_has_correct_colours() -> None:
    picture = PIL.Image.fromarray(RGB).quantize(4)
    palette = np.zeros((3, 256), np.uint16)
    palette[:, :4] = np.reshape(picture.getpalette()[:12], (4, 3)).T
    data = written(np.asarray(picture), photometric="palette", colormap=palette)
    assert_close(corners(data), RGB)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (GREY.view(np.int8), GREY),
        (np.where(GREY > 100, -1, 0).astype(np.int8), np.where(GREY > 100, 255, 0).astype(np.uint8)),
        ((wide(GREY) // 2).astype(np.int16), GREY),
        ((wide(GREY).astype(np.int32) - 32768).astype(np.int16), GREY),
    ],
    ids=["unsigned bytes", "mask", "positive", "half are negative"],
)
def test_signed_samples_have_correct_values(values: NDArray[Any], expected: NDArray[np.uint8]) -> None:
    assert_close(corners(written(values, photometric="minisblack")), expected)


@pytest.mark.parametrize("alpha", [0, 255])
def test_fourth_sample_of_no_kind_that_is_empty_hides_nothing(alpha: int) -> None:
    values = np.dstack([RGB, np.full_like(OPAQUE, alpha)])
    data = with_tags(values, without=338, photometric="rgb", rowsperstrip=240)
    assert_close(corners(data), RGB)


LAB = PIL.ImageCms.profileToProfile(
    PIL.Image.fromarray(RGB), PIL.ImageCms.createProfile("sRGB"), PIL.ImageCms.createProfile("LAB"), outputMode="LAB"
)
SIGNED = np.frombuffer(LAB.tobytes(), np.uint8).reshape(RGB.shape)
LIGHTNESS, AB = SIGNED[..., :1].astype(float), SIGNED[..., 1:].view(np.int8).astype(float)


@pytest.mark.parametrize(
    ("values", "photometric"),
    [
        (SIGNED, "cielab"),
        (np.dstack([LIGHTNESS * 257, AB * 256]).astype(np.int32).astype(np.uint16), "cielab"),
        (np.dstack([LIGHTNESS / 2.55, AB]).astype(np.float32), "cielab"),
        (np.dstack([LIGHTNESS, AB + 128]).astype(np.uint8), "icclab"),
        (np.dstack([LIGHTNESS * 256, (AB + 128) * 256]).astype(np.uint16), "icclab"),
    ],
    ids=["8 bits", "16 bits", "floating point", "ICC, 8 bits", "ICC, 16 bits"],
)
def test_lab_has_correct_colours(values: NDArray[Any], photometric: str) -> None:
    # 8 bits of L*a*b* are this coarse in dark colours.
    assert_close(corners(written(values, photometric=photometric)), RGB, tolerance=9)


@pytest.mark.parametrize("tag", [277, 258])
def test_impossible_number_of_samples_takes_no_memory(tag: int) -> None:
    data = with_tags(RGB, (tag, 4, 2**28), (277, 4, 2**28), photometric="rgb", rowsperstrip=240)
    tracemalloc.start()
    with pytest.raises(ImageError, match="This kind of TIFF is not supported"):
        decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([(256, 4, 2**31)], "too many pixels"),
        ([(256, 4, 50_000), (322, 3, 1), (323, 3, 1)], "too much time or memory"),
        ([(256, 3, 0)], "truncated or broken"),
        ([(257, 3, 0)], "truncated or broken"),
    ],
    ids=["huge width", "tiny tiles", "no width", "no height"],
)
def test_impossible_size_takes_no_memory(entries: list[tuple[int, int, int]], reason: str) -> None:
    data = with_tags(wide(RGB), *entries, photometric="rgb", tile=(16, 16))
    tracemalloc.start()
    with pytest.raises(ImageError, match=reason):
        decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8_000_000


@pytest.mark.parametrize("kind", ["jpeg2000", "jpegxl", "lerc"])
def test_codestream_larger_than_its_tiff_states_is_rejected_before_decoding(kind: str) -> None:
    large = np.zeros((2048, 2048, 3), np.uint16)
    codestream = written(large, photometric="rgb", compression=kind, rowsperstrip=2048)
    with tifffile.TiffFile(io.BytesIO(codestream)) as file:
        tags = file.pages[0].tags
        places = [tags[number].valueoffset for number in (256, 257, 278)]
    data = bytearray(codestream)
    for place in places:
        data[place : place + 2] = (160).to_bytes(2, "little")
    tracemalloc.start()
    with pytest.raises(ImageError, match="truncated or broken"):
        decode(bytes(data))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000
