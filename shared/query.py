"""The query language: what a person types after `/findimg` and `/similar`, as data."""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from shared.catalog import Filters
from shared.errors import QueryError

LONGEST = 1000  # characters
MOST_TERMS = 20
FORMATS = {
    "jpg": ("JPEG", "MPO"),
    "jpeg": ("JPEG", "MPO"),
    "png": ("PNG",),
    "webp": ("WEBP",),
    "gif": ("GIF",),
    "bmp": ("BMP",),
    "tif": ("TIFF",),
    "tiff": ("TIFF",),
    "avif": ("AVIF",),
    "heic": ("HEIF",),
    "heif": ("HEIF",),
}
_FIELDS = ("in", "before", "after", "type", "like", "class")
# Keyboards and Slack turn straight quotes into the others.
_QUOTES = '"“”„«»'
_TOKEN = re.compile(
    rf"""(?P<minus>-?)
    (?:(?P<field>{"|".join(_FIELDS)}):)?
    (?:[{_QUOTES}](?P<quoted>[^{_QUOTES}]*)(?P<close>[{_QUOTES}]?)|(?P<plain>[^\s:{_QUOTES}]*))
    (?P<rest>\S*)""",
    re.VERBOSE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase that is asked for."""

    text: str
    weight: float = 1.0  # negative: must not be there
    phrase: bool = False  # was quoted


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query."""

    text: str
    terms: tuple[Term, ...] = ()
    filters: Filters = Filters()
    like: str | None = None  # the URI of an indexed image
    of_class: str | None = None  # the class whose features count, with `like`


def parse(text: str, image: bool = False) -> Query:
    """Parses a query: `cat sofa`, `"fire engine" -dog`, `cat:2`, `in:2024/party`, `before:2024-06-01`, `after:…`,
    `type:png`, `like:<uri>`, `class:"siamese cat"`.

    Args:
        image: an image comes with the query, which then stands in the place of `like:`.

    Raises:
        QueryError: it is empty, too long, or something in it cannot be understood; the message shows the place.
    """
    if len(text) > LONGEST:
        raise QueryError(f"The query has {len(text)} characters; {LONGEST} are the most.")
    terms: list[Term] = []
    folders: list[str] = []
    formats: list[str] = []
    single: dict[str, str] = {}
    days: dict[str, date] = {}
    for token in _tokens(text):
        value = _clean(token.quoted) if token.quoted is not None else token.plain
        if token.field is None:
            terms += _terms(text, token)
        elif token.minus:
            raise _error(text, token, f"{token.field}: cannot be negated")
        elif not value:
            raise _error(text, token, f"something must follow {token.field}: without a space")
        elif token.field == "in":
            folders.append(value)
        elif token.field == "type":
            if value.lower() not in FORMATS:
                raise _error(text, token, f"type: takes one of {', '.join(FORMATS)}")
            formats += FORMATS[value.lower()]
        elif token.field in ("before", "after"):
            days[token.field] = _day(text, token, value)
        elif token.field in single:
            raise _error(text, token, f"{token.field}: can stand only once")
        else:
            single[token.field] = value
    if len(terms) > MOST_TERMS:
        raise QueryError(f"The query has {len(terms)} words; {MOST_TERMS} are the most.")
    alike = image or "like" in single
    if "class" in single and not alike:
        raise QueryError('class: says which features of an image count, so it needs like:, as in `like:<uri> class:"tabby"`.')
    if alike and terms:
        raise QueryError(f"Likeness goes with class: and filters, not with words; leave out {terms[0].text!r}.")
    if image and "like" in single:
        raise QueryError("An image and like: cannot be asked for at once; leave one of them out.")
    if not alike and not any(term.weight > 0 for term in terms):
        raise QueryError("Say what to look for, such as `cat sofa`; `-dog` and filters only narrow that down.")
    filters = Filters(tuple(folders), days.get("before"), days.get("after"), tuple(formats))
    return Query(text.strip(), tuple(terms), filters, single.get("like"), single.get("class"))


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    minus: bool
    field: str | None
    quoted: str | None
    plain: str
    rest: str  # what follows a quoted or plain part without a space


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        assert match is not None  # every part of the pattern may be empty
        field = match["field"]
        token = _Token(position, bool(match["minus"]), field and field.lower(), match["quoted"], match["plain"] or "", match["rest"])
        if match["quoted"] is not None and not match["close"]:
            raise _error(text, token, "a quotation mark is not closed")
        if field and match["quoted"] is None:
            # A URI or a folder may hold colons and quotes.
            token = _Token(position, token.minus, token.field, None, token.plain + token.rest, "")
        elif field and token.rest:
            raise _error(text, token, "a space must follow the closing quotation mark")
        yield token
        position = match.end() if match.end() > position else position + 1


def _terms(text: str, token: _Token) -> list[Term]:
    words = _clean(token.plain if token.quoted is None else token.quoted)
    weight = 1.0
    if token.rest:
        amount = re.fullmatch(r":(\d+(?:\.\d+)?)", token.rest)
        if not amount:
            known = ", ".join(f"{field}:" for field in _FIELDS)
            raise _error(text, token, f"after a colon goes a weight, as in cat:2, and before it one of {known}")
        weight = float(amount[1])
        if not (0 < weight <= 100 and math.isfinite(weight)):
            raise _error(text, token, "a weight is more than 0 and at most 100")
    if not words:
        return []
    return [Term(words, -weight if token.minus else weight, token.quoted is not None)]


def _clean(text: str) -> str:
    """One form for what looks the same, without characters that cannot be seen."""
    composed = unicodedata.normalize("NFKC", text)
    visible = "".join(c if not unicodedata.category(c).startswith("C") else " " * (c == "\t") for c in composed)
    return " ".join(visible.split())


def _day(text: str, token: _Token, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise _error(text, token, f"{token.field}: takes a day like 2024-06-01") from error


def _error(text: str, token: _Token, problem: str) -> QueryError:
    shown = text[token.start :].split(maxsplit=1)[0]
    return QueryError(f"At character {token.start + 1}, `{shown[:60]}`: {problem}.")
