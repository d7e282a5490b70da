"""The query language: the text that a person types after `/findimg` and `/similar`, as data."""

from dataclasses import dataclass, field, replace
from datetime import date
from itertools import takewhile
from typing import Literal

from findimg.errors import QueryError
from findimg.library.catalog_filters import NO_FILTERS, Filters
from findimg.search.query.filters import Order, read_filters
from findimg.search.query.pieces import Piece, quoted
from findimg.search.query.scanner import Scanner
from findimg.text.lexicon import FILLERS
from findimg.text.typed.normalise import normalise

LONGEST = 1000  # characters
MOST_TERMS = 20
_NOT = frozenset(["not", "without", "except"])
# Other languages' words for "without" and "or". As the first word, in capitals or at the end they are names, such as
# `sans serif`, `SEM image` and `comic sans`.
_FOREIGN_NOT = frozenset(
    [
        *("ohne", "kein", "keine", "keinen", "nicht", "sans", "sin", "sem", "senza"),
        *("zonder", "geen", "bez", "без", "utan", "uden", "uten"),
    ]
)
_FOREIGN_OR = frozenset(["oder", "ou", "lub", "или", "eller"])
ARTICLES = ("a", "an", "the", "any", "some")
_SIMILAR = """
again alike any anything else find like look looking looks match matches matching more one ones other others resemble
resembling same search see similar
"""
_SIMILAR_WORDS = frozenset(_SIMILAR.split())
_ABOUT_IMAGE = FILLERS | _SIMILAR_WORDS


@dataclass(frozen=True, slots=True)
class Term:
    """A word or a phrase that is asked for."""

    text: str
    weight: float = 1.0  # negative: must not be there
    phrase: bool = False  # was quoted, or is a taught name
    alternatives: tuple["Term", ...] = ()  # others of which any one is as good; their weights do not count
    text_kind: Literal["", "written", "caption"] = ""  # the only text to look into; empty for all evidence
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

    Without terms and an image it browses: the answer is every image that matches the filters, by date.
    """

    text: str
    terms: tuple[Term, ...] = ()
    filters: Filters = NO_FILTERS
    like: str | None = None  # the URI of an indexed image
    of_class: str | None = None  # the class whose features count, with `like`
    order: Order = "best"


def parse(text: str, image: bool = False, today: date | None = None) -> Query:
    """Return the query that a text means.

    Words are `cat sofa`, phrases `"fire engine"`; `-dog` and `not dog` exclude, `cat or dog`, `cat | dog` and `cat/dog`
    accept either, `cat:2` gives a weight. Filters are `in:2024/party`, `name:beach`, `type:png`, `before:2024-06`,
    `after:June`, `date:2024`; `in:`, `name:` and `type:` can be excluded with a minus. `sort:date` shows the newest
    first. `text:invoice` and `caption:"team photo"` are words that must be written in the image, or in its caption.
    `like:<uri>` and `class:"siamese cat"` ask for similar images, `like:<uri> at night` for similar ones that show the
    words, too.

    `findimg.text.typed.normalise` says how punctuation and emoji are understood. Nothing that people type is a syntax
    error.

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
    pieces = Scanner(normalise(text), today).pieces()
    terms = _terms(pieces)
    if len(terms) > MOST_TERMS:
        raise QueryError(f"The query has {len(terms)} words. Leave out all but {MOST_TERMS}.")
    read = read_filters((piece for piece in pieces if piece.kind == "field"), today)
    query = Query(text.strip(), terms, read.filters, read.like, read.of_class, read.order)
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
        pieces = Scanner(normalise(text[:LONGEST]), today).pieces()
        _terms(pieces)  # passes "not" on to the filter that follows it
        wanted = [piece for piece in pieces if piece.kind == "field" and piece.field not in ("like", "sort")]
        filters = " ".join(f"{'-' * piece.minus}{piece.field}:{quoted(piece.value)}" for piece in wanted)
        if filters:
            parse(filters, image=True, today=today)
    except QueryError:
        return ""
    return filters


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
    places = [place for place, term in enumerate(about, 1) if term.text.lower() in _SIMILAR_WORDS]
    return terms[max(places, default=0) :]


def _terms(pieces: list[Piece]) -> tuple[Term, ...]:
    """Return the terms, each with its alternatives; "not" is also passed on to a filter that follows it."""
    terms: list[Term] = []
    negated = either = False
    for index, piece in enumerate(pieces):
        typed = piece.value if piece.kind == "term" and not piece.phrase and not piece.minus else ""
        word = typed.lower()
        is_between = 0 < index < len(pieces) - 1
        if piece.kind == "or" or (is_between and typed in _FOREIGN_OR):
            either = bool(terms) and not negated
        elif (word in _NOT and index + 1 < len(pieces)) or (is_between and typed in _FOREIGN_NOT):
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
            term = Term(piece.value, weight, piece.phrase, text_kind=piece.text_kind)
            if either and (term.weight > 0 or terms[-1].weight < 0):
                terms[-1] = replace(terms[-1], alternatives=(*terms[-1].alternatives, replace(term, weight=1.0)))
            else:
                terms.append(term)
            negated = either = False
    return tuple(terms)
