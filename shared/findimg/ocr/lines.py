"""A line of text that was read in a picture."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

_GREEK_WORD = re.compile("[\u0370-\u03ff\u1f00-\u1fff]{2}")
Box: TypeAlias = tuple[float, float, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class TextLine:
    """One recognised line."""

    text: str
    confidence: float  # mean over the characters, 0 to 1
    # x and y of the four corners as fractions of the picture's width and height. They begin where the text begins, at
    # the top, and go on clockwise.
    box: Box


def clean(text: str) -> str:
    """Return recognised text in Unicode's compatibility form, in one line, without control characters."""
    text = unicodedata.normalize("NFKC", text)
    return " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text).split())


def is_readable(text: str) -> bool:
    """Return whether a text is more than one letter, and in a script that the models know.

    Wheels, rings and branches look like single letters. The models know Greek letters from formulas only, and what they
    return for Greek words is not what is written.
    """
    return sum(map(str.isalnum, text)) > 1 and not _GREEK_WORD.search(text)


def joined(lines: Sequence[TextLine]) -> str:
    """Return the text of lines, separated by line feeds."""
    return "\n".join(line.text for line in lines)
