"""Read the names of sources as people give them: words of a command line, one text, or a file with a list."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from findimg.errors import SettingsError
from findimg.storage.base import describe_sources, is_path, open_storage


def split_sources(text: str) -> list[str]:
    """Return the sources that one text names: one a line, or several in one line.

    A line that is an existing path is one source, even with blanks. Another line is split like the words of a
    shell, so that quotes keep a name with blanks together.
    """
    sources: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            words = shlex.split(line)
        except ValueError:  # an apostrophe in a name
            words = [line]
        whole = os.path.exists(source_root(line)) if is_path(line) else _is_one_address(line, words) and "'" not in line
        sources += [line] if whole and '"' not in line else join_words(words)
    return sources


def _is_one_address(line: str, words: Sequence[str]) -> bool:
    """Return whether a line with blanks is the address of one storage, and not followed by another source."""
    if any(not is_path(word) or word.startswith(("/", "~", "./")) for word in words[1:]):
        return False
    try:
        open_storage(line)
    except SettingsError:
        return False
    return True


def join_words(words: Sequence[str]) -> list[str]:
    """Return the sources of a command line in which blanks may have split a name.

    A shell splits `$NIGHTLY_SOURCES` without quotes, and keeps quotes inside it. A word that does not exist is joined
    with the words behind it if that gives a path that exists.
    """
    sources: list[str] = []
    start = 0
    while start < len(words):
        end = _end_of_path(words, start)
        sources.append(words[start] if end == start + 1 else _unquoted(" ".join(words[start:end])))
        start = end
    return sources


def _end_of_path(words: Sequence[str], start: int) -> int:
    """Return where a source ends that begins at `start`."""
    for end in range(start + 1, len(words) + 1):
        path = " ".join(words[start:end])
        if not is_path(path) or not path:
            break
        if os.path.exists(source_root(path if end == start + 1 else _unquoted(path))):
            return end
    return start + 1


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def read_source_list(path: str) -> list[str]:
    """Return the sources in a file, one a line.

    Args:
        path: the file, or "-" for standard input.

    Raises:
        SettingsError: the file cannot be read, or it names no source.
    """
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(os.path.expanduser(path)).read_bytes()
    except OSError as error:
        raise SettingsError(f"The list of sources {path} cannot be read: {error.strerror}.") from error
    lines = [os.fsdecode(line.rstrip(b"\r")) for line in data.split(b"\n")]
    sources = [line for line in lines if line.strip()]
    if not sources:
        raise SettingsError(f"The list of sources {path} is empty. Write one a line: {describe_sources()}.")
    return sources


def source_root(source: str) -> str:
    """Return the address of a source: an absolute path or an s3:// URI.

    Raises:
        SettingsError: the source has an unknown scheme.
    """
    if source.startswith("file://"):
        source = unquote(urlsplit(source).path)
    return open_storage(source).root
