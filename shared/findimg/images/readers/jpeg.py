"""Repair JPEG files: drop broken metadata, and complete a file whose end is missing.

Source: ITU-T T.81, annexes B (markers), F and G (scans).
"""

import hashlib
import io
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import PIL.Image
import PIL.ImageChops
from PIL.JpegImagePlugin import JpegImageFile

START = b"\xff\xd8"
_END = b"\xff\xd9"
_MIN_SHARE = 0.9  # of the rows that a cut file must have
_MAX_SCANS = 100  # far more than encoders write. Each scan costs as much time as a small image.
_SCAN, _END_OF_IMAGE, _COMMENT, _ADOBE, _EXIF = 0xDA, 0xD9, 0xFE, 0xEE, 0xE1
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers with the image's size and components
_PROGRESSIVE = {0xC2, 0xCA}
_RESTARTS = [bytes([0xFF, number]) for number in range(0xD0, 0xD8)]
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_MARKER_IN_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # not a stuffed byte and not a restart marker
_RESERVED = 64  # zeros that are more than a scan can end with
# Bytes that may continue a cut scan. Few, because a decoder stops at impossible values.
_FILLERS = [hashlib.sha256(bytes([number])).digest()[:8].replace(b"\xff", b"") for number in range(3)]


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    start: int  # of the marker
    end: int  # one byte behind the segment, and for a scan behind its data
    body: bytes  # after the length, without a scan's data
    size: int = 0  # bytes of a scan's data


@dataclass(frozen=True, slots=True)
class _Scan:
    components: tuple[int, ...]
    coefficients: range  # of 0, the mean of a block, to 63
    bit: int  # the lowest that the scan sends
    refines: bool  # whether an earlier scan sent higher bits
    size: int  # bytes


def without_metadata(data: bytes) -> bytes:
    """Return a copy without the segments that are not needed for the pixels, their colours or the capture date."""
    kept = [START]
    end = len(START)
    for segment in _segments(data):
        end = segment.end
        is_metadata = 0xE0 <= segment.marker <= 0xEF or segment.marker == _COMMENT
        is_colour = segment.marker == _ADOBE and segment.body.startswith(b"Adobe") and len(segment.body) >= 12
        is_exif = segment.marker == _EXIF and segment.body.startswith(b"Exif\0\0")
        if not is_metadata or is_colour or is_exif:
            kept.append(data[segment.start : segment.end])
    kept.append(data[end:])
    return b"".join(kept)


def has_several_scans(picture: JpegImageFile, data: bytes) -> bool:
    """Return whether an opened file, whose pixels are not decoded yet, has more than one scan."""
    if "progressive" in picture.info or picture.fp is None:
        return True
    # Pillow has read the header of the first scan: a length, the number of components, 2 bytes each, and 3 more.
    number_at = picture.fp.tell() - 4 - 2 * picture.layers
    return data[number_at : number_at + 1] != bytes([picture.layers])


def has_too_many_scans(data: bytes) -> bool:
    """Return whether the scans would take far more time to decode than those of any photograph."""
    is_suspicious = data.count(bytes([0xFF, _SCAN])) > _MAX_SCANS
    return is_suspicious and sum(segment.marker == _SCAN for segment in _segments(data)) > _MAX_SCANS


def is_cut(data: bytes) -> bool:
    """Return whether the first image in a file has no end marker."""
    return not data.endswith(_END) and all(segment.marker != _END_OF_IMAGE for segment in _segments(data))


def frame_size(data: bytes) -> tuple[int, int, int]:
    """Return the width, the height and the number of components.

    Raises:
        ValueError: there is no header of a frame.
    """
    for segment in _segments(data):
        if segment.marker in _FRAMES and len(segment.body) >= 6:
            _, height, width, components = struct.unpack_from(">BHHB", segment.body)
            return width, height, components
    raise ValueError("no frame")


def completed(data: bytes) -> bytes | None:
    """Return a JPEG whose end is missing with an end marker.

    Return None if it has its end, or less than nine tenths of its rows. In a progressive file every scan has all rows,
    so rows are counted in each scan and weighted by the scan's size.
    """
    # Programs that copy files reserve the space first. An interrupted copy ends with zeros.
    written = data.rstrip(b"\0")
    if len(data) - len(written) >= _RESERVED:
        data = written
    segments = list(_segments(data))
    scans = [_scan(segment) for segment in segments if segment.marker == _SCAN]
    frame = next((segment for segment in segments if segment.marker in _FRAMES), None)
    if frame is None or not scans or None in scans or segments[-1].marker == _END_OF_IMAGE:
        return None
    end = next(segment.end for segment in reversed(segments) if segment.marker == _SCAN)
    # The cut may be inside a marker.
    scanned = data[:end].rstrip(b"\xff")
    sound = [scan for scan in scans if scan is not None]
    is_progressive = frame.marker in _PROGRESSIVE
    rows = _decoded_share(scanned, _block_rows(frame))
    if _share(sound, rows, _components(frame), is_progressive) < _MIN_SHARE:
        return None
    return scanned + _END


def _share(scans: list[_Scan], rows: float, components: tuple[int, ...], is_progressive: bool) -> float:
    """Return the share of the file that is present, 0 to 1, if the last scan has the share `rows` of its rows."""
    sent = sum(scan.size for scan in scans)
    *_, last = scans
    missing = 0.0
    if rows == 0:
        scans = scans[:-1]
    else:
        missing = last.size * (1 - rows) / rows
    for component in components:
        own = [scan for scan in scans if component in scan.components]
        if not any(0 in scan.coefficients for scan in own):
            return 0  # without its colours
        if is_progressive:
            missing += _size_of_missing_scans(component == components[0], own, scans, components[0])
    share = sent / (sent + missing)
    sends_colours = 0 in last.coefficients and not last.refines
    return min(share, rows) if sends_colours else share


def _size_of_missing_scans(is_first: bool, own: list[_Scan], scans: list[_Scan], first: int) -> float:
    """Estimate the bytes of the scans that should still follow for a component.

    A missing scan is taken to be as large as the largest of the same kind: of the first component (mostly brightness)
    or of another one, with the means of the blocks or with their details.
    """
    missing = 0.0
    for kind in (range(1), range(1, 64)):
        bits = {place: 1 + max((scan.bit for scan in own), default=0) for place in kind}
        for scan in own:
            bits |= {place: scan.bit for place in scan.coefficients if place in kind}
        alike = [
            scan.size
            for scan in scans
            if (scan.components[0] == first) == is_first and (0 in scan.coefficients) == (0 in kind)
        ]
        count = max(bits.values())
        if count:
            missing += count * max(alike, default=math.inf)
    return missing


def _decoded_share(data: bytes, block_rows: int) -> float:
    """Return the share of pixels, 0 to 1, that do not depend on data after the end of a cut file.

    Args:
        data: a JPEG that ends within a scan.
        block_rows: rows of pixels that are coded together.
    """
    ended = _decoded(data + _END)
    # The cut may be before a restart marker of any number.
    continued = [data + b"".join(filler + marker for marker in (b"", *_RESTARTS)) + _END for filler in _FILLERS]
    filled = [picture for each in continued if (picture := _decoded(each))]
    if ended is None or not filled:
        return 0
    return min(_equal_share(ended, picture, block_rows) for picture in filled)


def _equal_share(one: PIL.Image.Image, other: PIL.Image.Image, block_rows: int) -> float:
    """Return the share of pixels before the first difference, in the order of the blocks."""
    width, height = one.size
    for top in range(0, height, block_rows):
        box = (0, top, width, min(top + block_rows, height))
        difference = PIL.ImageChops.difference(one.crop(box), other.crop(box)).getbbox()
        # Colours are interpolated between rows, so the last row of a block depends on the next block.
        if difference and (difference[1] < block_rows - 1 or box[3] == height):
            return (top + (box[3] - top) * difference[0] / width) / height
    return 1


def _decoded(data: bytes) -> PIL.Image.Image | None:
    try:
        picture = JpegImageFile(io.BytesIO(data), "")
        picture.load()
    except Exception:  # it may raise any exception for hostile bytes
        return None
    return picture


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield the complete segments of the first image in a file. The data of a scan may be cut."""
    at = len(START)
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _STANDALONE or marker == _END_OF_IMAGE:
            yield _Segment(marker, at, at + 2, b"")
            if marker == _END_OF_IMAGE:
                return
            at += 2
            continue
        if at + 4 > len(data):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = body_end = at + 2 + length
        if length < 2 or end > len(data):
            return
        if marker == _SCAN:
            following = _MARKER_IN_SCAN.search(data, end)
            end = following.start() if following else len(data)
        yield _Segment(marker, at, end, data[at + 4 : body_end], end - body_end)
        at = end


def _scan(segment: _Segment) -> _Scan | None:
    """Return what a scan sends, None if its header is broken."""
    body = segment.body
    if not body or len(body) != 4 + 2 * body[0]:
        return None
    first, last, bits = body[-3:]
    return _Scan(
        components=tuple(body[1:-3:2]),
        coefficients=range(first, last + 1),
        bit=bits & 15,
        refines=bits > 15,
        size=segment.size,
    )


def _block_rows(frame: _Segment) -> int:
    """Return the rows of pixels that are coded together."""
    return 8 * max((sampling & 15 for sampling in frame.body[7::3]), default=1)


def _components(frame: _Segment) -> tuple[int, ...]:
    """Return the identifiers of the components in a frame header."""
    return tuple(frame.body[6::3])
