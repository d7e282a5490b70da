"""Read the captions of an image from its EXIF, IPTC, XMP and PNG text, and from an XMP sidecar.

Only fields for titles, descriptions, keywords, labels and ratings are read. Positions, serial numbers, and the names
and addresses of people are in other fields. All metadata is untrusted: sizes are limited, and broken metadata gives no
caption rather than an error.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar

import PIL.Image

from findimg.images.captions.exif import exif_captions
from findimg.images.captions.iptc import iptc_captions
from findimg.images.captions.xmp import xmp_captions

SIDECAR_BYTES = 4 << 20  # a larger file is no sidecar
_Source = TypeVar("_Source")
_LONGEST = 2000  # characters of one caption
_MOST = 200  # captions of one image
_TOTAL = 8000  # characters of all captions of one image
_BYTES = 4 << 20  # of one block of metadata; a larger one is not read
_PNG_KEYS = frozenset(["title", "description", "comment", "caption", "keywords", "subject", "headline", "label"])
# What cameras and programs write into every image.
_MEANINGLESS = re.compile(
    r"(?i)(?:olympus digital camera|sony dsc|samsung|(?:konica )?minolta digital camera|digital camera|dcim\W.*"
    r"|exif_jpeg_\w+|default|untitled|(?:image )?description|charset=\w+|unknown|none|null|[\W_]*)"
)


def read_captions(picture: PIL.Image.Image) -> str:
    """Return the captions of an image, one on a line, the title first. The text is in Unicode form NFKC.

    Args:
        picture: an opened image with its metadata. For a PNG file, the pixels must have been loaded.
    """
    found: list[str] = []
    for read in (_xmp, _iptc, exif_captions, _png):
        found += _without_errors(read, picture)
    return _joined(found)


def read_sidecar(data: bytes) -> str:
    """Return the captions in an XMP file, one on a line. They are empty if it is no XMP file."""
    return _joined(_without_errors(xmp_captions, data)) if len(data) <= SIDECAR_BYTES else ""


def _without_errors(read: Callable[[_Source], Iterable[str]], source: _Source) -> list[str]:
    """Return what a reader finds before any error."""
    found: list[str] = []
    with suppress(Exception):
        for text in read(source):
            found.append(text)
            if len(found) == _MOST:
                break
    return found


def _xmp(picture: PIL.Image.Image) -> Iterator[str]:
    packet = picture.info.get("xmp") or picture.info.get("XML:com.adobe.xmp") or picture.getexif().get(700)
    if isinstance(packet, str):
        packet = packet.encode()
    if isinstance(packet, tuple):
        packet = bytes(packet)
    if isinstance(packet, bytes) and len(packet) <= _BYTES:
        yield from xmp_captions(packet)


def _iptc(picture: PIL.Image.Image) -> Iterator[str]:
    resources = picture.info.get("photoshop")
    block = resources.get(0x0404) if isinstance(resources, dict) else picture.getexif().get(33723)
    if isinstance(block, tuple):
        # Some programs write the block as 32-bit numbers.
        block = b"".join(number.to_bytes(4, "little") for number in block[: _BYTES // 4])
    if isinstance(block, bytes) and len(block) <= _BYTES:
        yield from iptc_captions(block)


def _png(picture: PIL.Image.Image) -> Iterator[str]:
    texts = getattr(picture, "text", None)
    for key, text in (texts if isinstance(texts, dict) else {}).items():
        if key.strip().lower() in _PNG_KEYS:
            yield str(text)


def _joined(captions: Iterable[str]) -> str:
    kept: dict[str, None] = {}
    left = _TOTAL
    for caption in captions:
        text = _clean(caption)[: min(_LONGEST, left)]
        if text and not _MEANINGLESS.fullmatch(text) and text not in kept:
            kept[text] = None
            left -= len(text) + 1
        if left <= 0:
            break
    return "\n".join(kept)


def _clean(text: str) -> str:
    """Return a text on one line in form NFKC, without control characters."""
    text = unicodedata.normalize("NFKC", text[: 4 * _LONGEST].replace("\0", " "))
    visible = (" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join("".join(visible).split())
