"""The nouns for emoji: `pizza` for 🍕 and `:pizza:`, none for 😀 and `:smile:`.

The table is made from emoji-data by `findimg.text.emoji.build`. Its licence is in `LICENSE.emoji-data`.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
TABLE = "things.txt"
# The selector of the coloured form and skin tones are ignored.
_MODIFIERS = re.compile("[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff]")
_MINUSES = tuple("-‐‑‒–—−－﹣")
_JOINED = re.compile("[^\\w\\s\u200d](?:\u200d[^\\w\\s\u200d])+")
# Matches `:pizza:` and `:wave::skin-tone-2:`, but not the end of `cat:2` or a part of `a:b:c`.
_SHORT_NAME = re.compile(r"(?<![^\W_]):(?P<name>(?=[0-9_+'-]*[a-z+-])[a-z0-9_+'-]+):", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class EmojiTable:
    """The nouns that emoji stand for."""

    by_name: dict[str, str]  # name in Slack, without colons → noun
    by_characters: dict[str, str]  # emoji, without modifiers → noun
    pattern: re.Pattern[str]  # matches any emoji, the longest first

    def replace(self, text: str) -> str:
        """Return `text` with each emoji and emoji name replaced by its noun, or by a space if it has none."""
        text = _SHORT_NAME.sub(lambda match: _spaced(match, self.by_name.get(match["name"].lower())), text)
        if text.isascii():
            return text
        text = _JOINED.sub(self._joined, _MODIFIERS.sub("", text))
        text = self.pattern.sub(lambda match: _spaced(match, self.by_characters[match[0]]), text)
        return "".join(" " if _is_picture(character) else character for character in text)

    def _joined(self, match: re.Match[str]) -> str:
        """Return the noun of joined emoji: `runner` for a running woman, an empty text for a family."""
        first, second, *_ = match[0].split("\u200d")
        noun = self.by_characters.get(match[0]) or (self.by_characters.get(first) if second in "♀♂" else None)
        return _spaced(match, noun)


def _spaced(match: re.Match[str], noun: str | None) -> str:
    """Return a noun between spaces, but without a space after a minus."""
    touched = noun is not None and match.string[: match.start()].endswith(_MINUSES)
    return f"{'' if touched else ' '}{noun or ''} "


def _is_picture(character: str) -> bool:
    """Return whether a character is a picture: a symbol, a frame around a digit, or a part of a region's flag."""
    return unicodedata.category(character) in ("So", "Me") or 0xE0020 <= ord(character) <= 0xE007F


@cache
def open_emoji() -> EmojiTable:
    """Return the table of findimg. The file is read on the first call."""
    by_name, by_characters = {}, {}
    for line in (FOLDER / TABLE).read_text("utf-8").splitlines():
        characters, noun, *names = line.split("\t")
        by_characters[_MODIFIERS.sub("", characters)] = noun
        by_name.update(dict.fromkeys(names, noun))
    longest_first = sorted(by_characters, key=len, reverse=True)
    return EmojiTable(by_name, by_characters, re.compile("|".join(map(re.escape, longest_first))))
