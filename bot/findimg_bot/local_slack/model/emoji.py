"""Emoji as Slack sends them: names between colons, never characters."""

import re
from functools import cache

from findimg.text import emoji as emoji_data

# The names that people and bots write most often; those of things are in findimg's own table.
_OTHERS = """
    ℹ️ information_source|⚠️ warning|✅ white_check_mark|✔️ heavy_check_mark|❌ x|⛔ no_entry|❓ question|❗ exclamation
    💡 bulb|🔍 mag|🔎 mag_right|🏷️ label|🔗 link|📌 pushpin|⌛ hourglass|⏳ hourglass_flowing_sand|✨ sparkles|⭐ star
    🎉 tada|🔥 fire|⚡ zap|👀 eyes|👋 wave|👍 +1|👍 thumbsup|👎 -1|👎 thumbsdown|👌 ok_hand|👏 clap|🙏 pray
    🙌 raised_hands|💪 muscle|👉 point_right|👈 point_left|☝️ point_up|👇 point_down|❤️ heart|😄 smile|😃 smiley
    🙂 slightly_smiling_face|😉 wink|😊 blush|😂 joy|🤔 thinking_face|😅 sweat_smile|😢 cry|😞 disappointed
    🤖 robot_face|➡️ arrow_right|⬅️ arrow_left|⬆️ arrow_up|⬇️ arrow_down|1️⃣ one|2️⃣ two|3️⃣ three|💬 speech_balloon
    📝 memo|🌱 seedling
"""
_SELECTOR = "\ufe0f"  # asks for the coloured form; keyboards add or leave it out


@cache
def emoji_by_name() -> dict[str, str]:
    """Return the emoji of each name, both as the page shows them."""
    lines = (emoji_data.FOLDER / emoji_data.TABLE).read_text("utf-8").splitlines()
    named = {name: line.split("\t")[0] for line in lines for name in line.split("\t")[2:]}
    return named | {
        name: emoji for emoji, name in (each.split() for each in re.split(r"[|\n]", _OTHERS) if each.strip())
    }


@cache
def _names() -> tuple[dict[str, str], re.Pattern[str]]:
    """Return the name of each emoji without selectors, and a pattern that matches any of them."""
    names: dict[str, str] = {}
    for name, emoji in emoji_by_name().items():
        names.setdefault(emoji.replace(_SELECTOR, ""), name)
    longest_first = sorted(names, key=len, reverse=True)
    optional = f"{_SELECTOR}?"
    spellings = (optional.join(map(re.escape, emoji)) + optional for emoji in longest_first)
    return names, re.compile("|".join(spellings))


def with_emoji_names(text: str) -> str:
    """Return `text` as Slack passes it on: 🍕 becomes `:pizza:`; an emoji without a known name stays."""
    if text.isascii():
        return text
    names, pattern = _names()
    return pattern.sub(lambda match: f":{names[match[0].replace(_SELECTOR, '')]}:", text)
