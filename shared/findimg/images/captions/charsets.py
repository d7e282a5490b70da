"""Decode text whose character set is not stated."""

import codecs
import re
import unicodedata

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Character sets of languages without Latin letters, with the Unicode names that their letters begin with.
_OTHERS = (
    ("cp932", ("HIRAGANA", "KATAKANA", "CJK", "IDEOGRAPHIC", "FULLWIDTH")),
    ("euc_kr", ("HANGUL",)),
    ("cp1251", ("CYRILLIC",)),
    ("cp1253", ("GREEK",)),
    ("gb18030", ("CJK", "IDEOGRAPHIC", "FULLWIDTH")),
)


def decode_text(data: bytes) -> str:
    """Return text in the character set that fits its bytes best. NUL bytes at its end are left out."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace").rstrip("\0")
    data = data.rstrip(b"\0")
    try:
        return data.decode()
    except UnicodeDecodeError:
        pass
    high = sum(byte >= 0x80 for byte in data)
    letters = sum(chr(byte).isalpha() for byte in data if byte < 0x80)
    # In a Latin script most letters are ASCII.
    if high > letters:
        for name, scripts in _OTHERS:
            if text := _in_scripts(data, name, scripts):
                return text
    return data.decode("cp1252", "replace")


def decode_utf16(data: bytes, little: bool = True) -> str:
    """Return UTF-16 text, in the byte order that fits it, up to the first NUL.

    Args:
        data: the text. A byte order mark at its start decides.
        little: the byte order of a text that fits both.
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        text = data.decode("utf-16", "replace")
    else:
        # Most texts have ASCII characters, whose higher byte is zero.
        even, odd = data[::2].count(0), data[1::2].count(0)
        is_little = little if even == odd else odd > even
        text = data.decode("utf-16-le" if is_little else "utf-16-be", "replace")
    return text.partition("\0")[0]


def _in_scripts(data: bytes, name: str, scripts: tuple[str, ...]) -> str:
    """Return the text if all its letters beyond ASCII are in some scripts, else an empty text."""
    try:
        text = data.decode(name)
    except UnicodeDecodeError:
        return ""
    foreign = [letter for letter in text if ord(letter) >= 0x80 and letter.isalpha()]
    if not foreign or not all(unicodedata.name(letter, "").startswith(scripts) for letter in foreign):
        return ""
    if name == "cp932":
        # Chinese bytes are often valid here too, but Japanese text has kana.
        kana = sum(unicodedata.name(letter, "").startswith(("HIRAGANA", "KATAKANA")) for letter in foreign)
        halfwidth = sum("\uff61" <= letter <= "\uff9f" for letter in text)
        return text if kana and halfwidth <= len(foreign) // 2 else ""
    if any(ord(letter) >= 0x80 and unicodedata.category(letter) in ("So", "Sk", "Po") for letter in text):
        return "" if name in ("cp1251", "cp1253") else text
    # Bytes of another character set would be words with capital letters inside.
    words = re.findall(r"[^\W\d_]+", text)
    return text if all(word in (word.lower(), word.upper(), word[:1] + word[1:].lower()) for word in words) else ""
