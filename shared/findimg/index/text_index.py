"""The text index: which images have words written in them, in their captions, or in their names.

It is one SQLite file with full-text indexes (FTS5). Each kind of text is a column: `written` is the text that was read
in the picture, `caption` has its title, description and keywords, `name` has the words of its file and folder names.

| table | content |
|---|---|
| `texts` | the texts of each image, as they are shown |
| `words` | FTS5 of the words by `findimg.text.tokens`, with positions: finds phrases |
| `tokens` | every word with the images that have it, made from `words`: finds single words |
| `grams` | FTS5 with trigrams of the written text without spaces: finds misread, split and joined words |

Times on 100,000 images with 20 words each are in `tests/benchmarks`.
"""

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from findimg.errors import LibraryError
from findimg.text.tokens import fold_words, tokenise

TextKind: TypeAlias = Literal["written", "caption", "name"]
TEXT_KINDS: tuple[TextKind, ...] = ("written", "caption", "name")
Items: TypeAlias = NDArray[np.int64]

TEXT_FORMAT = 2  # number of this form of the index. A version with an older one is built again by the next run.
LETTERS_A_MISTAKE = 8  # number of letters of a phrase for which one may be misread
_MOST_MISTAKES = 4
_CLEAR = 8  # letters of a phrase that is not part of other words by chance
_SHORTEST = 3  # letters of a phrase that trigrams can find
_CANDIDATES = 3000  # maximum number of images that are compared letter by letter
_ITEM = np.dtype("<i4")


@dataclass(frozen=True, slots=True)
class ImageText:
    """The text of one image. Empty texts are left out of the index."""

    written: str = ""  # lines as they were read, separated by line feeds
    caption: str = ""  # title, description, keywords and the like, separated by line feeds
    name: str = ""  # words of its file and folder names

    def __bool__(self) -> bool:
        return bool(self.written or self.caption or self.name)


def write_text_index(path: Path, rows: Iterable[ImageText]) -> None:
    """Write a text index. Equal rows give equal bytes.

    Args:
        path: a file that does not exist yet.
        rows: the texts of item 0, item 1 and so on, in Unicode form NFKC.
    """
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE texts (item INTEGER PRIMARY KEY, written TEXT, caption TEXT, name TEXT) STRICT;"
            # Not WITHOUT ROWID: each step of a look-up would read a whole list of images.
            "CREATE TABLE tokens (token TEXT NOT NULL, written BLOB, caption BLOB, name BLOB) STRICT;"
            "CREATE VIRTUAL TABLE words USING fts5 (written, caption, name, content = '',"
            " tokenize = \"unicode61 remove_diacritics 2 categories 'L* N* Co M*'\");"
            "CREATE VIRTUAL TABLE grams USING fts5 (written, tokenize = 'trigram');"
        )
        for item, row in enumerate(rows):
            if not row:
                continue
            values = [getattr(row, kind) or None for kind in TEXT_KINDS]
            connection.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", (item, *values))
            folded = [fold_words(text) if text else [] for text in values]
            spaced = [" ".join(words) for words in folded]
            connection.execute("INSERT INTO words (rowid, written, caption, name) VALUES (?, ?, ?, ?)", (item, *spaced))
            if folded[0]:
                connection.execute("INSERT INTO grams (rowid, written) VALUES (?, ?)", (item, "".join(folded[0])))
        connection.executescript(
            "INSERT INTO words (words) VALUES ('optimize'); INSERT INTO grams (grams) VALUES ('optimize');"
            "CREATE VIRTUAL TABLE temp.instances USING fts5vocab (main, words, instance);"
        )
        connection.executemany("INSERT INTO tokens VALUES (?, ?, ?, ?)", _token_rows(connection))
        connection.execute("DROP TABLE temp.instances")
        connection.execute("CREATE UNIQUE INDEX token ON tokens (token)")
        connection.commit()


def _token_rows(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes | None, bytes | None, bytes | None]]:
    """Yield each word with the images that have it, by kind of text."""
    instances = connection.execute("SELECT DISTINCT term, col, doc FROM temp.instances")
    for token, found in groupby(instances, key=lambda row: row[0]):
        items: dict[str, list[int]] = {kind: [] for kind in TEXT_KINDS}
        for _, kind, item in found:
            items[kind].append(item)
        written, caption, name = (np.sort(np.asarray(items[kind], _ITEM)).tobytes() or None for kind in TEXT_KINDS)
        yield token, written, caption, name


class TextIndex:
    """A text index, opened for reading. Several threads may use it at the same time."""

    def __init__(self, path: Path):
        """Open the file.

        Raises:
            LibraryError: the file is no text index.
        """
        # Nobody writes to a published version. `immutable` saves locks and works on read-only disks.
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            self._connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._connection.execute(f"PRAGMA mmap_size = {path.stat().st_size}")
            self._connection.execute("SELECT count(*) FROM tokens WHERE token = ''").fetchone()
            self._has_written = self._connection.execute("SELECT rowid FROM grams LIMIT 1").fetchone() is not None
        except (sqlite3.DatabaseError, OSError) as error:
            raise LibraryError(
                f"{path} cannot be opened as a text index: {error}. Publish again with index."
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def knows(self, word: str) -> bool:
        """Return whether any image has a word, as `fold_words` returns it."""
        return bool(self._connection.execute("SELECT 1 FROM tokens WHERE token = ?", (word,)).fetchone())

    def with_word(self, words: Collection[str]) -> dict[TextKind, Items]:
        """Return the images that have any one of some words, by kind of text. An image may be there several times.

        Args:
            words: up to some hundreds, as `fold_words` returns them.
        """
        query = f"SELECT written, caption, name FROM tokens WHERE token IN ({', '.join('?' * len(words))})"
        found: dict[TextKind, list[Items]] = {}
        for row in self._connection.execute(query, tuple(words)):
            for kind, items in zip(TEXT_KINDS, row, strict=True):
                if items:
                    found.setdefault(kind, []).append(np.frombuffer(items, _ITEM).astype(np.int64))
        return {kind: parts[0] if len(parts) == 1 else np.concatenate(parts) for kind, parts in found.items()}

    def beginning_with(self, word: str, k: int) -> list[str]:
        """Return up to `k` words of images that begin with a word, as `fold_words` returns it, the shortest first."""
        rows = self._connection.execute(
            "SELECT token FROM tokens WHERE token > ? AND token < ? ORDER BY length(token), token LIMIT ?",
            (word, f"{word}\U0010ffff", k),
        )
        return [token for (token,) in rows]

    def with_phrase(self, words: Sequence[str], kinds: Collection[TextKind] = TEXT_KINDS) -> dict[TextKind, Items]:
        """Return the images that have some words one after the other, by kind of text.

        Args:
            words: as `fold_words` returns them, at least one.
            kinds: the kinds of text to look into.
        """
        if len(words) == 1:
            return {kind: items for kind, items in self.with_word(words).items() if kind in kinds}
        if not all(self.knows(word) for word in dict.fromkeys(words)):
            return {}
        found: dict[TextKind, Items] = {}
        for kind in kinds:
            query = f"{kind} : {_quoted(' '.join(words))}"
            rows = self._connection.execute("SELECT rowid FROM words WHERE words MATCH ?", (query,))
            items = np.fromiter((row[0] for row in rows), np.int64)
            if len(items):
                found[kind] = items
        return found

    def with_similar_text(self, words: Sequence[str]) -> Items:
        """Return the images in which a phrase is written, though its letters may be misread and its spaces missing.

        One letter in `LETTERS_A_MISTAKE` may be wrong, missing or added. A digit may only be taken for a letter, or the
        reverse, because other digits are another number. A short phrase begins or ends where a word does. A short word
        may be written as two words: see `_with_joined_words`.

        Source: if a phrase is cut into e + 1 pieces and a text has e mistakes, one of the pieces is in the text
        unchanged (Navarro and Baeza-Yates, A Hybrid Indexing Method for Approximate String Matching, 2000).

        Args:
            words: as `fold_words` returns them, at least one.

        Returns:
            The items in ascending order.
        """
        joined = "".join(words)
        mistakes = min(_MOST_MISTAKES, len(joined) // LETTERS_A_MISTAKE)
        pieces = _pieces(joined, mistakes + 1)
        if min(map(len, pieces)) < _SHORTEST or not self._has_written:
            return np.empty(0, np.int64)
        if len(words) == 1 and not mistakes:
            return self._with_joined_words(joined)
        query = " OR ".join(_quoted(piece) for piece in pieces)
        rows = self._connection.execute(
            "SELECT rowid, written FROM grams WHERE grams MATCH ? LIMIT ?", (query, _CANDIDATES)
        )
        found = []
        for item, text in rows:
            nearest = _nearest(joined, pieces, text, mistakes)
            if not nearest:
                continue
            is_clear = not nearest.mistakes and len(words) > 1 and len(joined) >= _CLEAR
            if self._fits_words(item, nearest, words, is_clear):
                found.append(item)
        return np.array(found, np.int64)

    def text(self, item: int) -> ImageText:
        """Return the texts of an image."""
        return self.texts([item]).get(item, ImageText())

    def texts(self, items: Sequence[int]) -> dict[int, ImageText]:
        """Return the texts of some images, at most some thousands, by item. Images without text are left out."""
        query = f"SELECT item, written, caption, name FROM texts WHERE item IN ({', '.join('?' * len(items))})"
        return {
            item: ImageText(*(text or "" for text in texts)) for item, *texts in self._connection.execute(query, items)
        }

    def similar_place(self, words: Sequence[str], text: str) -> tuple[int, int] | None:
        """Return where a phrase is written in a text, although it may be misread.

        Args:
            words: as `fold_words` returns them.
            text: the folded words of a text, joined without spaces.

        Returns:
            The places of its first character and after its last one, or None.
        """
        joined = "".join(words)
        mistakes = min(_MOST_MISTAKES, len(joined) // LETTERS_A_MISTAKE)
        nearest = _nearest(joined, _pieces(joined, mistakes + 1), text, mistakes)
        return (nearest.start, nearest.end) if nearest else None

    def _with_joined_words(self, word: str) -> Items:
        """Return the images in which a word is written as two, without a space or where letters meet digits.

        `wifi` finds "Wi-Fi", and `xj900b` finds "XJ-900B". `notable` does not find "not able".
        """
        pairs = [(word[:place], word[place:]) for place in range(1, len(word))]
        parts = list(dict.fromkeys(part for pair in pairs for part in pair))
        query = f"SELECT token FROM tokens WHERE written NOTNULL AND token IN ({', '.join('?' * len(parts))})"
        known = {token for (token,) in self._connection.execute(query, parts)}
        found: set[int] = set()
        for pair in pairs:
            if known.issuperset(pair):
                items = self.with_phrase(pair, ["written"]).get("written", np.empty(0, np.int64))[:_CANDIDATES]
                texts = self.texts(items.tolist())
                found.update(item for item, text in texts.items() if _has_joined(text.written, pair))
        return np.sort(np.fromiter(found, np.int64, len(found)))

    def _fits_words(self, item: int, place: "_Place", words: Sequence[str], is_clear: bool) -> bool:
        """Return whether a place in the written text can be a phrase.

        It begins or ends where a word does, or is clear. It begins, ends and changes words within no number: 1234 and
        1250 are other numbers than 12 and 12,50.
        """
        edges = {place.start, place.end}
        if not place.mistakes:
            edges.update(place.start + at for at in accumulate(map(len, words)))
        fits = is_clear
        start = 0
        for word in fold_words(self.text(item).written):
            end = start + len(word)
            fits = fits or start == place.start or end == place.end
            if any(word[edge - start - 1 : edge - start + 1].isdigit() for edge in edges if start < edge < end):
                return False
            start = end
        return fits


@dataclass(frozen=True, slots=True)
class _Place:
    """A part of a text that is similar to a phrase."""

    mistakes: int
    start: int
    end: int


def _has_joined(text: str, pair: tuple[str, str]) -> bool:
    """Return whether two words follow each other in a text without a space, or where letters meet digits."""
    is_change = pair[0][-1].isdigit() != pair[1][0].isdigit()
    return any(
        (first.text, second.text) == pair and (is_change or not re.search(r"\s", text[first.end : second.start]))
        for first, second in pairwise(tokenise(text))
    )


def _quoted(text: str) -> str:
    """Return a text as a phrase of FTS5's query language."""
    return '"' + text.replace('"', '""') + '"'


def _pieces(text: str, count: int) -> list[str]:
    """Return a text in `count` pieces of nearly equal length."""
    edges = [len(text) * number // count for number in range(count + 1)]
    return [text[start:end] for start, end in pairwise(edges)]


def _nearest(phrase: str, pieces: Sequence[str], text: str, mistakes: int) -> _Place | None:
    """Return the part of a text that is most similar to a phrase, None if each has too many mistakes."""
    best: _Place | None = None
    offset = 0
    for piece in pieces:
        at = text.find(piece)
        while at >= 0:
            for start in range(max(0, at - offset - mistakes), at - offset + mistakes + 1):
                for end in range(start + len(phrase) - mistakes, start + len(phrase) + mistakes + 1):
                    if end > len(text):
                        break
                    least = mistakes if best is None else best.mistakes - 1
                    distance = Levenshtein.distance(phrase, text[start:end], score_cutoff=least)
                    if distance <= least and _is_misread(phrase, text[start:end]):
                        best = _Place(distance, start, end)
                        if not distance:
                            return best
            at = text.find(piece, at + 1)
        offset += len(piece)
    return best


def _is_misread(phrase: str, found: str) -> bool:
    """Return whether the differences of two texts are mistakes of reading: no digit is lost, added or another digit."""
    for edit in Levenshtein.editops(phrase, found):
        before = phrase[edit.src_pos] if edit.tag != "insert" else ""
        after = found[edit.dest_pos] if edit.tag != "delete" else ""
        if (before + after).isdigit():
            return False
    return True
