"""Make the table of emoji from emoji-data: `python -m findimg.text.emoji.build EMOJI_JSON`.

Reads `emoji.json` of the npm package `emoji-datasource` (https://github.com/iamcal/emoji-data), which holds the names
that Slack uses. Writes beside this file `things.txt`, with one line for each emoji that shows a thing:
the emoji, the noun it shows, and its names in Slack, separated by tabs.

The noun is the first name that the lexicon can find in photographs. The same input gives the same bytes.
"""

import json
import re
import sys
from pathlib import Path

from findimg.text.emoji import FOLDER, TABLE
from findimg.text.lexicon import Lexicon, open_lexicon

# Emoji of these categories and subcategories show moods, gestures and signs. They have no noun.
_NO_THINGS = frozenset(
    [
        "Smileys & Emotion",
        "Symbols",
        "Flags",
        "Component",
        "award-medal",
        "body-parts",
        "event",
        "person-gesture",
        "person-resting",
        "person-symbol",
        "sound",
        "time",
        "family",
        "mag",  # 🔍 stands for the search itself
        "mag_right",
        *(f"hand-{kind}" for kind in ("fingers-open", "fingers-closed", "fingers-partial", "prop", "single-finger")),
        "hands",
    ]
)
# Last words that do not name the thing: "high voltage sign".
_NO_NOUNS = frozenset(["", "left", "mark", "right", "sign", "symbol"])


def build(source: Path, table: Path = FOLDER / TABLE) -> int:
    """Write the table and return how many emoji it holds.

    Args:
        source: `emoji.json` of emoji-datasource.
    """
    lexicon = open_lexicon()
    lines = []
    for emoji in sorted(json.loads(source.read_text("utf-8")), key=lambda emoji: str(emoji["unified"])):
        if not _NO_THINGS.isdisjoint((emoji["category"], emoji["subcategory"], emoji["short_name"])):
            continue
        if noun := _noun(lexicon, emoji["short_names"], emoji["name"] or "", emoji["category"] == "People & Body"):
            characters = "".join(chr(int(code, 16)) for code in emoji["unified"].split("-"))
            lines.append("\t".join([characters, noun, *emoji["short_names"]]))
    table.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return len(lines)


def _noun(lexicon: Lexicon, short_names: list[str], name: str, whole: bool) -> str | None:
    """Return the first name that is a visible noun, else the last word of one: `evergreen_tree` is a tree.

    Args:
        whole: whether to look up whole names only. `man_with_probing_cane` does not show a cane.
    """
    names = [_plain(each) for each in [*short_names, name]]
    shorter = [re.split(" (?:with|without|on|over|and) ", each)[0] for each in names]
    words = names if whole else [*names, *shorter, *(each.rpartition(" ")[2] for each in shorter)]
    return next((word for word in words if word not in _NO_NOUNS and lexicon.senses(word)), None)


def _plain(name: str) -> str:
    """Return the words of an emoji's name without number, sex, direction and frame."""
    words = re.sub(r"[_\s-]+", " ", re.sub(r"\d+$", "", name)).strip().lower()
    return re.sub(r"^(?:fe)?male (?=\w)| face$| facing (?:left|right)$", "", words)


if __name__ == "__main__":
    print(f"{build(Path(sys.argv[1]))} emoji")
