"""The query language: what a person types after `/findimg` and `/similar`, as data."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from findimg.errors import QueryError
from findimg.library.catalog import NO_FILTERS, Filters

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
_VERBATIM = ("in", "like")
# Keyboards and Slack turn straight quotes into the others.
_QUOTES = '"“”„«»'
_TOKEN = re.compile(
    rf"""(?=\S)(?P<minus>-?)
    (?:(?P<field>(?ai:{"|".join(_FIELDS)})):)?
    (?:[{_QUOTES}](?P<quoted>[^{_QUOTES}]*)(?P<close>[{_QUOTES}]?)|(?P<plain>[^\s:{_QUOTES}]*))
    (?P<rest>\S*)""",
    re.VERBOSE,
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
    filters: Filters = NO_FILTERS
    like: str | None = None  # the URI of an indexed image
    of_class: str | None = None  # the class whose features count, with `like`


def parse(text: str, image: bool = False) -> Query:
    """Parses a query: `cat sofa`, `"fire engine" -dog`, `cat:2`, `in:2024/party`, `before:2024-06-01`, `after:…`,
    `type:png`, `like:<uri>`, `class:"siamese cat"`.

    Words are compared in one Unicode form and without what cannot be seen; a folder or a URI is taken as it stands.

    Args:
        text: what was typed, at most `LONGEST` characters.
        image: an image comes with the query, which then stands in the place of `like:`.

    Raises:
        QueryError: it is empty, too long, or something in it cannot be understood; the message shows the place.
    """
    if len(text) > LONGEST:
        raise QueryError(f"The query has {len(text)} characters; shorten it to {LONGEST}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"Character {error.start + 1} of the query is no text; type it again.") from error
    terms: list[Term] = []
    folders: list[str] = []
    formats: list[str] = []
    once: dict[str, str] = {}
    first: dict[str | None, _Token] = {}  # where each field first stands, and the first word
    for token in _tokens(text):
        value = token.plain if token.quoted is None else token.quoted
        if token.field not in _VERBATIM:
            value = _clean(value)
        if token.field is None:
            term = _term(text, token, value)
            if term is None:
                continue
            if len(terms) == MOST_TERMS:
                raise _error(text, token, f"{MOST_TERMS} words are the most; leave out the others")
            terms.append(term)
        elif token.minus:
            raise _error(text, token, f"{token.field}: cannot be negated; leave out the minus")
        elif not value.strip():
            raise _error(text, token, f"something must follow {token.field}: without a space")
        elif token.field == "in":
            folders.append(value)
        elif token.field == "type":
            if value.lower() not in FORMATS:
                raise _error(text, token, f"type: takes one of {', '.join(FORMATS)}")
            formats += FORMATS[value.lower()]
        elif token.field in once:
            raise _error(text, token, f"{token.field}: can stand only once")
        else:
            once[token.field] = value
        first.setdefault(token.field, token)
    days = {name: _day(text, first[name], once[name]) for name in ("before", "after") if name in once}
    if "class" in once and not (image or "like" in once):
        raise _error(text, first["class"], 'class: goes with an image, as in `like:<uri> class:"tabby"`')
    if "like" in once and image:
        raise _error(text, first["like"], "an image was given already; leave out one of the two")
    if "like" in once or image:
        if terms:
            raise _error(text, first[None], "likeness goes with class: and filters, not with words; leave them out")
    elif not any(term.weight > 0 for term in terms):
        raise QueryError("Say what to look for, such as `cat sofa`; `-dog` and filters only narrow that down.")
    filters = Filters(tuple(folders), days.get("before"), days.get("after"), tuple(formats))
    return Query(text.strip(), tuple(terms), filters, once.get("like"), once.get("class"))


@dataclass(frozen=True, slots=True)
class _Token:
    start: int
    minus: bool
    field: str | None
    quoted: str | None
    plain: str
    rest: str  # what follows a quoted or plain part without a space


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        name = match["field"] and match["field"].lower()
        token = _Token(
            match.start(),
            bool(match["minus"]),
            name,
            match["quoted"],
            match["plain"] or "",
            match["rest"],
        )
        if token.quoted is not None and not match["close"]:
            raise _error(text, token, "a quotation mark is not closed")
        if token.quoted is not None and token.rest and (name or not token.rest.startswith(":")):
            raise _error(text, token, "a space must follow the closing quotation mark")
        if name and token.quoted is None:
            # A URI or a folder may hold colons and quotes.
            token = replace(token, plain=token.plain + token.rest, rest="")
        yield token


def _term(text: str, token: _Token, words: str) -> Term | None:
    """The word or phrase; None when there is nothing to see."""
    if token.rest and not token.rest.startswith(":"):
        raise _error(text, token, "a space must stand before a quotation mark")
    if not words:
        if token.minus or token.rest or token.quoted is not None:
            raise _error(
                text, token, "a word is missing; a minus stands before it and a colon after it, without a space"
            )
        return None
    weight = 1.0
    if token.rest:
        amount = re.fullmatch(r":(\d+(?:\.\d+)?)", token.rest)
        if not amount:
            known = ", ".join(f"{name}:" for name in _FIELDS)
            raise _error(text, token, f"after a colon goes a weight, as in cat:2, and before it one of {known}")
        weight = float(amount[1])
        if not 0 < weight <= 100:
            raise _error(text, token, "a weight is more than 0 and at most 100")
    return Term(words, -weight if token.minus else weight, token.quoted is not None)


def _clean(text: str) -> str:
    """One form for what looks the same, without characters that cannot be seen."""
    composed = unicodedata.normalize("NFKC", text)
    return " ".join("".join(c for c in composed if c.isspace() or unicodedata.category(c)[0] != "C").split())


def _day(text: str, token: _Token, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise _error(text, token, f"{token.field}: takes a day like 2024-06-01") from error


def _error(text: str, token: _Token, problem: str) -> QueryError:
    shown = text[token.start :].split(maxsplit=1)[0]
    return QueryError(f"At character {token.start + 1}, `{shown[:60]}`: {problem}.")
