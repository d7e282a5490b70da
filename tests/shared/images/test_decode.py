import hashlib
import io
import itertools
import re
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageFile
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL.ExifTags import IFD, Base

from findimg import images
from findimg.errors import ImageError
from findimg.images import EXTENSIONS, LIMIT_BYTES, LIMIT_PIXELS, MODEL_SIDE, THUMBNAIL_SIDE, decode, thumbnail

pillow_heif.register_heif_opener()  # to write HEIC files here

ROOT = Path(__file__).parents[3]
PHOTOS = ROOT.parent / "shared" / "photos"
FORMATS = ["JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
CORNERS = {"r": (220, 30, 30), "g": (30, 200, 30), "b": (30, 30, 220), "y": (230, 220, 30)}


def flag(width: int = 64, height: int = 48) -> PIL.Image.Image:
    """Return four rectangles: red and green above, blue and yellow below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    rows, columns = slice(None, height // 2), slice(None, width // 2)
    pixels[...] = CORNERS["y"]
    pixels[rows] = CORNERS["g"]
    pixels[:, columns] = CORNERS["b"]
    pixels[rows, columns] = CORNERS["r"]
    return PIL.Image.fromarray(pixels)


def noise(width: int, height: int) -> PIL.Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    return PIL.Image.fromarray(values)


def file(picture: PIL.Image.Image, name: str, **options: Any) -> bytes:
    """Return the bytes of `picture` as a file of format `name`."""
    if name == "MPO":
        options |= {"save_all": True, "append_images": [PIL.Image.new("RGB", picture.size, "black")]}
    if name in ("JPEG", "MPO", "WEBP", "AVIF", "HEIF"):
        options.setdefault("quality", 90)
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


def exif(orientation: int = 1, **times: str) -> bytes:
    tags = PIL.Image.Exif()
    tags[Base.Orientation] = orientation
    for name, time in times.items():
        tags.get_ifd(IFD.Exif)[Base[name]] = time
    return tags.tobytes()


def png(width: int, height: int, body: bytes) -> bytes:
    """Return a greyscale PNG of 1 bit a pixel, from a header and compressed rows."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def profile(device: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return an ICC profile (ICC.1:2001-04, chapter 6): a header of 128 bytes, a table of tags, their contents."""
    table, content = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(content), len(value))
        content += value.ljust(-(-len(value) // 4) * 4, b"\0")
    head = struct.pack(
        ">I4sI4s4s4s12x4s28x", 128 + len(table + content), b"", 0x02400000, device, space, connection, b"acsp"
    )
    return (head + xyz(0.9642, 1, 0.8249)[8:]).ljust(128, b"\0") + table + content


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def display_p3() -> bytes:
    """Return the RGB profile of recent phones: wider primaries (adapted to D50), the tone curve of sRGB."""
    curve = b"para\0\0\0\0" + struct.pack(
        ">HH5i", 3, 0, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
    )
    return profile(
        b"mntr",
        b"RGB ",
        b"XYZ ",
        {
            b"wtpt": xyz(0.9642, 1, 0.8249),
            b"rXYZ": xyz(0.51512, 0.2412, -0.00105),
            b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
            b"bXYZ": xyz(0.1571, 0.06657, 0.78407),
            b"rTRC": curve,
            b"gTRC": curve,
            b"bTRC": curve,
        },
    )


def odd_inks() -> bytes:
    """Return an unusual CMYK profile: cyan prints red, magenta and yellow print nothing."""
    white, red, black = bytes([255, 128, 128]), bytes([138, 209, 195]), bytes([0, 128, 128])  # Lab, 8 bits a channel
    inks = itertools.product((False, True), repeat=4)
    colours = b"".join(black if key else red if cyan else white for cyan, _, _, key in inks)
    matrix = struct.pack(">9i", *(65536 * one for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    straight = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + straight * 4 + colours + straight * 3
    return profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": xyz(0.9642, 1, 0.8249), b"A2B0": table})


def blue_of_palette() -> PIL.Image.Image:
    picture = PIL.Image.new("P", (8, 8), 3)
    picture.putpalette(bytes([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]))
    return picture


def corners(picture: PIL.Image.Image) -> str:
    """Return the letters of CORNERS at top left, top right, bottom left, bottom right."""
    width, height = picture.size
    x, y = width // 4, height // 4
    places = [(x, y), (width - 1 - x, y), (x, height - 1 - y), (width - 1 - x, height - 1 - y)]
    return "".join(min(CORNERS, key=lambda c: far(picture.getpixel(place), CORNERS[c])) for place in places)


def far(one: Any, other: Any) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


ONE_SENTENCE = re.compile(r"\AThe .{10,300}\.\Z")


def refusal(data: bytes) -> str:
    """Return the error message for bytes that `decode` refuses."""
    with pytest.raises(ImageError, match=ONE_SENTENCE) as caught:
        decode(data)
    return str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_decoded(name: str) -> None:
    data = file(flag(), name)
    image = decode(data)
    assert (image.facts.format, image.facts.width, image.facts.height, image.facts.bytes) == (name, 64, 48, len(data))
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert image.facts.taken is None
    assert (image.pixels.mode, image.pixels.size) == ("RGB", (64, 48))
    assert corners(image.pixels) == "rgby"
    assert far(image.pixels.getpixel((8, 8)), CORNERS["r"]) < 25


def test_every_listed_extension_belongs_to_a_format_that_is_decoded() -> None:
    registered = PIL.Image.registered_extensions()
    other_names = {".avifs", ".heics", ".heifs", ".hif", ".insp", ".jps", ".pjpeg", ".dib"}
    assert {registered[extension] for extension in EXTENSIONS - other_names} == set(FORMATS)


@pytest.mark.parametrize("name", ["JPEG", "MPO", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize(
    ("orientation", "stored"),
    [(1, "rgby"), (2, "gryb"), (3, "ybgr"), (4, "byrg"), (5, "rbgy"), (6, "gyrb"), (7, "ygbr"), (8, "bryg")],
)
def test_every_orientation_is_made_upright(name: str, orientation: int, stored: str) -> None:
    turned = PIL.Image.new("RGB", (48, 64) if orientation >= 5 else (64, 48))
    width, height = turned.size
    for index, corner in enumerate(stored):
        box = (index % 2 * width // 2, index // 2 * height // 2)
        turned.paste(CORNERS[corner], (*box, box[0] + width // 2, box[1] + height // 2))
    image = decode(file(turned, name, exif=exif(orientation)))
    assert corners(image.pixels) == "rgby"
    assert (image.facts.width, image.facts.height) == image.pixels.size == (64, 48)


def test_large_rotated_jpeg_keeps_its_upright_size() -> None:
    image = decode(file(flag(1999, 2000), "JPEG", exif=exif(6)))
    assert (image.facts.width, image.facts.height) == (2000, 1999)
    assert image.pixels.width < 1000
    assert corners(image.pixels) == "bryg"


@pytest.mark.parametrize(
    ("name", "picture", "options"),
    [
        ("PNG", PIL.Image.new("RGBA", (8, 8), (200, 0, 0, 0)), {}),
        ("PNG", PIL.Image.new("LA", (8, 8), (0, 0)), {}),
        ("PNG", blue_of_palette(), {"transparency": 3}),
        ("PNG", blue_of_palette(), {"transparency": bytes([255, 255, 255, 0])}),
        ("PNG", PIL.Image.new("RGB", (8, 8), (9, 9, 9)), {"transparency": (9, 9, 9)}),
        ("PNG", PIL.Image.new("L", (8, 8), 9), {"transparency": 9}),
        ("GIF", blue_of_palette(), {"transparency": 3}),
        ("WEBP", PIL.Image.new("RGBA", (8, 8), (200, 0, 0, 0)), {"lossless": True}),
        ("TIFF", PIL.Image.new("RGBA", (8, 8), (200, 0, 0, 0)), {}),
        ("AVIF", PIL.Image.new("RGBA", (8, 8), (200, 0, 0, 0)), {}),
        ("HEIF", PIL.Image.new("RGBA", (64, 64), (200, 0, 0, 0)), {}),
    ],
    ids=lambda value: value.mode if isinstance(value, PIL.Image.Image) else None,
)
def test_transparent_pixels_become_white(name: str, picture: PIL.Image.Image, options: dict[str, Any]) -> None:
    assert far(decode(file(picture, name, **options)).pixels.getpixel((4, 4)), (255, 255, 255)) <= 2


def test_half_transparent_red_turns_pink() -> None:
    image = decode(file(PIL.Image.new("RGBA", (8, 8), (255, 0, 0, 128)), "PNG"))
    assert far(image.pixels.getpixel((4, 4)), (255, 127, 127)) <= 1


def test_palette_image_keeps_its_colours() -> None:
    assert corners(decode(file(flag().quantize(16), "PNG")).pixels) == "rgby"


def test_black_and_white_of_one_bit_is_decoded() -> None:
    image = decode(file(PIL.Image.new("1", (8, 8), 1), "PNG"))
    assert image.pixels.getpixel((4, 4)) == (255, 255, 255)


def ramp(dtype: str, top: float, bottom: float = 0) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.tile(np.linspace(bottom, top, 256), (8, 1)).astype(dtype))


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("PNG", ramp("<u2", 65535)),
        ("TIFF", ramp("<u2", 65535)),
        ("TIFF", ramp(">u2", 65535)),
        ("TIFF", ramp("<i4", 65535)),
        ("TIFF", ramp("<i4", 2**30, -(2**30))),
        ("TIFF", ramp("<f4", 1)),
        ("TIFF", ramp("<f4", 5e6, -4)),
    ],
    ids=["PNG 16", "TIFF 16", "TIFF 16 big-endian", "TIFF 32 used as 16", "TIFF 32", "TIFF float", "TIFF wide float"],
)
def test_deep_greyscale_is_scaled_and_not_clipped(name: str, picture: PIL.Image.Image) -> None:
    greys = np.asarray(decode(file(picture, name)).pixels)[4, :, 0].astype(int)
    assert abs(greys - np.arange(256)).max() <= 2


def test_dark_deep_greyscale_stays_dark() -> None:
    image = decode(file(PIL.Image.fromarray(np.full((8, 8), 6553, np.uint16)), "PNG"))
    assert far(image.pixels.getpixel((4, 4)), (25, 25, 25)) <= 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_float_greyscale_without_a_usable_range_is_decoded(value: float) -> None:
    values = np.full((8, 8), value, np.float32)
    assert decode(file(PIL.Image.fromarray(values), "TIFF")).pixels.size == (8, 8)
    values[0, 0], values[0, 1] = -3e38, 3e38
    assert decode(file(PIL.Image.fromarray(values), "TIFF")).pixels.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 0, 0, 0), (255, 255, 255)), ((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_cmyk_without_a_profile_is_not_inverted(name: str, ink: tuple[int, ...], colour: tuple[int, ...]) -> None:
    image = decode(file(PIL.Image.new("CMYK", (16, 16), ink), name))
    assert far(image.pixels.getpixel((8, 8)), colour) <= 3


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_own_profile(name: str) -> None:
    for ink, colour in [
        ((255, 0, 0, 0), (255, 0, 0)),
        ((0, 255, 255, 0), (255, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ]:
        image = decode(file(PIL.Image.new("CMYK", (16, 16), ink), name, icc_profile=odd_inks()))
        assert far(image.pixels.getpixel((8, 8)), colour) < 12


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_display_p3_comes_as_srgb(name: str) -> None:
    # The pure red of sRGB has these coordinates in Display P3.
    image = decode(file(PIL.Image.new("RGB", (64, 64), (234, 51, 35)), name, icc_profile=display_p3()))
    assert far(image.pixels.getpixel((32, 32)), (255, 0, 0)) < 12


@pytest.mark.parametrize("broken", [b"", b"no profile", display_p3()[:200], odd_inks(), b"\0" * 5_000_000])
def test_broken_or_foreign_profile_is_ignored(broken: bytes) -> None:
    image = decode(file(flag(), "JPEG", icc_profile=broken))
    assert far(image.pixels.getpixel((8, 8)), CORNERS["r"]) < 25


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_counts(name: str) -> None:
    image = decode(file(flag(), name, save_all=True, append_images=[PIL.Image.new("RGB", (64, 48)), noise(64, 48)]))
    assert corners(image.pixels) == "rgby"
    assert (image.facts.width, image.facts.height) == (64, 48)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("colour", [(0, 0, 0, 255), (0, 0, 0, 0)])
def test_animation_that_begins_with_one_colour_shows_its_first_other_frame(
    name: str, colour: tuple[int, int, int, int]
) -> None:
    blank = PIL.Image.new("RGBA", (64, 48), colour)
    frames = [blank, flag().convert("RGBA"), noise(64, 48).convert("RGBA")]
    data = file(blank, name, save_all=True, append_images=frames, duration=[100, 110, 120, 130], disposal=2)
    assert corners(decode(data).pixels) == "rgby"


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_animation_of_one_colour_or_with_a_broken_second_frame_shows_its_first_frame(name: str) -> None:
    blank = PIL.Image.new("RGB", (64, 48), (200, 30, 30))
    plain = file(blank, name, save_all=True, append_images=[PIL.Image.new("RGB", (64, 48), (30, 30, 200))])
    cut = file(blank, name, save_all=True, append_images=[noise(64, 48)])
    for data in (plain, cut[: len(cut) * 9 // 10]):
        assert far(decode(data).pixels.getpixel((8, 8)), (200, 30, 30)) < 12


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
@pytest.mark.parametrize("side", [1, 255, 256, 511, 512, 640, 1300, 2100])
@pytest.mark.parametrize("other", [40, 320, 641, 1921])
def test_no_image_is_reduced_below_what_the_backbone_and_the_thumbnail_need(name: str, side: int, other: int) -> None:
    image = decode(file(PIL.Image.new("RGB", (side, other)), name))
    assert (image.facts.width, image.facts.height) == (side, other)
    short, long = sorted(image.pixels.size)
    assert short >= min(MODEL_SIDE, side, other)
    assert long >= min(THUMBNAIL_SIDE, max(side, other))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF"])
def test_large_image_is_reduced_without_visible_change(name: str) -> None:
    image = decode(file(flag(4000, 3000), name))
    assert (image.facts.width, image.facts.height) == (4000, 3000)
    assert image.pixels.width < 700
    assert corners(image.pixels) == "rgby"


@pytest.mark.parametrize("length", range(1, 20))
@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "HEIF"])
def test_file_of_few_bytes_is_rejected(name: str, length: int) -> None:
    assert refusal(file(flag(), name)[:length])


def test_empty_file_is_rejected() -> None:
    assert "empty" in refusal(b"")


@pytest.mark.parametrize(
    "data", [b"a", b"Dear all,\nhere is the text.", b"<svg xmlns='http://www.w3.org/2000/svg'/>", bytes(99)]
)
def test_file_that_is_not_an_image_is_rejected(data: bytes) -> None:
    assert refusal(data).startswith("The format of the file is unknown. findimg reads JPEG,")


@pytest.mark.parametrize("name", ["PPM", "ICO", "JPEG2000", "EPS"])
def test_unsupported_format_is_rejected(name: str) -> None:
    assert f"The file is {name}, a format that findimg does not read" in refusal(file(flag(), name))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.85])
def test_truncated_image_is_rejected(name: str, share: float) -> None:
    data = file(noise(200, 150), name)
    # An MPO is complete when its first image is.
    data = data[: len(data) // 2] if name == "MPO" else data
    assert "truncated" in refusal(data[: max(16, int(len(data) * share))])


def test_webp_that_states_a_wrong_size_is_decoded() -> None:
    data = file(flag(), "WEBP")
    for size in (0, len(data) - 108, len(data) + 100, 2**32 - 2):
        assert corners(decode(data[:4] + struct.pack("<I", size) + data[8:]).pixels) == "rgby"


@pytest.mark.parametrize("name", ["GIF", "WEBP"])
def test_animation_that_is_cut_behind_its_first_frame_shows_this_frame(name: str) -> None:
    data = file(flag(), name, save_all=True, append_images=[noise(64, 48), noise(64, 48).rotate(90)], duration=100)
    assert corners(decode(data[: len(data) * 9 // 10]).pixels) == "rgby"


def on_screen(picture: PIL.Image.Image, width: int, height: int, left: int, top: int, **options: Any) -> bytes:
    """Return a GIF whose frames are smaller than its screen."""
    data = bytearray(file(picture, "GIF", **options))
    data[6:10] = struct.pack("<HH", width, height)
    frame = data.index(b"\x2c\0\0\0\0" + struct.pack("<HH", *picture.size))
    data[frame + 1 : frame + 5] = struct.pack("<HH", left, top)
    return bytes(data)


@pytest.mark.parametrize("mode", ["P", "L"])
@pytest.mark.parametrize("background", [0, 1])
def test_screen_around_a_smaller_gif_frame_is_transparent_as_in_browsers(mode: str, background: int) -> None:
    colours = PIL.Image.new("RGB", (64, 48), (200, 30, 30))
    colours.paste((30, 30, 200), (0, 0, 32, 48))
    picture = colours.quantize(2) if mode == "P" else colours.convert("L")
    data = on_screen(picture, 100, 80, 20, 10, background=background)
    pixels = decode(data).pixels
    assert pixels.size == (100, 80)
    framed = PIL.Image.new("RGB", (100, 80), "white")
    framed.paste(picture.convert("RGB"), (20, 10))
    assert np.abs(np.asarray(pixels, int) - np.asarray(framed, int)).max() < 2


def test_removed_gif_frame_leaves_nothing_behind_as_in_browsers() -> None:
    blank, small = PIL.Image.new("RGB", (64, 48), (200, 30, 30)), PIL.Image.new("RGB", (64, 48), (200, 30, 30))
    small.paste((30, 30, 200), (20, 10, 40, 30))
    data = bytearray(file(blank, "GIF", save_all=True, append_images=[small], disposal=1, duration=[100, 110]))
    # Pillow writes only the part of the second frame that differs. The first one is removed before it.
    control = data.index(b"\x21\xf9\x04")
    data[control + 3] = data[control + 3] & 0b11100011 | 2 << 2
    pixels = decode(bytes(data)).pixels
    assert far(pixels.getpixel((30, 20)), (30, 30, 200)) < 12
    assert pixels.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("missing", [3, 40, 400])
def test_gif_that_lacks_a_few_of_its_pixels_is_decoded_and_marked(missing: int) -> None:
    data = file(noise(160, 100), "GIF")
    image, whole = decode(data[:-missing]), decode(data)
    assert (image.incomplete, whole.incomplete) == (True, False)
    assert (np.asarray(image.pixels) == np.asarray(whole.pixels)).all(axis=2).mean() >= 0.95


def test_gif_whose_frame_is_smaller_than_its_data_is_decoded_or_rejected() -> None:
    data = bytearray(file(noise(160, 100), "GIF"))
    frame = data.index(b"\x2c\0\0\0\0")
    data[frame + 5 : frame + 9] = struct.pack("<HH", 160, 10)
    for size in ((160, 100), (65535, 65535)):
        data[6:10] = struct.pack("<HH", *size)
        with suppress(ImageError):
            assert decode(bytes(data[:-40])).pixels.size == (160, 100)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.85])
def test_gif_without_a_tenth_of_its_pixels_is_rejected(share: float) -> None:
    data = file(noise(160, 100), "GIF")
    assert "truncated or broken" in refusal(data[: int(len(data) * share)])


def test_animation_with_a_huge_canvas_is_rejected_before_decoding() -> None:
    data = bytearray(file(flag(), "WEBP", save_all=True, append_images=[flag().rotate(180)], duration=100))
    assert data[12:16] == b"VP8X"
    data[24:30] = (7999).to_bytes(3, "little") * 2
    assert "too much time or memory" in refusal(bytes(data))


def test_file_beyond_the_byte_limit_is_rejected() -> None:
    assert "larger than 64 MB" in refusal(bytes(LIMIT_BYTES + 1))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (10_001, 10_000), (100_000_001, 1)])
def test_too_many_pixels_are_rejected_before_decoding(width: int, height: int) -> None:
    data = png(width, height, zlib.compress(b"\0"))
    assert len(data) < 100
    assert f"too many pixels. The limit is {LIMIT_PIXELS:,}." in refusal(data)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_image_at_the_pixel_limit_is_decoded() -> None:
    rows = zlib.compressobj(1)
    body = b"".join(rows.compress(b"\0" + b"\xff" * 1250) for _ in range(10_000)) + rows.flush()
    image = decode(png(10_000, 10_000, body))
    assert (image.facts.width, image.facts.height) == (10_000, 10_000)
    assert image.pixels.getpixel((9, 9)) == (255, 255, 255)


def test_pillow_warns_of_nothing_when_its_warnings_are_ignored() -> None:
    script = f"""
from findimg.errors import ImageError
from findimg.images.decode import decode, ignore_pillow_warnings
ignore_pillow_warnings()
try:
    decode({png(10_001, 10_000, zlib.compress(bytes(1)))!r})
except ImageError:
    print(decode({file(flag(), "JPEG", exif=exif(6)[:20])!r}).facts.width)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("64\n", "")


def test_import_changes_no_setting_of_the_process() -> None:
    script = """
import warnings, PIL.Image, PIL.ImageFile
before = PIL.Image.MAX_IMAGE_PIXELS
import findimg.images
assert before == PIL.Image.MAX_IMAGE_PIXELS
assert not [each for each in warnings.filters if "PIL" in str(each[3])]
assert "HEIF" not in PIL.Image.OPEN
assert not PIL.ImageFile.LOAD_TRUNCATED_IMAGES
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_pillow_still_refuses_truncated_files_to_others() -> None:
    assert not PIL.ImageFile.LOAD_TRUNCATED_IMAGES
    with pytest.raises(OSError, match="truncated"):
        PIL.Image.open(io.BytesIO(file(noise(64, 48), "JPEG")[:2000])).load()


@pytest.mark.parametrize("name", FORMATS)
def test_image_of_one_pixel_is_decoded(name: str) -> None:
    image = decode(file(PIL.Image.new("RGB", (1, 1), "white"), name))
    assert (image.facts.width, image.facts.height) == (1, 1)
    assert decode(thumbnail(image)).pixels.getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("width", "height", "name"), [(30_000, 1, "JPEG"), (2, 60_000, "JPEG"), (1, 400_000, "PNG"), (3_000_000, 2, "PNG")]
)
def test_extremely_elongated_images_go_all_the_way(width: int, height: int, name: str) -> None:
    image = decode(file(PIL.Image.new("L", (width, height), 255), name))
    assert (image.facts.width, image.facts.height) == (width, height)
    small = decode(thumbnail(image))
    assert sorted((small.facts.width, small.facts.height)) == [1, 320]


@pytest.mark.parametrize(
    ("width", "height", "size"), [(1000, 500, (320, 160)), (300, 600, (160, 320)), (200, 100, (200, 100))]
)
def test_thumbnail_fits_and_is_not_enlarged(width: int, height: int, size: tuple[int, int]) -> None:
    small = PIL.Image.open(io.BytesIO(thumbnail(decode(file(flag(width, height), "PNG")))))
    assert (small.format, small.size) == ("JPEG", size)
    assert corners(small.convert("RGB")) == "rgby"


def test_thumbnail_fits_a_given_side() -> None:
    assert decode(thumbnail(decode(file(flag(1000, 500), "PNG")), side=64)).pixels.size == (64, 32)


def test_thumbnail_has_no_metadata() -> None:
    secrets = {
        "exif": exif(6, DateTimeOriginal="2024:06:01 12:30:00"),
        "comment": b"home address",
        "xmp": b"<x:xmpmeta>home address</x:xmpmeta>",
        "icc_profile": display_p3(),
    }
    data = file(flag(), "JPEG", **secrets)
    assert data.count(b"home address") == 2
    small = thumbnail(decode(data))
    assert set(PIL.Image.open(io.BytesIO(small)).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not any(word in small for word in (b"Exif", b"home", b"ICC_PROFILE", b"xmp"))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_capture_time_is_read(name: str) -> None:
    image = decode(
        file(flag(), name, exif=exif(DateTimeOriginal="2024:06:01 12:30:05", DateTimeDigitized="2025:01:01 00:00:00"))
    )
    assert image.facts.taken == datetime(2024, 6, 1, 12, 30, 5)


def test_digitized_time_replaces_a_missing_capture_time() -> None:
    times = {"DateTimeOriginal": "0000:00:00 00:00:00", "DateTimeDigitized": "2025:01:01 00:00:00"}
    assert decode(file(flag(), "JPEG", exif=exif(**times))).facts.taken == datetime(2025, 1, 1)


@pytest.mark.parametrize(
    "time",
    ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "yesterday", "2024:13:01 00:00:00", "0024:01:01 00:00:00"],
)
def test_invalid_capture_time_is_none(time: str) -> None:
    assert decode(file(flag(), "JPEG", exif=exif(DateTimeOriginal=time))).facts.taken is None


@pytest.mark.parametrize("broken", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", exif(6)[:20], exif(99)])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_exif_costs_no_image(broken: bytes) -> None:
    assert corners(decode(file(flag(), "JPEG", exif=broken)).pixels) == "rgby"


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_capture_time_keeps_the_orientation() -> None:
    whole = exif(3, DateTimeOriginal="2024:06:01 12:30:05")
    place = whole.index(struct.pack(">HHI", IFD.Exif, 4, 1)) + 8
    image = decode(file(flag(), "JPEG", exif=whole[:place] + b"\xff\xff\xff\xff" + whole[place + 4 :]))
    assert corners(image.pixels) == "ybgr"
    assert image.facts.taken is None


def samples() -> dict[str, bytes]:
    """Return one small valid file for every format and every path through the decoder."""
    picture = noise(40, 30)
    meta: dict[str, Any] = {"exif": exif(6, DateTimeOriginal="2024:06:01 12:30:00"), "icc_profile": display_p3()}
    return {name: file(picture, name) for name in FORMATS} | {
        "JPEG with metadata": file(picture, "JPEG", progressive=True, **meta),
        "JPEG in CMYK": file(picture.convert("CMYK"), "JPEG", icc_profile=odd_inks()),
        "PNG with metadata": file(picture.convert("RGBA"), "PNG", **meta),
        "PNG with palette": file(picture.quantize(8), "PNG", transparency=1),
        "PNG of 16 bits": file(ramp("<u2", 65535), "PNG"),
        "TIFF of floats": file(ramp("<f4", 1), "TIFF"),
        "TIFF with metadata": file(picture, "TIFF", **meta),
        "TIFF in LZW": file(picture, "TIFF", compression="tiff_lzw", tiffinfo={278: 4}),
        "WebP with metadata": file(picture.convert("RGBA"), "WEBP", **meta),
        "GIF in motion": file(picture, "GIF", save_all=True, append_images=[flag(40, 30)]),
        "AVIF with metadata": file(picture.convert("RGBA"), "AVIF", **meta),
        "HEIF with metadata": file(picture, "HEIF", **meta),
    }


SAMPLES = samples()


def test_many_threads_decode_the_same_as_one() -> None:
    def both(data: bytes) -> tuple[bytes, bytes]:
        image = decode(data)
        return image.pixels.tobytes(), thumbnail(image)

    files = list(SAMPLES.values()) * 4
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(both, files)) == [both(data) for data in files]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a valid file with some bytes changed, dropped or inserted, mostly near its start, perhaps truncated."""
    data = bytearray(SAMPLES[draw(st.sampled_from(sorted(SAMPLES)))])
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, min(draw(st.sampled_from([32, 256, 10**6])), len(data))))
        data[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def decode_or_refuse(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(images, "LIMIT_PIXELS", 500_000)
        try:
            image = decode(data)
        except ImageError:
            return
        assert max(decode(thumbnail(image)).pixels.size) <= THUMBNAIL_SIDE


@settings(max_examples=300, deadline=None)
@given(damaged())
def test_damaged_files_are_decoded_or_refused(data: bytes) -> None:
    decode_or_refuse(data)


@pytest.mark.long
@settings(max_examples=20_000, deadline=None)
@given(damaged())
def test_many_more_damaged_files_are_decoded_or_refused(data: bytes) -> None:
    decode_or_refuse(data)


@pytest.mark.parametrize(
    "raised", [MemoryError(), RecursionError("deep"), struct.error("unpack"), OverflowError("a\nb")]
)
def test_any_decoder_exception_becomes_an_image_error(monkeypatch: pytest.MonkeyPatch, raised: Exception) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", fail)
    assert "truncated or broken" in refusal(file(flag(), "PNG"))


def test_photographs_are_decoded_like_by_pillow() -> None:
    if not PHOTOS.is_dir():
        pytest.skip(f"the photographs are not there: {PHOTOS}")
    for path in sorted(PHOTOS.glob("*/*/*.jpg"))[::35]:
        image = decode(path.read_bytes())
        plain = PIL.Image.open(path).convert("RGB")
        assert (image.facts.width, image.facts.height) == plain.size
        if image.pixels.size == plain.size:
            assert np.abs(np.asarray(image.pixels, int) - np.asarray(plain, int)).mean() < 3
