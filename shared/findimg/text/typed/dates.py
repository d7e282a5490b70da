"""Dates as people type them: `2020`, `2024-06`, `June`, `1 June 2024`, `24.12.2023`, `yesterday`, `last week`."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = ["january", "february", "march", "april", "may", "june", "july"]
_MONTHS += ["august", "september", "october", "november", "december"]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH = rf"(?P<month>{'|'.join(f'{name[:3]}(?:{name[3:]})?' if name[3:] else name for name in _MONTHS)}|sept)\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>(?:1[89]|20|21)\d\d)"
_GAP = r"[\s,./-]*(?:of[\s-]+)?"
_NUMERIC = re.compile(r"(?P<year>\d{4})(?:[-/.](?P<month>\d{1,2})(?:[-/.](?P<day>\d{1,2}))?)?")
_DAY_FIRST = re.compile(rf"(?P<day>\d{{1,2}})\.(?P<month>\d{{1,2}})\.{_YEAR}")
_EITHER_FIRST = re.compile(rf"(?P<one>\d{{1,2}})[/-](?P<two>\d{{1,2}})[/-]{_YEAR}")
_NAMED = [
    re.compile(pattern)
    for pattern in (
        rf"{_DAY}{_GAP}{_MONTH}(?:{_GAP}{_YEAR})?",
        rf"{_MONTH}{_GAP}{_YEAR}",
        rf"{_MONTH}{_GAP}{_DAY}(?:{_GAP}{_YEAR})?",
        rf"{_YEAR}{_GAP}{_MONTH}(?:{_GAP}{_DAY})?",
        _MONTH,
    )
]
_AGO = re.compile(r"(?P<count>\d{1,4}|a|an|one)[\s-]*(?P<unit>day|week|month|year)s?[\s-]ago")
_UNIT = re.compile(r"(?P<which>this|last|past)[\s-]?(?P<unit>week|month|year)")
_YEARS = re.compile(r"(?P<first>(?:1[89]|20|21)\d\d)-(?P<last>(?:1[89]|20|21)\d\d)")


@dataclass(frozen=True, slots=True)
class Period:
    """A span of days."""

    start: date  # its first day
    end: date  # the day after its last


def read_period(text: str, today: date) -> Period | None:
    """Return the day, month or year that a text names, None if it names none.

    A month or a day without a year is the latest one that has begun.

    Args:
        today: the current day in the time zone of the person who asks.
    """
    text = " ".join(text.lower().split())
    try:
        return _relative(text, today) or _numeric(text) or _named(text, today)
    except (ValueError, OverflowError):
        return None  # 31 June, 400 years before the year 1


def read_range(text: str, today: date) -> tuple[date | None, date | None] | None:
    """Return the first day of a period or range and the day after its last. None if the text names none.

    `2024-06-01..2024-07-01` includes both days. `2020..` and `..2020` are open on one side.
    """
    first, dots, last = text.partition("..")
    if years := _YEARS.fullmatch(text):
        first, dots, last = years["first"], "..", years["last"]
    if not dots:
        period = read_period(text, today)
        return (period.start, period.end) if period else None
    start, end = (read_period(side, today) if side.strip() else None for side in (first, last.lstrip(".")))
    missing = (start is None) != (not first.strip()) or (end is None) != (not last.strip("."))
    if missing or (start is None and end is None) or (start and end and start.start >= end.end):
        return None
    return start.start if start else None, end.end if end else None


def _relative(text: str, today: date) -> Period | None:
    days = {"today": 0, "now": 0, "yesterday": 1}
    if text in days:
        return _day(today - timedelta(days[text]))
    weekday = next((number for number, name in enumerate(_WEEKDAYS) if text in (name, name[:3])), None)
    if weekday is not None:
        return _day(today - timedelta((today.weekday() - weekday) % 7))
    if match := _AGO.fullmatch(text):
        count = int(match["count"]) if match["count"].isdigit() else 1
        return _unit(match["unit"], count, today) if match["unit"] != "week" else _day(today - timedelta(7 * count))
    if match := _UNIT.fullmatch(text):
        return _unit(match["unit"], 0 if match["which"] == "this" else 1, today)
    return None


def _unit(unit: str, back: int, today: date) -> Period:
    """Return the day, week, month or year that is `back` units before the current one."""
    if unit == "day":
        return _day(today - timedelta(back))
    if unit == "week":
        monday = today - timedelta(today.weekday() + 7 * back)
        return Period(monday, monday + timedelta(7))
    if unit == "year":
        return _year(today.year - back)
    months = today.year * 12 + today.month - 1 - back
    return _month(months // 12, months % 12 + 1)


def _numeric(text: str) -> Period | None:
    if match := _NUMERIC.fullmatch(text) or _DAY_FIRST.fullmatch(text):
        if match["month"] is None:
            return _year(int(match["year"]))
        if match["day"] is None:
            return _month(int(match["year"]), int(match["month"]))
        return _day(date(int(match["year"]), int(match["month"]), int(match["day"])))
    if match := _EITHER_FIRST.fullmatch(text):
        one, two = int(match["one"]), int(match["two"])
        if one > 12 or one == two:
            return _day(date(int(match["year"]), two, one))
        if two > 12:
            return _day(date(int(match["year"]), one, two))
    return None


def _named(text: str, today: date) -> Period | None:
    match = next((match for pattern in _NAMED if (match := pattern.fullmatch(text))), None)
    if match is None:
        return None
    parts = match.groupdict()
    month = next(number for number, name in enumerate(_MONTHS, 1) if name.startswith(parts["month"][:3]))
    day = parts.get("day") and int(parts["day"])
    if parts.get("year"):
        year = int(parts["year"])
        return _day(date(year, month, day)) if day else _month(year, month)
    year = today.year if (month, day or 1) <= (today.month, today.day) else today.year - 1
    return _day(date(year, month, day)) if day else _month(year, month)


def _day(day: date) -> Period:
    return Period(day, day + timedelta(1) if day < date.max else day)


def _month(year: int, month: int) -> Period:
    return Period(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1))


def _year(year: int) -> Period:
    return Period(date(year, 1, 1), date(year + 1, 1, 1))
