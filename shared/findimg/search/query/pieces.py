"""The parts of a query's text."""

import unicodedata
from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class Piece:
    """A part of the text: a word or a phrase, a filter, or an `or` between two words."""

    kind: Literal["term", "field", "or"]
    value: str = ""
    field: str = ""
    minus: bool = False
    weight: float = 1.0
    phrase: bool = False
    text_kind: Literal["", "written", "caption"] = ""

    def __str__(self) -> str:
        return f"{'-' * self.minus}{self.field and f'{self.field}:'}{self.value}"[:60]


def is_letter(character: str) -> bool:
    """Return whether a character can be part of a word: a letter, an accent, a digit or an underscore."""
    return character == "_" or unicodedata.category(character)[0] in "LMN"


def quoted(value: str) -> str:
    """Return a value in double quotes, as a query contains it."""
    escaped = value.replace('"', '\\"')
    return f'"{escaped}"'


def trimmed(text: str) -> str:
    """Return a word or phrase with single spaces, and without punctuation at its edges."""
    text = " ".join(text.split())
    start, end = 0, len(text)
    while start < end and (not is_letter(text[start]) or text[start] == "_"):
        start += 1
    while end > start and (not is_letter(text[end - 1]) or text[end - 1] == "_"):
        end -= 1
    return text[start:end]
