"""Find dates in plain sentences: `pizza from last week`, `photos taken before 2020`."""

import re
from datetime import date

from findimg.text.typed.dates import read_period

_ANY_DAY = date(2024, 6, 15)  # whether a text names a date does not depend on the current day
_FIELDS = {"since": "after", "after": "after", "before": "before", "until": "before", "till": "before"}
_AFTER_WORD = re.compile(
    r"""(?ix) (?P<quoted>"[^"]*"|“[^”]*”)
    | (?<![^\s,(]) (?:(?:taken|shot|made|posted|uploaded|shared|created|dated)\s+)?
      (?P<word>from|in|on|of|during|since|after|before|until|till)\s+ (?:the\s+)? (?=(?P<rest>\S+(?:[^\S\n]+\S+){0,3}))
    | (?<![^\s,(]) (?P<alone>yesterday|(?:last|this|past)\s+(?:week|month|year)
      |\d{1,3}\s+(?:day|week|month|year)s?\s+ago)
      (?=$|[\s,.;!?…)])"""
)
_SENTENCE_END = re.compile(r"(?:[,.;?…)]|!1*)+$")  # with `!!1`, the key of an exclamation mark without Shift
_HAS_DATE = re.compile(r"(?i)(?<!\S)(?:date|before|after)[:：]")
_PLAIN_YEAR = re.compile(r"(?:19|20)\d\d")
_ALSO_WORDS = ("march", "may")  # months only after a word that nothing but a date follows


def with_date_filters(text: str) -> str:
    """Return a text in which dates are filters: `pizza date:"last week"` for `pizza from last week`.

    Quoted parts and texts that have a date filter are not changed. Of several dates of a kind, the first counts.
    """
    if _HAS_DATE.search(text):
        return text
    parts: list[str] = []
    fields: set[str] = set()
    end = 0
    for match in _AFTER_WORD.finditer(text):
        found = None if match["quoted"] or match.start() < end else _filter(match)
        if found and found[0] not in fields:
            name, value, length = found
            fields.add(name)
            parts += [text[end : match.start()], f'{name}:"{value}" ' if " " in value else f"{name}:{value} "]
            end = match.end() + length
    return " ".join("".join([*parts, text[end:]]).split()) if parts else text


def _filter(match: re.Match[str]) -> tuple[str, str, int] | None:
    """Return the field and the value of a filter, and the length of the value behind the match."""
    if match["alone"]:
        return "date", match["alone"], 0
    words = list(re.finditer(r"\S+", match["rest"]))
    for count in range(len(words), 0, -1):
        end = words[count - 1].end()
        value = _SENTENCE_END.sub("", match["rest"][:end])
        if _is_date(value, match["word"].lower()):
            return _FIELDS.get(match["word"].lower(), "date"), value, len(value)
    return None


def _is_date(text: str, word: str) -> bool:
    plain = text.lower()
    if plain.isdecimal():
        return _PLAIN_YEAR.fullmatch(plain) is not None
    # "Sun" and "now" are other words, too.
    if len(plain) <= len("sept") and not any(map(str.isdigit, plain)) and plain not in ("may", "june", "july"):
        return False
    if plain in _ALSO_WORDS and word in ("in", "on", "of"):
        return False
    return read_period(text, _ANY_DAY) is not None
