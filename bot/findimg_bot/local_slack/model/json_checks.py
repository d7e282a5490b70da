"""Checks of JSON values, which name each problem and its place as Slack does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Check = Callable[[Any, str, "Report"], None]


@dataclass(slots=True)
class Report:
    """The problems of one message or view, with their places."""

    slack_file: Callable[[Mapping[str, Any]], bool]  # whether a file can be shown
    messages: list[str] = field(default_factory=list)

    def add(self, what: str, where: str) -> None:
        """Add a problem."""
        self.messages.append(f"{what} [json-pointer:{where}]")


def string(most: int, least: int = 1) -> Check:
    """Return a check for a string of `least` to `most` characters."""

    def check(value: object, where: str, report: Report) -> None:
        if not isinstance(value, str):
            report.add("must be a string", where)
        elif len(value) > most:
            report.add(f"must be less than {most + 1} characters", where)
        elif len(value) < least:
            report.add(f"must be more than {least - 1} characters", where)

    return check


def url(most: int) -> Check:
    """Return a check for a web address of at most `most` characters."""
    length = string(most)

    def check(value: object, where: str, report: Report) -> None:
        length(value, where, report)
        if isinstance(value, str) and not (urlsplit(value).scheme in ("http", "https") and urlsplit(value).netloc):
            report.add("must be a valid URL", where)

    return check


def boolean(value: object, where: str, report: Report) -> None:
    """Check that a value is true or false."""
    if not isinstance(value, bool):
        report.add("must be a boolean", where)


def number(least: int, most: int) -> Check:
    """Return a check for a whole number from `least` to `most`."""

    def check(value: object, where: str, report: Report) -> None:
        if not isinstance(value, int) or not least <= value <= most:
            report.add(f"must be a number from {least} to {most}", where)

    return check


def choice(*values: str) -> Check:
    """Return a check for one of several strings."""

    def check(value: object, where: str, report: Report) -> None:
        if value not in values:
            report.add(f"must be one of {', '.join(values)}", where)

    return check


def list_of(each: Check, most: int, least: int = 1) -> Check:
    """Return a check for a list of `least` to `most` items that pass `each`."""

    def check(value: object, where: str, report: Report) -> None:
        if not isinstance(value, list):
            report.add("must be an array", where)
            return
        if len(value) > most:
            report.add(f"no more than {most} items allowed", where)
        if len(value) < least:
            report.add(f"must provide at least {least} items", where)
        for position, item in enumerate(value):
            each(item, f"{where}/{position}", report)

    return check


def object_with(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """Return a check for an object with these fields and no others."""
    known = {**(optional or {}), **required}

    def check(value: object, where: str, report: Report) -> None:
        if not isinstance(value, dict):
            report.add("must be an object", where)
            return
        for name in required:
            if name not in value:
                report.add(f"missing required field: {name}", where)
        for name, item in value.items():
            if name in known:
                known[name](item, f"{where}/{name}", report)
            else:
                report.add(f"invalid additional property: {name}", where)

    return check


def one_of_types(kinds: Mapping[str, Check]) -> Check:
    """Return a check for an object of one of several types, named by `type`."""

    def check(value: object, where: str, report: Report) -> None:
        kind = str(value.get("type")) if isinstance(value, dict) else ""
        if kind in kinds:
            kinds[kind](value, where, report)
        else:
            report.add(f"unsupported type: {kind}", f"{where}/type")

    return check


def anything(value: object, where: str, report: Report) -> None:
    """Accept every value."""


def distinct(inner: Check, list_name: str, id_name: str) -> Check:
    """Return `inner` with a check that no id occurs twice in the named list."""

    def check(value: object, where: str, report: Report) -> None:
        inner(value, where, report)
        items = value.get(list_name) if isinstance(value, dict) else value
        seen: set[str] = set()
        for item in items if isinstance(items, list) else ():
            name = item.get(id_name) if isinstance(item, dict) else None
            if isinstance(name, str):
                if name in seen:
                    report.add(f"{id_name} must be unique: {name}", where)
                seen.add(name)

    return check
