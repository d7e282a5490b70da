"""What an AVIF or HEIC file states about its pictures: the size of the coded frames, and their colours.

A container can state a small picture around a huge codestream. The decoders allocate memory for the codestream.

Sources: ISO/IEC 14496-12 (boxes); ISO/IEC 23008-12 (items and properties); AV1 Bitstream Specification, 5.3, 5.5 and
5.9; ITU-T H.265, 7.3.1 and 7.3.2.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"iprp", b"ipco"}
_SAMPLE_ENTRIES = {b"av01", b"hvc1", b"hev1"}
_SAMPLE_ENTRY = 78  # bytes before the boxes of a video's sample entry
_MAX_BOXES = 20_000
_MAX_UNITS = 10_000  # units of a codestream that are looked at
_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6  # types of AV1 units
_SPS = 33  # type of the H.265 unit with the size
_KEY_FRAME, _SWITCH_FRAME = 0, 3


@dataclass(slots=True)
class StatedPicture:
    """What a container and its codestreams state."""

    pixels: int = 0  # of the largest coded frame
    primaries: int = 2  # ITU-T H.273: 1 BT.709, 9 BT.2020, 12 Display P3, 2 not stated
    transfer: int = 2  # 13 sRGB, 16 PQ, 18 HLG, 2 not stated


@dataclass(slots=True)
class _Boxes:
    """The boxes that matter, by kind. Values are (start, end) in the file."""

    properties: list[tuple[bytes, int, int]] = field(default_factory=list)  # in the order of the item properties
    others: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)


def brands(data: bytes) -> set[bytes]:
    """Return the brands that a file states, empty if it is not of this container."""
    if data[4:8] != b"ftyp":
        return set()
    (size,) = struct.unpack_from(">I", data)
    listed = data[16 : min(size, 1024, len(data))]
    return {data[8:12], *(listed[at : at + 4] for at in range(0, len(listed) - 3, 4))}


def inspect(data: bytes) -> StatedPicture:
    """Return what a file states. Broken parts are ignored, because the decoder judges them."""
    stated = StatedPicture()
    boxes = _Boxes()
    for kind, start, end in _walk(data, 0, len(data)):
        if kind in (b"hvcC", b"av1C", b"colr"):
            boxes.properties.append((kind, start, end))
        else:
            boxes.others.setdefault(kind, []).append((start, end))
    sequences = _Sequences(stated)
    for kind, start, end in boxes.properties:
        try:
            if kind == b"colr":
                _read_colours(data[start:end], stated)
            elif kind == b"av1C":
                sequences.read_av1(data[start + 4 : end])
            else:
                sequences.read_hevc(_parameter_sets(data[start:end]))
        except (struct.error, IndexError):
            continue
    for start, end in _payloads(data, boxes):
        payload = data[start : min(end, len(data))]
        sequences.read_av1(payload)
        sequences.read_hevc(_units_with_length(payload))
    return stated


def _walk(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind, the start and the end of the content of each box, also of boxes inside boxes."""
    stack = [(start, end)]
    count = 0
    while stack and count < _MAX_BOXES:
        at, end = stack.pop()
        while at + 8 <= end and count < _MAX_BOXES:
            count += 1
            size, kind = struct.unpack_from(">I4s", data, at)
            body = at + 8
            if size == 1 and body + 8 <= end:
                (size,) = struct.unpack_from(">Q", data, body)
                body += 8
            stop = end if size == 0 else min(at + size, end)
            if stop < body:
                break
            yield kind, body, stop
            if kind in _CONTAINERS:
                stack.append((body, stop))
            elif kind == b"meta":
                stack.append((body + 4, stop))
            elif kind == b"stsd":
                stack.append((body + 8, stop))
            elif kind in _SAMPLE_ENTRIES:
                stack.append((body + _SAMPLE_ENTRY, stop))
            at = stop


def _read_colours(body: bytes, stated: StatedPicture) -> None:
    if body[:4] == b"nclx" and stated.transfer == 2:
        stated.primaries, stated.transfer = struct.unpack_from(">HH", body, 4)


def _payloads(data: bytes, boxes: _Boxes) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of the items, and of the first sample of each track."""
    (inner, _), *_ = boxes.others.get(b"idat", [(0, 0)])
    for start, end in boxes.others.get(b"iloc", ()):
        try:
            yield from _item_extents(data[start:end], inner, len(data))
        except (struct.error, IndexError):
            continue
    for kind, letter in ((b"stco", "I"), (b"co64", "Q")):
        for start, _ in boxes.others.get(kind, ()):
            try:
                count, first = struct.unpack_from(">I" + letter, data, start + 4)
            except (struct.error, IndexError):
                continue
            if count:
                yield first, len(data)


def _item_extents(body: bytes, inner: int, length: int) -> Iterator[tuple[int, int]]:
    version = body[0]
    sizes = body[4] >> 4, body[4] & 15, body[5] >> 4, body[5] & 15
    offset_size, length_size, base_size, index_size = sizes if version else (*sizes[:3], 0)
    wide = version == 2
    (count,) = struct.unpack_from(">I" if wide else ">H", body, 6)
    at = 10 if wide else 8

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(body):
            raise struct.error("cut")
        return int.from_bytes(body[at - size : at], "big")

    for _ in range(min(count, _MAX_UNITS)):
        number(4 if wide else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size) + (inner if method == 1 else 0)
        for _ in range(min(number(2), _MAX_UNITS)):
            number(index_size)
            start = base + number(offset_size)
            size = number(length_size)
            yield start, start + size if size else length


class _Sequences:
    """Read the headers of codestreams into `stated`."""

    def __init__(self, stated: StatedPicture):
        self._stated = stated
        self._sequence: _Av1Sequence | None = None

    def read_av1(self, payload: bytes) -> None:
        for kind, body in _av1_units(payload):
            try:
                if kind == _SEQUENCE_HEADER:
                    self._sequence = sequence = _Av1Sequence(_Bits(body))
                    self._add(sequence.width * sequence.height)
                    if self._stated.transfer == 2 and sequence.transfer != 2:
                        self._stated.primaries, self._stated.transfer = sequence.primaries, sequence.transfer
                elif kind in (_FRAME_HEADER, _FRAME) and self._sequence and self._sequence.may_resize(_Bits(body)):
                    self._add(self._sequence.most_pixels)
            except IndexError:
                continue

    def read_hevc(self, units: Iterable[bytes]) -> None:
        for unit in units:
            if unit[0] >> 1 & 63 == _SPS:
                try:
                    self._add(_hevc_pixels(_Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))))
                except IndexError:
                    continue

    def _add(self, pixels: int) -> None:
        self._stated.pixels = max(self._stated.pixels, pixels)


class _Bits:
    """Read numbers from bytes, the highest bit first. Raises IndexError at the end."""

    def __init__(self, data: bytes):
        self._data = data[:4096]
        self._at = 0

    def read(self, count: int) -> int:
        number = 0
        for _ in range(count):
            number = number << 1 | (self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1)
            self._at += 1
        return number

    def golomb(self) -> int:
        zeros = 0
        while not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros)


def _av1_units(payload: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    for _ in range(_MAX_UNITS):
        if at >= len(payload):
            return
        head = payload[at]
        at += 2 if head & 4 else 1
        size = len(payload) - at
        if head & 2:
            size = shift = 0
            while at < len(payload) and shift < 56:
                byte = payload[at]
                size |= (byte & 127) << shift
                at, shift = at + 1, shift + 7
                if byte < 128:
                    break
        yield head >> 3 & 15, payload[at : min(at + size, at + 4096)]
        at += max(size, 0)


class _Av1Sequence:
    """The fields of an AV1 sequence header that decide on the size of a frame, and its colours."""

    def __init__(self, bits: _Bits):
        profile = bits.read(3)
        bits.read(1)
        self._is_reduced = bool(bits.read(1))
        self._time_bits = 0
        if self._is_reduced:
            bits.read(5)
        else:
            self._read_operating_points(bits)
        width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
        self.width, self.height = bits.read(width_bits) + 1, bits.read(height_bits) + 1
        self.most_pixels = 1 << width_bits + height_bits  # of a frame with a size of its own
        self._id_bits = 0
        if not self._is_reduced and bits.read(1):
            self._id_bits = bits.read(4) + 2
            self._id_bits += bits.read(3) + 1
        bits.read(3)
        self._screen_content = self._integer_motion = 2  # each frame decides
        if not self._is_reduced:
            self._read_tools(bits)
        bits.read(3)
        self.primaries = self.transfer = 2
        is_deep = bits.read(1)
        if profile == 2 and is_deep:
            bits.read(1)
        if profile != 1:
            bits.read(1)
        if bits.read(1):
            self.primaries, self.transfer = bits.read(8), bits.read(8)

    def _read_operating_points(self, bits: _Bits) -> None:
        delay_bits = 0
        has_model = False
        if bits.read(1):
            bits.read(64)
            is_equal = bits.read(1)
            if is_equal:
                bits.golomb()
            has_model = bool(bits.read(1))
            if has_model:
                delay_bits = bits.read(5) + 1
                bits.read(37)
                self._time_bits = 0 if is_equal else bits.read(5) + 1
                if is_equal:
                    bits.read(5)
        has_display_delay = bits.read(1)
        for _ in range(bits.read(5) + 1):
            bits.read(12)
            if bits.read(5) > 7:
                bits.read(1)
            if has_model and bits.read(1):
                bits.read(2 * delay_bits + 1)
            if has_display_delay and bits.read(1):
                bits.read(4)

    def _read_tools(self, bits: _Bits) -> None:
        bits.read(4)
        has_order = bits.read(1)
        if has_order:
            bits.read(2)
        if not bits.read(1):
            self._screen_content = bits.read(1)
        if self._screen_content and not bits.read(1):
            self._integer_motion = bits.read(1)
        if has_order:
            bits.read(3)

    def may_resize(self, bits: _Bits) -> bool:
        """Return whether a frame header announces a size of its own."""
        if self._is_reduced or bits.read(1):
            return False
        kind, is_shown = bits.read(2), bits.read(1)
        if kind == _SWITCH_FRAME:
            return True
        if is_shown:
            bits.read(self._time_bits)
        else:
            bits.read(1)
        if not (kind == _KEY_FRAME and is_shown):
            bits.read(1)
        bits.read(1)
        is_screen = bits.read(1) if self._screen_content == 2 else self._screen_content
        if is_screen and self._integer_motion == 2:
            bits.read(1)
        bits.read(self._id_bits)
        return bool(bits.read(1))


def _parameter_sets(body: bytes) -> Iterator[bytes]:
    """Yield the units in an hvcC box."""
    at = 23
    for _ in range(body[22]):
        (count,) = struct.unpack_from(">H", body, at + 1)
        at += 3
        for _ in range(count):
            (size,) = struct.unpack_from(">H", body, at)
            if size:
                yield body[at + 2 : at + 2 + size]
            at += 2 + size


def _units_with_length(payload: bytes) -> Iterator[bytes]:
    at = 0
    for _ in range(_MAX_UNITS):
        if at + 5 > len(payload):
            return
        (size,) = struct.unpack_from(">I", payload, at)
        if size:
            yield payload[at + 4 : at + 4 + min(size, 4096)]
        at += 4 + size


def _hevc_pixels(bits: _Bits) -> int:
    """Return the pixels of a frame by its sequence parameter set."""
    bits.read(4)
    layers = bits.read(3)
    bits.read(1)
    bits.read(96)
    present = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.read(1)
    width = bits.golomb()
    return width * bits.golomb()
