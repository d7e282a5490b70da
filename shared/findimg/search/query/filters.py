"""The filters of the query language: their names and what they mean."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, TypeAlias

from findimg.errors import QueryError
from findimg.library.catalog_filters import NO_FILTERS, Filters, fold, folder_part, name_part
from findimg.search.query.pieces import Piece
from findimg.text.typed.dates import read_range

TEXT_FILTERS: dict[str, Literal["written", "caption"]] = {"text": "written", "caption": "caption"}
# The name of each filter, which is written before a colon, with an example. Those of TEXT_FILTERS become terms in the
# scanner. To add a filter, name it here, and read its value in a case of `_with_filter`. Add it also
# - to `_REPEATABLE` if a query may have it several times or with a minus,
# - to `DATES` if its value is a date, which may have several words,
# - to `KEPT_AS_TYPED` of `text/typed/normalise.py` if its value must stay as it was typed.
# Its condition on the catalog belongs into `library/catalog_filters.py`. Describe it in the docstring of `parse`, in
# README.md, and in `HELP` of the bot's `slack/blocks/guidance.py`.
FIELDS = {
    "in": "in:2024/party",
    "name": "name:beach",
    "before": "before:2024-06-01",
    "after": "after:2024-06-01",
    "date": "date:2024-06-01",
    "type": "type:png",
    "sort": "sort:date",
    "like": "like:<uri>",
    "class": 'class:"tabby"',
    "text": "text:invoice",
    "caption": 'caption:"team photo"',
}
DATES = ("before", "after", "date")
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
Order = Literal["best", "newest", "oldest"]
_Texts: TypeAlias = tuple[str, ...]
_ORDERS: dict[str, Order] = {"date": "newest", "newest": "newest", "oldest": "oldest", "best": "best"}


_REPEATABLE = ("in", "name", "type")  # filters that a query may have several times, and with a minus


@dataclass(frozen=True, slots=True)
class QueryFilters:
    """What the filters of a query say. The fields are those of `findimg.search.query.Query`."""

    filters: Filters = NO_FILTERS
    like: str | None = None
    of_class: str | None = None
    order: Order = "best"


def read_filters(pieces: Iterable[Piece], today: date | None) -> QueryFilters:
    """Return what the filters of a query say.

    Args:
        pieces: the filters.
        today: the current day of the person who searches; without it only full dates are known.

    Raises:
        QueryError: a filter has no meaning; the message names it.
    """
    found = QueryFilters()
    seen: set[str] = set()
    for piece in pieces:
        value = piece.value.strip()
        if not (fold(value).strip() if piece.field != "like" else value):
            raise QueryError(f"{piece.field}: needs a value, as in `{FIELDS[piece.field]}`.")
        if piece.field not in _REPEATABLE:
            if piece.minus:
                raise QueryError(f"`{piece}`: {piece.field}: has no opposite. Leave out the minus.")
            if piece.field in seen:
                raise QueryError(f"`{piece}`: the query has {piece.field}: twice. Leave out one of them.")
        seen.add(piece.field)
        found = _with_filter(found, piece, value, today)
    return found


def _with_filter(found: QueryFilters, piece: Piece, value: str, today: date | None) -> QueryFilters:
    """Return filters with one more."""
    filters = found.filters
    match piece.field:
        case "in":
            folders, not_folders = _added(piece, (folder_part(value),), filters.folders, filters.not_folders)
            filters = replace(filters, folders=folders, not_folders=not_folders)
        case "name":
            names, not_names = _added(piece, (name_part(value),), filters.names, filters.not_names)
            filters = replace(filters, names=names, not_names=not_names)
        case "type":
            if (ending := value.lower().lstrip(".")) not in FORMATS:
                raise QueryError(f"`{piece}`: type: takes one of {', '.join(FORMATS)}.")
            formats, not_formats = _added(piece, FORMATS[ending], filters.formats, filters.not_formats)
            filters = replace(filters, formats=formats, not_formats=not_formats)
        case "like":
            return replace(found, like=value)
        case "class":
            return replace(found, of_class=" ".join(value.split()))
        case "sort":
            if (order := " ".join(value.lower().split())) not in _ORDERS:
                raise QueryError(f"`{piece}`: sort: takes one of {', '.join(_ORDERS)}.")
            return replace(found, order=_ORDERS[order])
        case "before" | "after" | "date":
            filters = _with_dates(filters, piece, today)
        case other:
            raise AssertionError(f"The filter {other} has no case here.")
    return replace(found, filters=filters)


def _added(piece: Piece, values: _Texts, wanted: _Texts, unwanted: _Texts) -> tuple[_Texts, _Texts]:
    """Return the wanted and the unwanted values of a filter with more values, which a minus makes unwanted."""
    return (wanted, unwanted + values) if piece.minus else (wanted + values, unwanted)


def _with_dates(filters: Filters, piece: Piece, today: date | None) -> Filters:
    """Narrow the dates down: `before:` ends where a period begins, `after:` begins where it begins."""
    dates = read_dates(piece.value, today)
    if dates is None:
        others = ", `2024`, `June` or `yesterday`" if today else " or `2024`"
        raise QueryError(f"`{piece}` is not a date. Write it as `{FIELDS[piece.field]}`{others}.")
    first, end = dates
    after, before = filters.after, filters.before
    if piece.field == "before":
        before = min(filter(None, (before, first or end)))
    elif piece.field == "after":
        after = max(filter(None, (after, first or end)))
    else:
        after = max(filter(None, (after, first)), default=None)
        before = min(filter(None, (before, end)), default=None)
    if after and before and after >= before:
        raise QueryError(f"No day is both after {after} and before {before}. Change one of the dates.")
    return replace(filters, after=after, before=before)


def read_dates(text: str, today: date | None) -> tuple[date | None, date | None] | None:
    """Return what `read_range` returns; without today, only if it is the same on every day."""
    if today:
        return read_range(text, today)
    one, other = (read_range(text, day) for day in (date(2000, 1, 1), date(2001, 7, 15)))
    return one if one == other else None
