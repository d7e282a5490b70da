"""JPEGs with broken metadata or a missing end."""

import io
import struct
from typing import Any

import numpy as np
import PIL.Image
import pytest

from findimg.errors import ImageError
from findimg.images import decode

SMALL = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
PICTURE = PIL.Image.fromarray(SMALL).resize((320, 240))
KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "full colour": {"subsampling": 0},
    "restart markers": {"restart_marker_blocks": 5},
    "progressive": {"progressive": True},
    "progressive, full colour": {"progressive": True, "subsampling": 0, "quality": 95},
}


def saved(picture: PIL.Image.Image = PICTURE, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe2" + struct.pack(">H", 14) + b"ICC_PROFILE\0",
        b"\xff\xee" + struct.pack(">H", 7) + b"Adobe",
        b"\xff\xe1" + struct.pack(">H", 10) + b"Exif\0\0II",
        b"\xff\xed" + struct.pack(">H", 18) + b"Photoshop 3.0\0" + b"8B",
    ],
)
def test_jpeg_with_a_broken_segment_has_the_same_pixels(segment: bytes) -> None:
    data = saved()
    assert decode(data[:2] + segment + data[2:]).pixels.tobytes() == decode(data).pixels.tobytes()


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_jpeg_without_its_end_marker_has_all_pixels_and_is_marked(kind: str, missing: int) -> None:
    data = saved(**KINDS[kind])
    image = decode(data[:-missing])

    assert image.incomplete
    assert not decode(data).incomplete
    assert image.pixels.tobytes() == decode(data).pixels.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_jpeg_without_its_last_percent_is_decoded_and_marked(kind: str) -> None:
    data = saved(**KINDS[kind])
    image = decode(data[: -len(data) // 100])

    assert image.incomplete
    upper = (0, 0, 320, 210)
    difference = np.asarray(image.pixels.crop(upper), int) - np.asarray(decode(data).pixels.crop(upper), int)
    assert np.abs(difference).mean() < 0.5


@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 0.8, 0.85])
@pytest.mark.parametrize("kind", KINDS)
def test_jpeg_without_a_tenth_of_its_rows_is_rejected(kind: str, share: float) -> None:
    data = saved(**KINDS[kind])
    with pytest.raises(ImageError, match="truncated or broken"):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_one_colour_at_the_end_are_not_taken_for_missing_ones(kind: str) -> None:
    picture = PIL.Image.fromarray(np.pad(SMALL.repeat(2, 1), ((0, 90), (0, 0), (0, 0)), constant_values=255))
    data = saved(picture, **KINDS[kind])
    assert decode(data[:-2]).incomplete


@pytest.mark.parametrize("kind", KINDS)
def test_jpeg_of_an_interrupted_copy_that_ends_with_zeros_is_judged_by_its_rows(kind: str) -> None:
    data = saved(**KINDS[kind])
    assert decode(data[:-2] + bytes(5000)).incomplete
    with pytest.raises(ImageError, match="truncated or broken"):
        decode(data[: len(data) // 2] + bytes(len(data) // 2))


def test_progressive_jpeg_that_has_only_its_first_scan_is_rejected() -> None:
    data = saved(progressive=True)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    with pytest.raises(ImageError, match="truncated or broken"):
        decode(data[:second])


def test_jpeg_with_hundreds_of_scans_is_rejected_before_decoding() -> None:
    data = saved(progressive=True)
    last = data.rindex(b"\xff\xda")
    with pytest.raises(ImageError, match="too much time or memory"):
        decode(data[:last] + data[last:-2] * 200 + data[-2:])
