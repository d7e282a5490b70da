"""Normalise typed text for the query parser.

Phones and office programs replace quotation marks, dashes, colons and spaces by similar characters, and people add
polite words. Neither may change the answer to a query.
"""

import re
import unicodedata

from findimg.text.emoji import open_emoji
from findimg.text.typed.politeness import without_politeness

_SINGLE_QUOTES = "'‘’‚‛`´′ʼ＇"
_DOUBLE_QUOTES = '"“”„‟«»‹›「」『』｢｣〝〞〟＂″'
_DASHES = "-‐‑‒–−－﹣⁃"
_LONG_DASHES = "—―⸺⸻﹘"
_PLAIN = str.maketrans(
    {
        **dict.fromkeys(_SINGLE_QUOTES, "'"),
        **dict.fromkeys(_DOUBLE_QUOTES, '"'),
        **dict.fromkeys(_DASHES, "-"),
        **dict.fromkeys("∶꞉ː", ":"),
    }
)
# Between two words, where a dash is no hyphen. Between two numbers it is one: `2024—06—01`.
_LONG_DASH = re.compile(rf"(?<![\s\d])[{_LONG_DASHES}]+(?=\S)|(?<=\d)[{_LONG_DASHES}]+(?=[^\s\d])")
_CURLY_QUOTES = _DOUBLE_QUOTES.replace('"', "")
# Filters with these names keep their value as it was typed. A URI must keep every character, and a folder or file may
# have an emoji in its name.
KEPT_AS_TYPED = ("in", "name", "like", "text", "caption")
_VALUE = re.compile(
    rf"""(?ix) (?<![^\W_]) (?P<field>{"|".join(KEPT_AS_TYPED)})[:：]
    (?: "(?P<straight>(?:\\"|[^"])*)" | [{_CURLY_QUOTES}](?P<curly>[^{_DOUBLE_QUOTES}]*)[{_DOUBLE_QUOTES}]
      | [{_SINGLE_QUOTES}](?P<single>.*?)[{_SINGLE_QUOTES}](?!\w)
      | (?P<plain>[^\s{_DOUBLE_QUOTES}](?:\S|(?<=\\)\s)*) )"""
)
_INVISIBLE = "\u034f\u115f\u1160\u3164\ufe0e\ufe0f"  # characters of other categories that nobody sees
_PLACE = "\ue000"  # of a value while the rest is read; a control code that no normalised text has
_SHORT_FORMS = [
    (re.compile(r"(?<=[!?])1+(?=[\s1!?]*$)"), ""),  # the key of an exclamation mark without Shift
    (re.compile(r"(?i)(?<!\S)w/o(?!\S)"), "without"),
    (re.compile(r"(?i)(?<!\S)w/(?!\S)"), "with"),
    (re.compile(r"(?i)(?<!\S)and/or(?!\S)"), "or"),
    (re.compile(r"(?i)(?<![^\s,;])(?:do not|don't|dont) (?:show|want|include)(?: me| us)?(?: any)?(?=\s)"), "not"),
    (re.compile(r"(?i)(?<=\s)(?:(?:but|and|with) no|except for|other than|excluding|minus)(?=\s+\w)"), "not"),
    (re.compile(r"(?i)(?<=[,;(-]\s)no(?=\s+[^\W\d])|(?<=\()no(?=\s+[^\W\d])"), "not"),
    (re.compile(r"(?i)(?<=\w\s)(?:vs\.?|versus|x)(?=\s+\w)|(?<![^\s,;])either(?=\s.*\sor\s)"), ""),
]
_EMOTICON = re.compile(
    r"(?<!\S)(?:[:;=][-'^o]?[()\[\]DPpOo3*|/\\]+|[xX]D+|<+3+|</3|\^_*\^|[oO]_[oO]|-_+-|T_T|\\?o/|¯\\?_?\(ツ\)_?/¯)"
    r"(?![^\s.,!?])"
)


def normalise(text: str) -> str:
    """Return a query in plain characters, without emoji and polite words.

    The result is in Unicode form NFKC. Every kind of quotation mark is `"` or `'`, every dash is `-`, emoji are
    replaced by nouns, and invisible characters are removed. The values of the filters in KEPT_AS_TYPED are not changed.
    """
    parts: list[str] = []
    values: list[str] = []
    end = 0
    for match in _VALUE.finditer(text):
        values.append(_written(match))
        parts += [plain_text(text[end : match.start()]), _PLACE]
        end = match.end()
    asked = without_politeness("".join([*parts, plain_text(text[end:])]))
    return re.sub(_PLACE, lambda _: values.pop(0), asked)


def plain_characters(text: str) -> str:
    """Return `text` in form NFKC, with one kind of double quotes, single quotes and dashes, and no control codes.

    Folder and file names are compared in this form.
    """
    plain = unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN)
    return "".join(c for c in plain if c.isspace() or (unicodedata.category(c)[0] != "C" and c not in _INVISIBLE))


def plain_text(text: str) -> str:
    """Return `text` in plain characters, with words for emoji, without emoticons and short forms such as `w/o`."""
    text = _LONG_DASH.sub(" , ", _EMOTICON.sub(" ", text))
    text = re.sub(f"[{_LONG_DASHES}]", "-", text)
    # Replace emoji before NFKC, which would decompose some of them.
    text = plain_characters(open_emoji().replace(text.replace("：", ":")))
    for form, words in _SHORT_FORMS:
        text = form.sub(words, text)
    return text


def _written(match: re.Match[str]) -> str:
    """Return a filter with its value as typed, in plain double quotes if it is more than one word."""
    field = match["field"].lower()
    if match["plain"] is not None and field != "like":
        return f"{field}:{match['plain']}"
    value = match["straight"]
    if value is None:
        value = next(filter(None, (match["curly"], match["single"], match["plain"])), "").replace('"', '\\"')
    return f'{field}:"{value}"'
