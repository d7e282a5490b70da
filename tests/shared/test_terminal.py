import logging
import sys

import pytest

from findimg.terminal import LineFormatter, print_lines, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("cat.jpg", "cat.jpg"),
        ("Été à Zürich 猫 🎂.jpg", "Été à Zürich 猫 🎂.jpg"),
        ("Screenshot 9.41\N{NARROW NO-BREAK SPACE}AM.png", "Screenshot 9.41\N{NARROW NO-BREAK SPACE}AM.png"),
        ("👨\N{ZERO WIDTH JOINER}👩.jpg", "👨\N{ZERO WIDTH JOINER}👩.jpg"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("two\nlines\r\t\N{LINE SEPARATOR}", r"two\nlines\r\t\u2028"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", r"\u202egpj.exe"),
        ("\N{RIGHT-TO-LEFT ISOLATE}x\N{ZERO WIDTH SPACE}", r"\u2067x\u200b"),
        ("caf\udce9.jpg", r"caf\udce9.jpg"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_name_cannot_change_the_terminal(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_each_line_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines(["a\nb", 1])
    print_lines([ValueError("\x1b")], to_stderr=True)
    assert capsys.readouterr() == ("a\\nb\n1\n", "\\x1b\n")


def test_log_messages_are_escaped_and_tracebacks_keep_their_lines() -> None:
    try:
        raise ValueError
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "file %s", ("a\x1b",), sys.exc_info())
    first, second, *_ = LineFormatter().format(record).split("\n")
    assert (first, second) == (r"file a\x1b", "Traceback (most recent call last):")
