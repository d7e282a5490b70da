"""Read captions from XMP.

Source: XMP Specification Part 1, sections 7.4 to 7.9 for the forms of properties, and Part 2 for the schemas.
"""

import codecs
from collections.abc import Iterator
from contextlib import suppress
from xml.parsers import expat

from findimg.images.captions.exif import stars

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ITEM = f"{_RDF} li"
_DESCRIPTION = f"{_RDF} Description"
_DC = "http://purl.org/dc/elements/1.1/"
_XMP = "http://ns.adobe.com/xap/1.0/"
_KEYWORDS = f"{_DC} subject"
_RATING = f"{_XMP} Rating"
# In the order in which they are shown
_TEXTS = (
    f"{_DC} title",
    "http://ns.adobe.com/photoshop/1.0/ Headline",
    f"{_DC} description",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/ AltTextAccessibility",
    "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/ ExtDescrAccessibility",
    "http://ns.adobe.com/tiff/1.0/ ImageDescription",
    "http://ns.adobe.com/exif/1.0/ UserComment",
    _KEYWORDS,
    f"{_XMP} Label",
    _RATING,
)
_DEEPEST = 64  # levels of elements
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def xmp_captions(packet: bytes) -> Iterator[str]:
    """Yield title, headline, description, keywords, label and rating. What comes before an error counts.

    Document types are refused, so that entities cannot expand.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    with suppress(expat.ExpatError, _RefusedError):
        parser.Parse(_without_padding(packet), True)
    for name in _TEXTS:
        values = [value.strip() for value in reader.found.get(name, []) if value.strip()]
        if name == _RATING:
            yield from (stars(int(value)) for value in values if value in {"1", "2", "3", "4", "5"})
        elif name == _KEYWORDS:
            yield ", ".join(dict.fromkeys(values))
        else:
            yield from values


def _without_padding(packet: bytes) -> bytes | str:
    """Return a packet without white space at its ends. UTF-16 and UTF-32 are decoded."""
    for marks, name in ((_UTF32, "utf-32"), (_UTF16, "utf-16")):
        if packet.startswith(marks):
            return packet.decode(name, "replace").strip("\0 \t\r\n")
    return packet.strip(b"\0 \t\r\n")


class _RefusedError(Exception):
    """The packet has something that XMP never has."""


def _refuse(*_: object) -> None:
    raise _RefusedError


class _Reader:
    """Collects the values of the properties in `_TEXTS`."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self._open: list[str] = []
        self._property = ""
        self._depth = 0  # of the property's element
        self._pieces: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name)
        if len(self._open) > _DEEPEST:
            raise _RefusedError
        if not self._property and name in _TEXTS and self._open[-2:-1] == [_DESCRIPTION]:
            self._property, self._depth = name, len(self._open)
            self._pieces = []
        elif self._property and name == _ITEM:
            self._pieces = []
        if name == _DESCRIPTION and not self._property:
            for attribute, value in attributes.items():
                if attribute in _TEXTS:
                    self.found.setdefault(attribute, []).append(value)

    def end(self, name: str) -> None:
        if self._property and (name == _ITEM or len(self._open) == self._depth):
            self.found.setdefault(self._property, []).append("".join(self._pieces))
            self._pieces = []
            if len(self._open) == self._depth:
                self._property = ""
        self._open.pop()

    def text(self, data: str) -> None:
        if self._property:
            self._pieces.append(data)
