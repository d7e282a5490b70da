"""Repair PNG files with sound pixels: drop broken or oversized metadata.

Source: PNG Specification (third edition), chapter 5, Datastream structure.
"""

import struct
import zlib

START = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")
_METADATA = (b"eXIf", b"iCCP", b"cICP")  # kept if their checksum is right
_MAX_METADATA = 1 << 20  # bytes, before decompression


def without_metadata(data: bytes) -> bytes:
    """Return a copy with the pixels, their colours and sound EXIF."""
    kept = [START]
    at = len(START)
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


def stated_colours(data: bytes) -> tuple[int, int] | None:
    """Return the primaries and the transfer function of a cICP chunk before the pixels, by their numbers in H.273."""
    at = len(START)
    while at + 12 <= len(data) and (kind := data[at + 4 : at + 8]) != b"IDAT":
        if kind == b"cICP":
            return data[at + 8], data[at + 9]
        at += 12 + struct.unpack_from(">I", data, at)[0]
    return None


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
