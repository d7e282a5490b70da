"""Text from outside, made safe for Slack's plain text and mrkdwn."""

import re
import unicodedata
from datetime import datetime
from pathlib import PurePosixPath

from findimg.search.answers.results import TextMatch
from findimg_bot.slack.limits import MESSAGE_TEXT, clip

_MARKS = re.compile(r"[*~`]")
_MATCHED = 300  # characters of a part of a text that has the words of a query
_QUOTED = 200  # characters of a query or a name that an answer repeats


def plain(text: str, most: int = _QUOTED) -> str:
    """Return text from outside on one line, without control and invisible characters, clipped to `most` characters."""
    visible = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c)[0] != "C")
    return clip(" ".join(visible.split()), most)


def escaped(text: str, most: int = _QUOTED) -> str:
    """Return text from outside for Slack's mrkdwn, where it notifies nobody and formats nothing."""
    # Slack has no escape for formatting marks. A word joiner on both sides takes their effect away.
    return _MARKS.sub("\N{WORD JOINER}\\g<0>\N{WORD JOINER}", entities(plain(text, most)))


def escaped_match(match: TextMatch) -> str:
    """Return where an image's text has the words of a query, for Slack's mrkdwn, with these words in bold."""
    shown = ""
    for part, matched in match.parts:
        words = escaped(part, _MATCHED)
        before, after = " " * part[:1].isspace(), " " * part[-1:].isspace()
        # Slack shows bold text only between spaces. Chinese and Japanese have none.
        bold = f"\N{ZERO WIDTH SPACE}*{words}*\N{ZERO WIDTH SPACE}" if matched and words else words
        shown += f"{before}{bold}{after if words else ''}"
    return f"{match.kind}: {shown.strip()}"


def entities(text: str) -> str:
    """Return text with `&`, `<` and `>` written as the entities that Slack expects."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, entity)
    return text


def notification_text(text: str) -> str:
    """Return the text of a message that notifications and screen readers use."""
    return clip(entities(plain(text, MESSAGE_TEXT // 2)), MESSAGE_TEXT)


def local_date(iso: str) -> str:
    """Return a time in mrkdwn that Slack shows in the reader's own time zone."""
    when = datetime.fromisoformat(iso)
    return f"<!date^{when.timestamp():.0f}^{{date_short_pretty}} at {{time}}|{when:%-d %B %Y, %H:%M} UTC>"


def file_name(uri: str) -> str:
    """Return the file name at the end of an image's URI."""
    return PurePosixPath(uri).name
