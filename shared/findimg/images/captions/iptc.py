"""Read captions from IPTC records.

Source: IPTC-NAA Information Interchange Model version 4, sections 1.5 and 1.6, and datasets 1:90 and 2:05 to 2:120.
"""

from collections.abc import Iterator

from findimg.images.captions.charsets import decode_text

_MARK = 0x1C  # starts a dataset
_CHARSET = (1, 90)
_KEYWORD = (2, 25)
_TEXTS = ((2, 5), (2, 105), (2, 120))  # title, headline, caption
# ISO 2022 escape sequences of 1:90
_ESCAPES = {
    b"\x1b%G": "utf-8",
    b"\x1b%/I": "utf-8",
    b"\x1b.A": "latin-1",
    b"\x1b.B": "iso8859-2",
    b"\x1b.F": "iso8859-7",
    b"\x1b.M": "iso8859-9",
    b"\x1b-A": "latin-1",
    b"\x1b-B": "iso8859-2",
    b"\x1b-F": "iso8859-7",
    b"\x1b-G": "iso8859-6",
    b"\x1b-H": "iso8859-8",
    b"\x1b-L": "iso8859-5",
    b"\x1b-M": "iso8859-9",
    b"\x1b$B": "iso2022_jp",
}


def iptc_captions(block: bytes) -> Iterator[str]:
    """Yield title, headline, caption and keywords. Datasets before a broken one count."""
    charset = ""
    texts: list[bytes] = []
    keywords: list[bytes] = []
    for dataset, value in _datasets(block):
        if dataset == _CHARSET:
            charset = _ESCAPES.get(value.strip(b"\0 "), "")
        elif dataset in _TEXTS:
            texts.append(value)
        elif dataset == _KEYWORD:
            keywords.append(value)
    for text in texts:
        yield _decoded(text, charset)
    if keywords:
        yield ", ".join(_decoded(keyword, charset) for keyword in keywords)


def _datasets(block: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    at = block.find(bytes([_MARK]))
    while 0 <= at <= len(block) - 5 and block[at] == _MARK:
        length = int.from_bytes(block[at + 3 : at + 5])
        start = at + 5
        if length & 0x8000:
            # An extended dataset states how many bytes its length has.
            size = length & 0x7FFF
            length = int.from_bytes(block[start : start + size])
            start += size
        if start + length > len(block):
            return
        yield (block[at + 1], block[at + 2]), block[start : start + length]
        at = start + length


def _decoded(text: bytes, charset: str) -> str:
    if not charset:
        return decode_text(text)
    try:
        return text.decode(charset)
    except UnicodeDecodeError:
        return decode_text(text)
