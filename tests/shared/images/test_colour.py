"""Test linear profiles and high dynamic range. Every picture must look like the flag in sRGB."""

import struct
import zlib
from typing import Any

import numpy as np
import PIL.Image
import pillow_heif
import pytest
from numpy.typing import NDArray

from findimg.errors import ImageError
from findimg.images import decode
from tests.shared.images.test_decode import file, flag, noise

pillow_heif.register_heif_opener()

SRGB = np.asarray(flag()) / 255
GREY = np.asarray(flag().convert("L")) / 255
TO_2020 = np.array([[0.627404, 0.329283, 0.043313], [0.069097, 0.919540, 0.011362], [0.016391, 0.088013, 0.895595]])


def linear(values: NDArray[Any]) -> NDArray[Any]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def picture(values: NDArray[Any], depth: int = 8) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.rint(values * (2**depth - 1)).astype(np.uint8 if depth == 8 else np.uint16))


def profile(space: str, name: str) -> bytes:
    """Return an ICC profile of version 2 with linear curves, in sRGB's primaries if it has colours."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    title = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(title)) + title + bytes(78),
        b"wtpt": xyz(0.9642, 1, 0.8249),
    }
    if space == "RGB":
        columns = (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)
        tags |= {f"{colour}XYZ".encode(): xyz(*column) for colour, column in zip("rgb", columns, strict=True)}
    curves = [b"rTRC", b"gTRC", b"bTRC"] if space == "RGB" else [b"kTRC"]
    tags |= dict.fromkeys(curves, b"curv\0\0\0\0" + bytes(4))
    table, body = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(content))
        body += content.ljust(len(content) + -len(content) % 4, b"\0")
    head = struct.pack(
        ">I4sI4s4s4s", 128 + len(table + body), b"", 0x02400000, b"mntr", space.ljust(4).encode(), b"XYZ "
    )
    head = (head.ljust(36, b"\0") + b"acsp").ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def assert_like(data: bytes, expected: NDArray[Any], tolerance: int) -> None:
    found = np.asarray(decode(data).pixels).astype(int)
    wanted = np.rint(expected * 255)
    assert np.median(np.abs(found - (wanted if wanted.ndim == 3 else wanted[..., None]))) <= tolerance
    for y, x in ((12, 16), (12, 48), (36, 16), (36, 48)):
        assert np.abs(found[y, x] - wanted[y, x]).max() <= tolerance


@pytest.mark.parametrize("name", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize("title", ["Linear sRGB", "linear"])
def test_linear_rgb_profile_is_applied_whatever_its_name(name: str, title: str) -> None:
    options = {"quality": 100, "subsampling": 0} if name == "JPEG" else {}
    data = file(picture(linear(SRGB)), name, icc_profile=profile("RGB", title), **options)
    assert_like(data, SRGB, tolerance=5)


@pytest.mark.parametrize(
    "grey", [picture(linear(GREY)), picture(linear(GREY), 16), picture(linear(GREY)).convert("LA")]
)
@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_linear_grey_profile_is_applied(grey: PIL.Image.Image, name: str) -> None:
    assert_like(file(grey, name, icc_profile=profile("GRAY", "Linear Gray")), GREY, tolerance=3)


def in_pq(light: NDArray[Any]) -> NDArray[Any]:
    """Return the signal for light in cd/m² (SMPTE ST 2084)."""
    power = (light / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def in_hlg(light: NDArray[Any]) -> NDArray[Any]:
    """Return the signal for light in cd/m² on a display of 1,000 cd/m² (ARIB STD-B67)."""
    share = light / 1000
    scene = share * np.maximum(share @ [0.2627, 0.678, 0.0593], 1e-9)[..., None] ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def stating(data: bytes, primaries: int, transfer: int) -> bytes:
    """Return an AVIF or HEIC file that states other colours."""
    at = data.index(b"nclx") + 4
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def cicp_png(shown: PIL.Image.Image, primaries: int, transfer: int) -> bytes:
    data = file(shown, "PNG")
    chunk = b"cICP" + bytes([primaries, transfer, 0, 1])
    return data[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


@pytest.mark.parametrize(("transfer", "encode"), [(16, in_pq), (18, in_hlg)], ids=["PQ", "HLG"])
def test_high_dynamic_range_with_nothing_brighter_than_white_looks_like_srgb(transfer: int, encode: Any) -> None:
    signal = picture(np.clip(encode(203 * linear(SRGB) @ TO_2020.T), 0, 1))
    assert_like(stating(file(signal, "HEIF", quality=98, chroma=444), 9, transfer), SRGB, tolerance=14)
    # 8 bits of PQ are coarse. The encoder of AVIF changes saturated colours, which few bits stand for.
    assert_like(stating(file(signal, "AVIF", quality=100, subsampling="4:4:4"), 9, transfer), SRGB, tolerance=30)
    assert_like(cicp_png(signal, 9, transfer), SRGB, tolerance=14)


def test_highlights_keep_their_order_and_hue() -> None:
    # 100, 203, 1,000 and 4,000 cd/m² of an orange
    light = np.repeat([[100.0], [203.0], [1000.0], [4000.0]], 60, axis=1)[..., None] * [1.0, 0.5, 0.1]
    signal = picture(in_pq(np.repeat(light, 20, axis=0)))
    found = np.asarray(decode(cicp_png(signal, 1, 16)).pixels).astype(int)[10::20, 30]
    assert (np.diff(found[:, 0]) > 5).all()
    assert found[-1, 0] >= 250
    assert (found[:, 0] > found[:, 1] + 20).all()
    assert (found[:, 1] > found[:, 2] + 20).all()


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
def test_codestream_far_larger_than_its_container_states_is_rejected_before_decoding(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = file(PIL.Image.new("L", (4000, 4000)), name)
    sizes = struct.pack(">II", 4000, 4000)
    assert sizes in data
    monkeypatch.setattr(PIL.Image.Image, "load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match=f"The {name} image is truncated or broken"):
        decode(data.replace(sizes, struct.pack(">II", 64, 48)))


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
def test_size_of_an_odd_picture_is_no_lie(name: str) -> None:
    assert decode(file(noise(5, 3), name)).facts.width == 5
