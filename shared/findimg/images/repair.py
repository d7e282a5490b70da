"""Repair files with sound pixels: drop broken or oversized metadata, and complete a cut JPEG.

Sources: PNG Specification (third edition), 5 Datastream structure; ITU-T T.81, annex B.
"""

import struct
import zlib

import numpy as np
import PIL.Image

_PNG = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")
_METADATA = (b"eXIf", b"iCCP")  # kept if their checksum is right
_MAX_METADATA = 1 << 20  # bytes, before decompression
_END = b"\xff\xd9"
_EDGE = 8  # pixels, the width of a JPEG block
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # JPEG markers without a length


def without_metadata(data: bytes) -> bytes | None:
    """Return the file without metadata that a decoder may stumble over, None for other formats than PNG and JPEG."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    return None


def completed(data: bytes) -> bytes | None:
    """Return a JPEG with an end marker, None for another format."""
    return data + _END if data.startswith(b"\xff\xd8") else None


def missing_rows(picture: PIL.Image.Image) -> float:
    """Return the share of rows at the lower end that a completed JPEG has no data for, 0 to 1.

    A decoder fills them with one colour, from the middle of a row of blocks on. So the right edge is compared.
    """
    edge = np.asarray(picture)[:, -_EDGE:]
    flat = (edge == edge[-1:, -1:]).reshape(len(edge), -1).all(axis=1)
    filled = len(edge) if flat.all() else int(np.argmin(flat[::-1]))
    return filled / len(edge)


def _png(data: bytes) -> bytes:
    kept = [_PNG]
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data) and kind not in _PIXELS:
            break
        chunk = data[at:end]
        if kind in _PIXELS or (kind in _METADATA and _is_sound(kind, chunk)):
            kept.append(chunk)
        if kind == b"IEND":
            break
        at = end
    return b"".join(kept)


def _is_sound(kind: bytes, chunk: bytes) -> bool:
    body = chunk[8:-4]
    if not body or len(body) > _MAX_METADATA or zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
        return False
    if kind != b"iCCP":
        return True
    name, _, rest = body.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(rest[1:], _MAX_METADATA)
    except zlib.error:
        return False
    return bool(name and profile) and unpacker.eof


def _jpeg(data: bytes) -> bytes:
    kept = [data[:2]]
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + length]
        if marker == 0xDA:  # the pixels follow
            kept.append(data[at:])
            break
        is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
        is_colour = marker == 0xEE and segment[4:9] == b"Adobe" and len(segment) >= 16
        is_exif = marker == 0xE1 and segment[4:10] == b"Exif\0\0"
        if not is_metadata or is_colour or is_exif:
            kept.append(segment)
        at += 2 + length
    return b"".join(kept)
