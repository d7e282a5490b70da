"""Read the pixels of one TIFF page segment by segment (strip or tile), with tifffile and imagecodecs.

Memory stays near one decoded segment and 8 bits a sample. Importing this module needs the extra `tiff`.
"""

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs  # noqa: F401  # tifffile decodes compressed segments with it
import numpy as np
import PIL.Image
import PIL.ImageCms
import tifffile
from numpy.typing import NDArray
from PIL.ExifTags import IFD, Base

from findimg.images.colour import float_range
from findimg.images.readers.codestreams import STATED_SIZE
from findimg.images.refusals import LIMIT_PIXELS, check_pixels, too_complex, unknown_kind

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR, _CIELAB, _ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
_PHOTOMETRIC = 262
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3, _CIELAB: 3, _ICCLAB: 3}
_DECODED_TO_RGB = (7, 34892, 50001, 50002, 52546)  # compressions whose decoders convert YCbCr: JPEG, WebP, JPEG XL
# Compressions that decode no more bytes than the page states: none, CCITT, LZW, Deflate, PackBits, LZMA, Zstandard.
_BOUNDED = {1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 50000}
_ASSOCIATED, _UNASSOCIATED = 1, 2
_MAX_SEGMENT_BYTES = 8 * LIMIT_PIXELS
_MAX_SEGMENTS = 200_000
_BAND = 2**20  # samples that are scaled at a time
_ICC_WHITE = 0xFF00  # L* of 100 in 16 bits. ICC.1:2010, 6.3.4.2
_LOOKED_AT = 2**20  # samples that the range of floating point values is taken from


@dataclass(frozen=True, slots=True)
class _Segment:
    """Decoded samples of a strip or a tile, any[height, width, samples], and their place."""

    samples: NDArray[Any]
    plane: int
    top: int
    left: int


class PageReader:
    """The first page of a TIFF."""

    def __init__(self, data: bytes):
        """Read the directory, and check what the page states.

        Raises:
            ImageError: too many pixels, or a kind that is not supported.
            Exception: tifffile may raise any for hostile bytes.
        """
        self._data = data
        page = tifffile.TiffFile(io.BytesIO(data)).pages[0]
        assert isinstance(page, tifffile.TiffPage)
        self._page = page
        self._width, self._height = page.imagewidth, page.imagelength
        check_pixels(self._width, self._height)
        self._photometric = int(page.photometric)
        if _PHOTOMETRIC not in page.tags:
            self._photometric = _RGB if page.samplesperpixel >= 3 else _BLACK_IS_ZERO
        self._compression = int(page.compression)
        self._is_planar = page.planarconfig == 2 and page.samplesperpixel > 1
        is_known = self._compression in STATED_SIZE or self._compression in _BOUNDED
        if self._photometric not in _COLOURS or not is_known or page.imagedepth != 1 or page.dtype is None:
            raise unknown_kind("TIFF")
        self._colours = _COLOURS[self._photometric]
        is_wide_palette = self._photometric == _PALETTE and page.dtype.itemsize > 1
        if page.samplesperpixel < self._colours or page.dtype.kind not in "buif" or is_wide_palette:
            raise unknown_kind("TIFF")
        extra = [int(kind) for kind in page.extrasamples][: page.samplesperpixel - self._colours]
        # A fourth sample of no stated kind is alpha, as in other software.
        self._is_alpha_guessed = not extra and self._photometric == _RGB and page.samplesperpixel == 4
        if self._is_alpha_guessed:
            extra = [_UNASSOCIATED]
        alphas = [place for place, kind in enumerate(extra) if kind in (_ASSOCIATED, _UNASSOCIATED)]
        self._alpha = self._colours + alphas[0] if alphas else None
        self._is_associated = bool(alphas) and extra[alphas[0]] == _ASSOCIATED
        self._channels = [*range(self._colours), *([] if self._alpha is None else [self._alpha])]
        self._is_unsigned = False
        self._segment_width = page.tilewidth if page.is_tiled else self._width
        self._segment_height = page.tilelength if page.is_tiled else min(page.rowsperstrip, self._height)
        self._check_segments()

    def read(self) -> PIL.Image.Image:
        """Return the pixels on white, in mode L, RGB or CMYK, with the profile and EXIF that Pillow would give."""
        channels = self._channels
        samples = np.zeros((self._height, self._width, len(channels)), np.uint8)
        self._is_unsigned = self._states_signs_wrongly()
        black, white = self._range()
        for segment in self._segments():
            height = min(segment.samples.shape[0], self._height - segment.top)
            width = min(segment.samples.shape[1], self._width - segment.left)
            if self._is_planar:
                targets, sources = [channels.index(segment.plane)], [0]
            else:
                targets, sources = list(range(len(channels))), channels
            rows = max(1, _BAND // (width * max(1, len(sources))))
            for target, source in zip(targets, sources, strict=True):
                for start in range(0, height, rows):
                    band = segment.samples[start : min(start + rows, height), :width, source]
                    top = segment.top + start
                    place = samples[top : top + len(band), segment.left : segment.left + width, target]
                    place[...] = self._eight_bit(band, target, black, white)
        picture = self._compose(samples)
        self._add_metadata(picture)
        return picture

    def _check_segments(self) -> None:
        page = self._page
        planes = page.samplesperpixel if self._is_planar else 1
        samples = 1 if self._is_planar else page.samplesperpixel
        across = math.ceil(self._width / self._segment_width)
        count = across * math.ceil(self._height / self._segment_height) * planes
        size = self._segment_width * self._segment_height * samples * page.dtype.itemsize  # type: ignore[union-attr]
        if count > _MAX_SEGMENTS or size > _MAX_SEGMENT_BYTES:
            raise too_complex()
        if len(page.dataoffsets) < count or len(page.databytecounts) < count:
            raise ValueError("missing segments")
        self._count = count

    def _segments(self) -> Iterator[_Segment]:
        page = self._page
        stated_size = STATED_SIZE.get(self._compression)
        limit = 1 if self._is_planar else page.samplesperpixel + 1
        planes = page.samplesperpixel if self._is_planar else 1
        for index in range(self._count):
            if self._is_planar and index * planes // self._count not in self._channels:
                continue
            offset, size = page.dataoffsets[index], page.databytecounts[index]
            data = self._data[offset : offset + size]
            is_cut = len(data) < size and self._compression != 1
            if not data or is_cut:
                raise ValueError("the segment is outside the file")
            if stated_size:
                stated = stated_size(data)
                is_larger = stated.width > self._segment_width or stated.height > self._segment_height
                if is_larger or stated.samples > limit:
                    raise ValueError("the codestream is larger than its segment")
            decoded, (plane, _, top, left, _), _ = page.decode(data, index, jpegtables=page.jpegtables)
            assert isinstance(decoded, np.ndarray)
            yield _Segment(decoded[0], plane if self._is_planar else 0, top, left)

    def _range(self) -> tuple[float, float]:
        """Return the sample values that are black and white."""
        page = self._page
        dtype = page.dtype
        assert dtype is not None
        step = max(1, self._width * self._height * page.samplesperpixel // _LOOKED_AT)
        if dtype.kind == "f":
            return float_range(np.concatenate([each.samples.reshape(-1)[::step] for each in self._segments()]))
        bits = page.bitspersample if isinstance(page.bitspersample, int) else 8 * dtype.itemsize
        if dtype.kind == "i" and not self._is_unsigned:
            return _signed_range(np.concatenate([each.samples.reshape(-1)[::step] for each in self._segments()]), bits)
        return 0, 2.0**bits - 1

    def _states_signs_wrongly(self) -> bool:
        """Return whether bytes that are stated as signed are unsigned, as some programs write them.

        Neighbours are alike in a picture. In the wrong reading they jump between the darkest and the lightest value.
        """
        if self._page.dtype != np.int8:
            return False
        jumps: dict[type[np.generic], int] = {np.int8: 0, np.uint8: 0}
        is_mask = True
        for segment in self._segments():
            is_mask = is_mask and bool(np.isin(segment.samples, (-1, 0)).all())  # 255 and 0
            for kind in jumps:
                jumps[kind] += int(np.abs(np.diff(segment.samples.view(kind).astype(np.int16), axis=1)).sum())
        return is_mask or jumps[np.uint8] < jumps[np.int8]

    def _eight_bit(self, band: NDArray[Any], channel: int, black: float, white: float) -> NDArray[np.uint8]:
        is_alpha = channel >= self._colours
        if self._photometric == _PALETTE and not is_alpha:
            return np.asarray(band, np.uint8)
        if self._photometric in (_CIELAB, _ICCLAB) and not is_alpha and (channel or band.dtype.kind == "f"):
            return _lab(band, channel, is_offset=self._photometric == _ICCLAB)
        if self._photometric == _ICCLAB and band.dtype == np.uint16 and not is_alpha:
            white = _ICC_WHITE
        if self._is_unsigned:
            band = band.view(np.uint8)
        if band.dtype == np.uint8 and white == 255:
            scaled = band
        else:
            values = np.nan_to_num(band.astype(np.float32), nan=black, posinf=white, neginf=black)
            scaled = np.clip(np.rint((values - black) * (255 / (white - black))), 0, 255).astype(np.uint8)
        return np.invert(scaled) if self._photometric == _WHITE_IS_ZERO and not is_alpha else scaled

    def _compose(self, samples: NDArray[np.uint8]) -> PIL.Image.Image:
        colours: NDArray[np.uint8] = samples[..., : self._colours]
        if self._photometric == _PALETTE:
            colours = self._palette()[colours[..., 0]]
        if self._alpha is not None and not (self._is_alpha_guessed and not samples[..., -1].any()):
            _put_on_white(colours, samples[..., -1], self._is_associated, inks=self._photometric == _CMYK)
        size = (self._width, self._height)
        if colours.shape[2] == 1:
            return PIL.Image.frombytes("L", size, colours.tobytes())
        if self._photometric == _CMYK:
            # Pillow inverts inks of JPEG files only: 0 is no ink here as well.
            return PIL.Image.frombytes("CMYK", size, colours.tobytes())
        if self._photometric in (_CIELAB, _ICCLAB):
            picture = PIL.Image.frombytes("LAB", size, colours.tobytes())
            source, target = PIL.ImageCms.createProfile("LAB"), PIL.ImageCms.createProfile("sRGB")
            return PIL.ImageCms.buildTransform(source, target, "LAB", "RGB").apply(picture)
        if self._photometric == _YCBCR and self._compression not in _DECODED_TO_RGB:
            return PIL.Image.frombytes("YCbCr", size, colours.tobytes()).convert("RGB")
        return PIL.Image.frombytes("RGB", size, colours.tobytes())

    def _palette(self) -> NDArray[np.uint8]:
        """Return the colours of the palette, uint8[256, 3]."""
        eight_bit = (np.asarray(self._page.colormap, np.uint16).T >> 8).astype(np.uint8)
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(eight_bit)] = eight_bit[:256]
        return palette

    def _add_metadata(self, picture: PIL.Image.Image) -> None:
        """Add the colour profile, the orientation and the capture times. Other tags are not copied."""
        tags = self._page.tags
        profile = tags.valueof(Base.InterColorProfile)
        # A converted image has no use for the profile of its original.
        if isinstance(profile, bytes) and self._photometric not in (_CIELAB, _ICCLAB):
            picture.info["icc_profile"] = profile
        exif = picture.getexif()
        exif[Base.Orientation] = tags.valueof(Base.Orientation, 1)
        details = tags.valueof(IFD.Exif)
        if isinstance(details, dict):
            for tag in (Base.DateTimeOriginal, Base.DateTimeDigitized):
                exif.get_ifd(IFD.Exif)[tag] = details.get(tag.name)


def _lab(band: NDArray[Any], channel: int, is_offset: bool) -> NDArray[np.uint8]:
    """Return a channel of L*a*b* as Pillow stores it in 8 bits: L* from 0 to 255, a* and b* signed.

    Args:
        band: a* or b*, or L* in floating point.
        channel: 0 for L*.
        is_offset: whether a* and b* are stored with 128 added.
    """
    if band.dtype.kind == "f":
        scaled = np.nan_to_num(band) * (1 if channel else 2.55)
        low, high = (-128, 127) if channel else (0, 255)
        return np.asarray(np.rint(np.clip(scaled, low, high)).astype(np.int16).astype(np.uint8))
    eight_bit = np.asarray(band >> 8 if band.dtype.itemsize == 2 else band).astype(np.uint8)
    return np.bitwise_xor(eight_bit, np.uint8(128), dtype=np.uint8) if is_offset else eight_bit


def _signed_range(values: NDArray[Any], bits: int) -> tuple[float, float]:
    """Return the values of signed samples that are black and white.

    The lowest value is black if the samples use at least half of all values. Otherwise they are measurements, such as
    heights or densities: 0 is black if none is negative, their own range counts if some are.
    """
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        return 0, 2.0 ** (bits - 1) - 1
    if high - low >= 2.0 ** (bits - 1):
        return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    return low, max(high, low + 1)


def _put_on_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8], is_associated: bool, inks: bool) -> None:
    """Compose `colours` onto white in place. Associated colours are stored already multiplied by alpha."""
    rows = max(1, _BAND // alpha.shape[1])
    for top in range(0, len(alpha), rows):
        band = slice(top, top + rows)
        opacity = alpha[band, :, None].astype(np.uint16)
        values = colours[band].astype(np.uint16)
        if not is_associated:
            values = (values * opacity + 127) // 255
        colours[band] = values if inks else np.minimum(values + 255 - opacity, 255)
