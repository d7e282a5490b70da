"""Print text on a terminal. Names of files and folders come from outside, and cannot change the terminal."""

import logging
import sys
import unicodedata
from collections.abc import Iterable

# Control characters, invisible formatting such as bidirectional overrides, bytes that are not UTF-8, and line breaks.
_ESCAPED_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # parts of emoji, and of words of some scripts


def printable(text: str) -> str:
    r"""Return one line of text for a terminal. Control and formatting characters are escaped, as in `\x1b`."""
    # Nearly all names are plain, and a name's characters are looked up one by one.
    return text if text.isascii() and text.isprintable() else "".join(map(_printable, text))


def print_lines(lines: Iterable[object], to_stderr: bool = False) -> None:
    """Print lines, each of them escaped by `printable`."""
    text = "\n".join(printable(str(line)) for line in lines)
    print(text, file=sys.stderr if to_stderr else sys.stdout, flush=True)


class LineFormatter(logging.Formatter):
    """Formats log messages as one escaped line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the message without its traceback."""
        return printable(super().formatMessage(record))


def _printable(char: str) -> str:
    if unicodedata.category(char) in _ESCAPED_CATEGORIES and char not in _JOINERS:
        return char.encode("unicode_escape").decode()
    return char


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, such as "1 image" or "2,000 images"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
