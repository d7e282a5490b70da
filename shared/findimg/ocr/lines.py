"""A line of text that was read in a picture."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

_GREEK = "[\u0370-\u03ff\u1f00-\u1fff]"
_GREEK_WORD = re.compile(_GREEK + "{2}")
_FORMULA = 2  # letters of a formula such as Δt; longer words with a Greek letter are Greek
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


def is_readable(text: str, knows_greek: bool = False) -> bool:
    """Return whether a text is more than one letter, and in a script that the models know.

    Wheels, rings and branches look like single letters. The models of the wheel know Greek letters from formulas only.
    They return Latin letters for most letters of a Greek word, so at least half of a readable line is in words without
    Greek ones.

    Args:
        text: one line.
        knows_greek: whether a further model reads Greek.
    """
    if sum(map(str.isalnum, text)) < 2:
        return False
    if knows_greek:
        return True
    if _GREEK_WORD.search(text):
        return False
    words = [(word, sum(map(str.isalpha, word))) for word in text.split()]
    greek = sum(letters for word, letters in words if letters > _FORMULA and re.search(_GREEK, word))
    return 2 * greek <= sum(letters for _, letters in words)


def joined(lines: Sequence[TextLine]) -> str:
    """Return the text of lines, separated by line feeds."""
    return "\n".join(line.text for line in lines)
