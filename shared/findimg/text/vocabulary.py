"""The words of word vectors in one sorted block of text. A dictionary of 400,000 words would take tens of megabytes."""

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from findimg.text.lines import Lines

_SCAN_FROM = 1000  # From this number of words on, reading the whole list is faster than one binary search for each.


class Vocabulary:
    """A list of words, found by row or by text.

    Words are bytes, because some GloVe files hold words that are not UTF-8. Such a word is shown with replacement
    characters and cannot be looked up.
    """

    def __init__(self, lines: bytes, order: NDArray[np.uint32] | None = None):
        """Index the words.

        Args:
            lines: the words, each followed by a line feed.
            order: rows sorted by their word, uint32[n]. None computes it at the first look-up.
        """
        self._text = lines
        self._lines = Lines(lines)
        if order is not None:
            self.order = order

    def __len__(self) -> int:
        return len(self._lines)

    @cached_property
    def order(self) -> NDArray[np.uint32]:
        """The rows, sorted by word, uint32[n]."""
        words = self._split()
        return np.array(sorted(range(len(words)), key=words.__getitem__), dtype=np.uint32)

    def word(self, row: int) -> str:
        """Return the word of a row."""
        return self._lines[row].decode(errors="replace")

    def first(self, count: int) -> list[str]:
        """Return the words of the first `count` rows."""
        return [self.word(row) for row in range(min(count, len(self)))]

    def row(self, word: str) -> int | None:
        """Return the row of a word in lower case, or None if it is not in the list."""
        wanted = _encoded(word)
        rows = self.order.data  # reads one number several times as fast as the array
        place = bisect_left(rows, wanted, key=self._lines.__getitem__)
        if place == len(rows):
            return None
        row = rows[place]
        return row if self._lines[row] == wanted else None

    def rows(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each word in lower case, int64[len(words)], -1 for a word that is not in the list."""
        if len(words) < _SCAN_FROM:
            found = [self.row(word) for word in words]
            return np.array([-1 if row is None else row for row in found], dtype=np.int64)
        wanted = [_encoded(word) for word in words]
        rows = dict.fromkeys(wanted, -1)
        for row, word in enumerate(self._split()):
            if word in rows:
                rows[word] = row
        return np.array([rows[word] for word in wanted], dtype=np.int64)

    def _split(self) -> list[bytes]:
        return self._text.split(b"\n")[: len(self)]


def _encoded(word: str) -> bytes:
    return word.lower().encode(errors="replace")
