"""Split a query's text into words, phrases and filters, in the order in which they are written."""

import re
from datetime import date
from itertools import islice

from findimg.errors import QueryError
from findimg.search.query.filters import DATES, FIELDS, TEXT_FILTERS, read_dates
from findimg.search.query.pieces import Piece, is_letter, trimmed

HIGHEST_WEIGHT = 100
_WORDS_IN_A_DATE = 4  # "1 of June 2024"
_OPENING = "([{<*_~,;.!?&+#"  # may stand before a word or a filter without meaning anything
# `on:` is another name of `date:`, as in Slack's own search.
_FIELD = re.compile(rf"(?P<minus>-?)(?P<field>(?ai:{'|'.join(FIELDS)}|on(?=:[\w\"]))):[ \t]*")
_POSTED_BY = re.compile(r"-?(?:from|by):(?=[@\w])", re.IGNORECASE)
# A single quote ends a phrase where no letter follows: `'rock'n'roll'`.
_QUOTED = re.compile(r'"(?P<double>(?:\\"|[^"])*)"' r"|'(?P<single>(?:\\'|'(?=[^\W_])|[^'])*)'(?![^\W_])")
_MINUS = re.compile(r"-+(?:[(\[{*~]*(?=[^\W_])|(?=[\"']))")
_WEIGHT = re.compile(r":(?P<weight>\d+(?:\.\d+)?)(?![^\s\W])")
_UNKNOWN_FIELD = re.compile(r"[a-z]+:(?=[^\W\d]|[<>=\"'])", re.IGNORECASE)
# Ends a sentence and no value: `type:png!!1`, `in:cup...`. Two dots are an open range of dates: `date:2024..`.
_SENTENCE_END = re.compile(r"(?<=.)(?:[,;!?…]+|[!?]+1+|\.{3,})+$")
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S*", re.IGNORECASE)


class Scanner:
    """Reads a normalised text from left to right."""

    def __init__(self, text: str, today: date | None):
        self._text = text
        self._today = today
        self._at = 0

    def pieces(self) -> list[Piece]:
        """Return the parts of the text in their order."""
        found: list[Piece] = []
        while self._at < len(self._text):
            start = self._at
            for read in (self._field, self._phrase, self._word):
                found += read()
                if self._at > start:
                    break
            else:
                self._at += 1  # a space, or punctuation without meaning
        return found

    def _starts(self) -> bool:
        """Return whether a minus or a filter can begin here: after a space, and after brackets and the like."""
        before = self._text[: self._at].rstrip(_OPENING)
        return not before or before[-1].isspace() or before[-1] in "|/"

    def _field(self) -> list[Piece]:
        match = _FIELD.match(self._text, self._at)
        if not match or not self._starts():
            return []
        name = "date" if match["field"].lower() == "on" else match["field"].lower()
        self._at = match.end()
        if name in TEXT_FILTERS:
            value = trimmed(self._value(name))
            if not value:
                raise QueryError(f"{name}: needs a value, as in `{FIELDS[name]}`.")
            return [Piece("term", value, minus=bool(match["minus"]), phrase=True, text_kind=TEXT_FILTERS[name])]
        return [Piece("field", self._value(name), name, bool(match["minus"]))]

    def _value(self, name: str) -> str:
        if quoted := _QUOTED.match(self._text, self._at):
            self._at = quoted.end()
            return _unquoted(quoted)
        if name in DATES and (words := self._date()):
            return words
        end = self._at
        # A shell escapes a blank by a backslash.
        while end < len(self._text) and (not self._text[end].isspace() or self._text[end - 1] == "\\"):
            end += 1
        value, self._at = re.sub(r"\\(?=\s)", "", self._text[self._at : end]), end
        value = _SENTENCE_END.sub("", value).replace('"', "")
        # A full stop ends the sentence, but it may belong to the name of a folder or a file.
        if name not in ("in", "name") and not value.endswith(".."):
            value = value.rstrip(".")
        return value if any(bracket in value for bracket in "([{") else value.rstrip(",;!?)]}")

    def _date(self) -> str | None:
        """Return as many words as together are a date: `1 June 2024`."""
        words = list(islice(re.compile(r"\S+").finditer(self._text, self._at), _WORDS_IN_A_DATE))
        for count in range(len(words), 0, -1):
            text = _SENTENCE_END.sub("", " ".join(word.group() for word in words[:count])).replace(" - ", "-")
            if read_dates(text, self._today):
                self._at = words[count - 1].end()
                return text
        return None

    def _phrase(self) -> list[Piece]:
        minus = self._minus()
        start = self._at + minus
        match = _QUOTED.match(self._text, start)
        if not match or (match["single"] is not None and not self._starts()):
            return []
        self._at = match.end()
        value = trimmed(_unquoted(match))
        return [Piece("term", value, minus=bool(minus), weight=self._weight(value), phrase=True)] if value else []

    def _word(self) -> list[Piece]:
        text, start = self._text, self._at
        if text[start] in "|/":
            self._at += 1
            return [Piece("or")]
        if self._starts() and (match := _ADDRESS.match(text, start)):
            raise QueryError(
                f"`{match[0][:60]}` is an address. Use like: with the URI of an image that is indexed. To find the "
                "address as text, put it in quotes."
            )
        if self._starts() and (match := _POSTED_BY.match(text, start)):
            raise QueryError(f"findimg does not know who posted a picture. Leave out `{match[0]}`.")
        minus = self._minus()
        start += minus
        end = start
        while end < len(text) and _in_word(text, end, start):
            end += 1
        value = re.sub("'s$", "", trimmed(text[start:end]), flags=re.IGNORECASE)
        if end > start:
            if self._starts() and (match := _UNKNOWN_FIELD.match(text, start)) and match.end() == end + 1:
                known = ", ".join(f"{name}:" for name in FIELDS)
                raise QueryError(f"`{text[start : end + 1]}` is not a filter. The filters are {known}.")
            self._at = end
        if not value:
            return []
        if minus == 0 and value.lower() == "or":
            return [Piece("or")]
        return [Piece("term", value, minus=bool(minus), weight=self._weight(value))]

    def _minus(self) -> int:
        """Return the length of a minus here: of dashes that touch the next word and not the one before."""
        match = _MINUS.match(self._text, self._at)
        return len(match[0]) if match and self._starts() else 0

    def _weight(self, word: str) -> float:
        match = _WEIGHT.match(self._text, self._at)
        if not match:
            return 1.0
        self._at = match.end()
        weight = float(match["weight"])
        if not 0 < weight <= HIGHEST_WEIGHT:
            raise QueryError(
                f"`{word}{match[0][:20]}`: a weight is more than 0 and at most {HIGHEST_WEIGHT}, as in `cat:2`."
            )
        return weight


def _in_word(text: str, at: int, start: int) -> bool:
    """Return whether a character is part of the word that begins at `start`: `t-shirt`, `R&D`, `3/21/2024`."""
    if is_letter(text[at]):
        return True
    if text[at] == ":" and re.sub("[:-]", "", text[start:at]).isdecimal():
        return text[at + 1 : at + 2].isdecimal()  # a time: `10:30`, `10:30-11:45`
    if not start < at < len(text) - 1:
        return False
    if text[at] in ",/":
        return text[at - 1].isdecimal() and text[at + 1].isdecimal()
    if text[at] == "&":
        return text[at - 1].isupper() and text[at + 1].isupper()
    return text[at] in "-'._@" and is_letter(text[at - 1]) and is_letter(text[at + 1])


def _unquoted(match: re.Match[str]) -> str:
    if match["double"] is not None:
        return match["double"].replace('\\"', '"')
    return match["single"].replace("\\'", "'")
