"""Text as people type it, brought into the plain form that the query parser reads.

Phones, desktops and office programs replace quotation marks, dashes, colons and spaces by others that look alike, and
people are polite to a machine. None of that may change the answer to a query.
"""

import re
import unicodedata

from findimg.text.emoji import open_emoji

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
_LONG_DASH = re.compile(rf"(?<!\s)[{_LONG_DASHES}]+(?=\S)")  # between two words, where a dash is no hyphen
_CURLY_QUOTES = _DOUBLE_QUOTES.replace('"', "")
# A URI must keep every character, and a folder or file may have an emoji in its name.
_VALUE = re.compile(
    rf"""(?ix) (?<![^\W_]) (?P<field>in|name|like)[:：]
    (?: "(?P<straight>(?:\\"|[^"])*)" | [{_CURLY_QUOTES}](?P<curly>[^{_DOUBLE_QUOTES}]*)[{_DOUBLE_QUOTES}]
      | [{_SINGLE_QUOTES}](?P<single>.*?)[{_SINGLE_QUOTES}](?!\w) | (?P<plain>[^\s{_DOUBLE_QUOTES}]\S*) )"""
)
_PLACE = "\ue000"  # of a value while the rest is read; a control code that no normalised text has
_ASKED = re.compile(rf"[\w{_PLACE}]")
_SHORT_FORMS = [
    (re.compile(r"(?i)(?<!\S)w/o(?!\S)"), "without"),
    (re.compile(r"(?i)(?<!\S)w/(?!\S)"), "with"),
    (re.compile(r"(?i)(?<!\S)and/or(?!\S)"), "or"),
]
_POLITE = re.compile(
    r"(?ix) (?P<quoted>\"[^\"]*\")"
    r"| (?<![^\s,;.!?]) (?:please|pls|plz|kindly) (?![^\s,;.!?])"
    r"| (?:[,;.!\s]|^)+ (?:(?:many\s)?thanks|thank\syou|thx|ty|cheers)"
    r"  (?:\s(?:a\slot|so\smuch|very\smuch|in\sadvance))? [\s,;.!]* $"
)
_REQUEST = re.compile(
    r"""(?ix) ^[\s,;.!]* (?:
      (?:hi|hey|hello|ok(?:ay)?)(?:\s(?:there|all|team))?(?:\s*[,;.!]+|(?=\s))
    | (?:can|could|would|will)\s(?:you|u|we|i)(?:\s(?:please|pls|plz))?
    | (?:i(?:'m|\sam)?\s|we(?:'re|\sare)?\s)?(?:looking|searching|search|look)\sfor
    | (?:i|we)(?:'d|\swould)?\s(?:need|want|like)(?:\sto\s(?:see|find|have))?
    | (?:do\s(?:you|we)\shave|have\s(?:you|we)\sgot|have\s(?:you|we)|(?:is|are)\sthere)(?:\sany)?
    | (?:show|find|get|give|send|bring)\s(?:me|us)
    | find | let\s(?:me|us)\ssee
    ) (?=[\s,;:.!]|$) [\s,;:.!]*"""
)


def normalise(text: str) -> str:
    """Return a query in plain characters, without emoji and polite words.

    The result is in Unicode form NFKC. Every kind of quotation mark is `"` or `'`, every dash is `-`, a word stands for
    each emoji that shows a thing, and characters that cannot be seen are gone. The values of `like:`, `in:` and `name:`
    stay as they are.
    """
    parts: list[str] = []
    values: list[str] = []
    end = 0
    for match in _VALUE.finditer(text):
        values.append(_written(match))
        parts += [_plain(text[end : match.start()]), _PLACE]
        end = match.end()
    asked = without_politeness("".join([*parts, _plain(text[end:])]))
    return re.sub(_PLACE, lambda _: values.pop(0), asked)


def plain_characters(text: str) -> str:
    """Return `text` in form NFKC, with one kind of double quotes, single quotes and dashes, and no control codes.

    Folder and file names are compared in this form.
    """
    plain = unicodedata.normalize("NFKC", text.translate(_PLAIN)).translate(_PLAIN)
    return "".join(c for c in plain if c.isspace() or unicodedata.category(c)[0] != "C")


def without_politeness(text: str) -> str:
    """Return `text` without "please", "show me" and "thanks"; all of it when nothing else would be left."""
    asked = _POLITE.sub(lambda match: match["quoted"] or " ", text)
    while (shorter := _REQUEST.sub("", asked, count=1)) != asked and _ASKED.search(shorter):
        asked = shorter
    return asked.strip() if _ASKED.search(asked) else text.strip()


def _written(match: re.Match[str]) -> str:
    """Return a filter with its value as it was typed, in plain double quotes where it is more than a word."""
    field = match["field"].lower()
    if match["plain"] is not None and field != "like":
        return f"{field}:{match['plain']}"
    value = match["straight"]
    if value is None:
        value = next(filter(None, (match["curly"], match["single"], match["plain"])), "").replace('"', '\\"')
    return f'{field}:"{value}"'


def _plain(text: str) -> str:
    text = re.sub(f"[{_LONG_DASHES}]", "-", _LONG_DASH.sub(" , ", text))
    # Emoji come first: NFKC would take some of them apart.
    text = plain_characters(open_emoji().replace(text.replace("：", ":")))
    for form, words in _SHORT_FORMS:
        text = form.sub(words, text)
    return text
