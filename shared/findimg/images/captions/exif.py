"""Read captions from EXIF."""

from collections.abc import Iterator

import PIL.Image
from PIL.ExifTags import IFD, Base

from findimg.images.captions.charsets import decode_text, decode_utf16

# Windows writes these as UTF-16, little-endian.
_WINDOWS = (Base.XPTitle, Base.XPSubject, Base.XPComment)
_USER_COMMENT_PREFIX = 8  # bytes that name the character set
_RATING = 0x4746


def exif_captions(picture: PIL.Image.Image) -> Iterator[str]:
    """Yield ImageDescription, UserComment, XPTitle, XPSubject, XPComment, XPKeywords and the rating.

    Source: EXIF 2.32, section 4.6.5 for UserComment. Microsoft's documentation of the Windows Imaging Component for the
    tags XP* and the rating.
    """
    exif = picture.getexif()
    for tag in _WINDOWS:
        if text := _windows(exif.get(tag)):
            yield text
    description = exif.get(Base.ImageDescription)
    if description:
        # Pillow decodes every text as Latin-1.
        yield decode_text(description.encode("latin-1", "replace") if isinstance(description, str) else description)
    if keywords := _windows(exif.get(Base.XPKeywords)):
        yield ", ".join(part.strip() for part in keywords.split(";"))
    rating = exif.get(_RATING)
    if isinstance(rating, int) and 1 <= rating <= 5:
        yield stars(rating)
    comment = exif.get_ifd(IFD.Exif).get(Base.UserComment)
    if comment:
        yield _user_comment(comment, exif.endian != ">")


def stars(rating: int) -> str:
    """Return a rating in words."""
    return f"{rating} star{'s' * (rating != 1)}"


def _windows(value: object) -> str:
    if isinstance(value, tuple):
        value = bytes(value)
    return decode_utf16(value) if isinstance(value, bytes) else ""


def _user_comment(comment: bytes | str, little: bool) -> str:
    if isinstance(comment, str):
        comment = comment.encode("latin-1", "replace")
    prefix, text = comment[:_USER_COMMENT_PREFIX], comment[_USER_COMMENT_PREFIX:]
    if prefix.startswith(b"UNICODE"):
        # Some programs write UTF-8 all the same.
        is_single = len(text) % 2 or (b"\0" not in text and text.isascii())
        return decode_text(text) if is_single else decode_utf16(text, little)
    if prefix.startswith(b"JIS"):
        return _jis(text)
    return decode_text(text if prefix.startswith(b"ASCII") or not prefix.strip(b"\0") else comment)


def _jis(text: bytes) -> str:
    text = text.rstrip(b"\0")
    if b"\x1b" not in text and not all(byte < 0x80 for byte in text):
        return decode_text(text)
    # JIS X 0208 without the escape sequences that announce it.
    return (text if b"\x1b" in text else b"\x1b$B" + text + b"\x1b(B").decode("iso2022_jp", "replace")
