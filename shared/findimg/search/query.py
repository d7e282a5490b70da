"""The query language: the text that a person types after `/findimg` and `/similar`, as data."""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice, takewhile
from typing import Literal

from findimg.errors import QueryError
from findimg.library.filters import NO_FILTERS, Filters, fold, folder_part, name_part
from findimg.text.dates import read_range
from findimg.text.lexicon import FILLERS
from findimg.text.normalise import normalise

LONGEST = 1000  # characters
MOST_TERMS = 20
HIGHEST_WEIGHT = 100
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
    "jxl": ("JXL",),
    "raw": ("RAW",),
}
SOURCES: dict[str, Literal["written", "caption"]] = {"text": "written", "caption": "caption"}
FIELDS = ("in", "name", "before", "after", "date", "type", "sort", "like", "class", *SOURCES)
Order = Literal["best", "newest", "oldest"]
_ORDERS: dict[str, Order] = {"date": "newest", "newest": "newest", "oldest": "oldest", "best": "best"}
_DATES = ("before", "after", "date")
_WORDS_IN_A_DATE = 4  # "1 of June 2024"
_NOT = ("not", "without", "except")
ARTICLES = ("a", "an", "the", "any", "some")
_SIMILAR = """
again alike any anything else find like look looking looks match matches matching more one ones other others resemble
resembling same search see similar
"""
_SIMILAR_WORDS = frozenset(_SIMILAR.split())
_ABOUT_IMAGE = FILLERS | _SIMILAR_WORDS
_OPENING = "([{<*_~,;.!?&+#"  # may stand before a word or a filter without meaning anything
_FIELD = re.compile(rf"(?P<minus>-?)(?P<field>(?ai:{'|'.join(FIELDS)})):[ \t]*")
# A single quote ends a phrase where no letter follows: `'rock'n'roll'`.
_QUOTED = re.compile(r'"(?P<double>(?:\\"|[^"])*)"' r"|'(?P<single>(?:\\'|'(?=[^\W_])|[^'])*)'(?![^\W_])")
_MINUS = re.compile(r"-+(?:[(\[{*~]*(?=[^\W_])|(?=[\"']))")
_WEIGHT = re.compile(r":(?P<weight>\d+(?:\.\d+)?)(?![^\s\W])")
_UNKNOWN_FIELD = re.compile(r"[a-z]+:(?=[^\W\d]|[<>=\"'])", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase that is asked for."""

    text: str
    weight: float = 1.0  # negative: must not be there
    phrase: bool = False  # was quoted, or is a taught name
    alternatives: tuple["Term", ...] = ()  # others of which any one is as good; their weights do not count
    source: Literal["", "written", "caption"] = ""  # the only text to look into; empty for all evidence
    typed: str = field(default="", compare=False)  # the words that `text` is a translation of
    only_name: bool = field(default=False, compare=False)  # is a taught name, and was not quoted

    @property
    def texts(self) -> tuple[str, ...]:
        """The term's words or phrases, of which an image needs only one."""
        return (self.text, *(other.text for other in self.alternatives))

    @property
    def is_plain(self) -> bool:
        """Whether the term is one word without quotes, weight or alternatives."""
        return self == Term(self.text)


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query.

    Without terms and an image it browses: the answer is every image that matches the filters, the newest first.
    """

    text: str
    terms: tuple[Term, ...] = ()
    filters: Filters = NO_FILTERS
    like: str | None = None  # the URI of an indexed image
    of_class: str | None = None  # the class whose features count, with `like`
    order: Order = "best"


@dataclass(slots=True)
class _Piece:
    """A part of the text: a word or a phrase, a filter, or an `or` between two words."""

    kind: Literal["term", "field", "or"]
    value: str = ""
    field: str = ""
    minus: bool = False
    weight: float = 1.0
    phrase: bool = False
    source: Literal["", "written", "caption"] = ""

    def __str__(self) -> str:
        return f"{'-' * self.minus}{self.field and f'{self.field}:'}{self.value}"[:60]


def parse(text: str, image: bool = False, today: date | None = None) -> Query:
    """Return the query that a text means.

    Words are `cat sofa`, phrases `"fire engine"`; `-dog` and `not dog` exclude, `cat or dog`, `cat | dog` and `cat/dog`
    accept either, `cat:2` gives a weight. Filters are `in:2024/party`, `name:beach`, `type:png`, `before:2024-06`,
    `after:June`, `date:2024`; `in:`, `name:` and `type:` can be excluded with a minus. `sort:date` shows the newest
    first. `text:invoice` and `caption:"team photo"` are words that must be written in the image, or in its caption.
    `like:<uri>` and `class:"siamese cat"` ask for similar images, `like:<uri> at night` for similar ones that show the
    words, too.

    Punctuation and emoji are understood as `findimg.text.normalise` says. Nothing that people type is a syntax error.

    Args:
        text: at most `LONGEST` characters.
        image: an image comes with the query and takes the place of `like:`.
        today: the current day of the person who searches, for dates such as `yesterday`. Without it only full dates are
            known.

    Raises:
        QueryError: the query is empty or too long, or a filter has no meaning; the message names the part.
    """
    if len(text) > LONGEST:
        raise QueryError(f"The query has {len(text)} characters. Shorten it to {LONGEST}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(f"Character {error.start + 1} of the query is not valid text. Type it again.") from error
    pieces = _Scanner(normalise(text), today).pieces()
    terms = _terms(pieces)
    if len(terms) > MOST_TERMS:
        raise QueryError(f"The query has {len(terms)} words. Leave out all but {MOST_TERMS}.")
    query = _filtered(Query(text.strip(), terms), [piece for piece in pieces if piece.kind == "field"], today)
    if query.filters and all(term.is_plain and term.text.lower() in FILLERS for term in terms):
        query = replace(query, terms=(terms := ()))  # `photos in:cup` lists all of them
    if query.of_class is not None and not (image or query.like is not None):
        raise QueryError('class: goes with an image, as in `like:<uri> class:"tabby"`.')
    if image and query.like is not None:
        raise QueryError("The query comes with an image and has like: too. Leave out one of the two.")
    if image or query.like is not None:
        if query.order != "best":
            raise QueryError("Similar images come in the order of their similarity. Leave out sort:.")
        query = replace(query, terms=(terms := _beside_image(terms)))
        if terms and image:
            raise QueryError(
                f"A search for similar images takes filters and class:, but no words. Leave out `{terms[0].text}`."
            )
        if terms and query.of_class is not None:
            raise QueryError(f"The query has class: and words. Leave out class: or `{terms[0].text}`.")
    elif not any(term.weight > 0 for term in terms) and not query.filters and (terms or query.order == "best"):
        raise QueryError("Say what to look for, such as `cat sofa`. `-dog` only narrows that down.")
    return query


def filters_beside_image(text: str, today: date | None = None) -> str:
    """Return the part of a text that can filter the images that are like a given one.

    Words say only what the image shows, so `zebra in:cup` becomes `in:"cup"`. A text without a filter, or with one that
    has no meaning, becomes empty.

    Args:
        text: that comes with the image.
        today: as for `parse`.
    """
    try:
        pieces = _Scanner(normalise(text[:LONGEST]), today).pieces()
        _terms(pieces)  # passes "not" on to the filter that follows it
        wanted = [piece for piece in pieces if piece.kind == "field" and piece.field not in ("like", "sort")]
        filters = " ".join(f"{'-' * piece.minus}{piece.field}:{_quoted(piece.value)}" for piece in wanted)
        if filters:
            parse(filters, image=True, today=today)
    except QueryError:
        return ""
    return filters


class _Scanner:
    """Reads a normalised text from left to right."""

    def __init__(self, text: str, today: date | None):
        self._text = text
        self._today = today
        self._at = 0

    def pieces(self) -> list[_Piece]:
        """Return the parts of the text in their order."""
        found: list[_Piece] = []
        while self._at < len(self._text):
            start = self._at
            for read in (self._field, self._phrase, self._word):
                found += read()
                if self._at > start:
                    break
            else:
                self._at += 1  # a space, or punctuation without meaning
        return found

    def _starts(self) -> bool:
        """Return whether a minus or a filter can begin here: after a space, and after brackets and the like."""
        before = self._text[: self._at].rstrip(_OPENING)
        return not before or before[-1].isspace() or before[-1] in "|/"

    def _field(self) -> list[_Piece]:
        match = _FIELD.match(self._text, self._at)
        if not match or not self._starts():
            return []
        name = match["field"].lower()
        self._at = match.end()
        if name in SOURCES:
            value = _trimmed(self._value(name))
            if not value:
                raise QueryError(f"{name}: needs a value, as in `{_EXAMPLES[name]}`.")
            return [_Piece("term", value, minus=bool(match["minus"]), phrase=True, source=SOURCES[name])]
        return [_Piece("field", self._value(name), name, bool(match["minus"]))]

    def _value(self, name: str) -> str:
        if quoted := _QUOTED.match(self._text, self._at):
            self._at = quoted.end()
            return _unquoted(quoted)
        if name in _DATES and (words := self._date()):
            return words
        end = self._at
        # A shell escapes a blank by a backslash.
        while end < len(self._text) and (not self._text[end].isspace() or self._text[end - 1] == "\\"):
            end += 1
        value, self._at = re.sub(r"\\(?=\s)", "", self._text[self._at : end]), end
        value = value.rstrip(",;!?").replace('"', "")
        if name not in ("in", "name") and not value.endswith(".."):
            value = value.rstrip(".")
        return value if any(bracket in value for bracket in "([{") else value.rstrip(",;!?)]}")

    def _date(self) -> str | None:
        """Return as many words as together are a date: `1 June 2024`."""
        words = list(islice(re.compile(r"\S+").finditer(self._text, self._at), _WORDS_IN_A_DATE))
        for count in range(len(words), 0, -1):
            text = " ".join(word.group() for word in words[:count]).rstrip(",;!?").replace(" - ", "-")
            if _read_dates(text, self._today):
                self._at = words[count - 1].end()
                return text
        return None

    def _phrase(self) -> list[_Piece]:
        minus = self._minus()
        start = self._at + minus
        match = _QUOTED.match(self._text, start)
        if not match or (match["single"] is not None and not self._starts()):
            return []
        self._at = match.end()
        value = _trimmed(_unquoted(match))
        return [_Piece("term", value, minus=bool(minus), weight=self._weight(value), phrase=True)] if value else []

    def _word(self) -> list[_Piece]:
        text, start = self._text, self._at
        if text[start] in "|/":
            self._at += 1
            return [_Piece("or")]
        if self._starts() and (match := _ADDRESS.match(text, start)):
            raise QueryError(f"`{match[0][:60]}` is an address. Use like: with the URI of an image that is indexed.")
        minus = self._minus()
        start += minus
        end = start
        while end < len(text) and _in_word(text, end, start):
            end += 1
        value = re.sub("'s$", "", _trimmed(text[start:end]), flags=re.IGNORECASE)
        if end > start:
            if self._starts() and (match := _UNKNOWN_FIELD.match(text, start)) and match.end() == end + 1:
                known = ", ".join(f"{name}:" for name in FIELDS)
                raise QueryError(f"`{text[start : end + 1]}` is no filter. The filters are {known}.")
            self._at = end
        if not value:
            return []
        if minus == 0 and value.lower() == "or":
            return [_Piece("or")]
        return [_Piece("term", value, minus=bool(minus), weight=self._weight(value))]

    def _minus(self) -> int:
        """Return the length of a minus here: of dashes that touch the next word and not the one before."""
        match = _MINUS.match(self._text, self._at)
        return len(match[0]) if match and self._starts() else 0

    def _weight(self, word: str) -> float:
        match = _WEIGHT.match(self._text, self._at)
        if not match:
            return 1.0
        self._at = match.end()
        weight = float(match["weight"])
        if not 0 < weight <= HIGHEST_WEIGHT:
            raise QueryError(
                f"`{word}{match[0][:20]}`: a weight is more than 0 and at most {HIGHEST_WEIGHT}, as in `cat:2`."
            )
        return weight


def _is_about_image(term: Term) -> bool:
    """Return whether a word only says that the image is meant: `more pictures like this one`."""
    plain = term == Term(term.text)
    return plain and term.text.lower() in _ABOUT_IMAGE


def _beside_image(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Return a query's terms without the words at its start that only say that the image is meant.

    `similar ones at the beach` becomes `at the beach`.
    """
    about = list(takewhile(_is_about_image, terms))
    if len(about) == len(terms):
        return ()
    said = [place for place, term in enumerate(about, 1) if term.text.lower() in _SIMILAR_WORDS]
    return terms[max(said, default=0) :]


def _in_word(text: str, at: int, start: int) -> bool:
    """Return whether a character is part of the word that begins at `start`: `t-shirt`, `rock'n'roll`, `U.S.A`."""
    if _is_letter(text[at]):
        return True
    if text[at] == ":" and text[start:at].replace(":", "").isdecimal():
        return text[at + 1 : at + 2].isdecimal()  # a time: `10:30`
    joins = text[at] in "-'._" and start < at < len(text) - 1
    return joins and _is_letter(text[at - 1]) and _is_letter(text[at + 1])


def _is_letter(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LMN"


def _unquoted(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return match["double"].replace('\\"', '"')
    return match["single"].replace("\\'", "'")


def _quoted(value: str) -> str:
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'


def _trimmed(text: str) -> str:
    """Return a word or phrase with single spaces, and without punctuation at its edges."""
    text = " ".join(text.split())
    start, end = 0, len(text)
    while start < end and (not _is_letter(text[start]) or text[start] == "_"):
        start += 1
    while end > start and (not _is_letter(text[end - 1]) or text[end - 1] == "_"):
        end -= 1
    return text[start:end]


def _terms(pieces: list[_Piece]) -> tuple[Term, ...]:
    """Return the terms, each with its alternatives; "not" is also passed on to a filter that follows it."""
    terms: list[Term] = []
    negated = either = False
    for index, piece in enumerate(pieces):
        word = piece.value.lower() if piece.kind == "term" and not piece.phrase and not piece.minus else ""
        if piece.kind == "or":
            either = bool(terms) and not negated
        elif word in _NOT and index + 1 < len(pieces):
            negated = True
        elif word == "but" and index + 1 < len(pieces) and pieces[index + 1].value.lower() in _NOT:
            pass  # "but not" is "not"
        elif word in ARTICLES and (negated or either):
            pass  # "not a dog", "a cat or a dog"
        elif piece.kind == "field":
            piece.minus = piece.minus or negated
            negated = either = False
        else:
            weight = -piece.weight if piece.minus or negated else piece.weight
            term = Term(piece.value, weight, piece.phrase, source=piece.source)
            if either and (term.weight > 0 or terms[-1].weight < 0):
                terms[-1] = replace(terms[-1], alternatives=(*terms[-1].alternatives, replace(term, weight=1.0)))
            else:
                terms.append(term)
            negated = either = False
    return tuple(terms)


@dataclass(slots=True)
class _Conditions:
    """What the filters of a text say, while they are being read."""

    lists: dict[str, list[str]] = field(default_factory=dict)
    before: date | None = None
    after: date | None = None
    once: dict[str, str] = field(default_factory=dict)


def _filtered(query: Query, pieces: list[_Piece], today: date | None) -> Query:
    found = _Conditions()
    for piece in pieces:
        value = piece.value.strip()
        if not (fold(value).strip() if piece.field != "like" else value):
            raise QueryError(f"{piece.field}: needs a value, as in `{_EXAMPLES[piece.field]}`.")
        if piece.minus and piece.field not in ("in", "name", "type"):
            raise QueryError(f"`{piece}`: {piece.field}: has no opposite. Leave out the minus.")
        if piece.field in ("in", "name"):
            part = folder_part(value) if piece.field == "in" else name_part(value)
            found.lists.setdefault("-" * piece.minus + piece.field, []).append(part)
        elif piece.field == "type":
            if value.lower().lstrip(".") not in FORMATS:
                raise QueryError(f"`{piece}`: type: takes one of {', '.join(FORMATS)}.")
            found.lists.setdefault("-" * piece.minus + "type", []).extend(FORMATS[value.lower().lstrip(".")])
        elif piece.field in found.once:
            raise QueryError(f"`{piece}`: the query has {piece.field}: twice. Leave out one of them.")
        else:
            found.once[piece.field] = value if piece.field == "like" else " ".join(value.split())
            if piece.field in _DATES:
                _set_dates(found, piece, today)
            elif piece.field == "sort" and value.lower() not in _ORDERS:
                raise QueryError(f"`{piece}`: sort: takes one of {', '.join(_ORDERS)}.")
    get = {name: tuple(values) for name, values in found.lists.items()}
    filters = Filters(
        folders=get.get("in", ()),
        not_folders=get.get("-in", ()),
        names=get.get("name", ()),
        not_names=get.get("-name", ()),
        before=found.before,
        after=found.after,
        formats=get.get("type", ()),
        not_formats=get.get("-type", ()),
    )
    order = _ORDERS[found.once.get("sort", "best").lower()]
    return replace(query, filters=filters, like=found.once.get("like"), of_class=found.once.get("class"), order=order)


def _set_dates(found: _Conditions, piece: _Piece, today: date | None) -> None:
    """Narrow the dates down: `before:` ends where a period begins, `after:` begins where it begins."""
    dates = _read_dates(piece.value, today)
    if dates is None:
        others = ", `2024`, `June` or `yesterday`" if today else " or `2024`"
        raise QueryError(f"`{piece}` is no date. Write it as `{_EXAMPLES[piece.field]}`{others}.")
    first, end = dates
    if piece.field == "before":
        found.before = min(filter(None, (found.before, first or end)))
    elif piece.field == "after":
        found.after = max(filter(None, (found.after, first or end)))
    else:
        found.after = max(filter(None, (found.after, first)), default=None)
        found.before = min(filter(None, (found.before, end)), default=None)
    if found.after and found.before and found.after >= found.before:
        raise QueryError(f"No day is both after {found.after} and before {found.before}. Change one of the dates.")


def _read_dates(text: str, today: date | None) -> tuple[date | None, date | None] | None:
    """Return what `read_range` returns; without today, only if it is the same on every day."""
    if today:
        return read_range(text, today)
    one, other = (read_range(text, day) for day in (date(2000, 1, 1), date(2001, 7, 15)))
    return one if one == other else None


_EXAMPLES = {
    "in": "in:2024/party",
    "name": "name:beach",
    "text": "text:invoice",
    "caption": 'caption:"team photo"',
    "before": "before:2024-06-01",
    "after": "after:2024-06-01",
    "date": "date:2024-06-01",
    "type": "type:png",
    "sort": "sort:date",
    "like": "like:<uri>",
    "class": 'class:"tabby"',
}
