"""Arrays and indexes of several segments, used as one.

Items are numbered through the whole version. `ItemRows` says which row of which segment each of them is.
"""

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from findimg.index.float16 import Float16Matrix
from findimg.index.postings import PostingLists, Postings, join_lists, raise_to
from findimg.index.text_index import TEXT_KINDS, ImageText, TextIndex, TextKind
from findimg.index.vector_types.base import VectorIndex
from findimg.library.items import ItemRows
from findimg.vectors import to_float32

Floats = NDArray[np.float32]
Items = NDArray[np.int64]

_CONTINUATIONS = 200  # words of a segment that begin alike, which are looked at
_JOINED = 4_000_000  # maximum number of entries of posting lists that are read into memory, 8 bytes each


class SegmentedMatrix:
    """Float16 matrices with one row per image, read as float32."""

    def __init__(self, parts: Sequence[Float16Matrix], rows: ItemRows):
        """Use one matrix of each segment, float16[rows, dim]."""
        self._parts = parts
        self._rows = rows
        self.shape = len(rows), parts[0].shape[1]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, items: int | slice | NDArray[np.integer]) -> Floats:
        """Return one row or several, float32[…, dim]."""
        if self._rows.is_plain:
            return self._parts[0][items]
        if isinstance(items, int | np.integer):
            segment, row = self._rows.locate(int(items))
            return self._parts[segment][row]
        chosen = np.arange(len(self))[items] if isinstance(items, slice) else np.asarray(items, np.int64)
        found = np.empty((len(chosen), self.shape[1]), np.float16)
        for segment, places, rows in self._rows.split(chosen):
            found[places] = self._parts[segment].stored_rows(rows)
        return to_float32(found)

    def cosines(self, vector: Floats, items: Items | None = None) -> Floats:
        """Return the cosine similarities of images to a vector, float32[m]; 0 for a row of zeros.

        Args:
            vector: float32[dim], not zero.
            items: int64[m], the images. The default is all of them.
        """
        if self._rows.is_plain:
            return self._parts[0].cosines(vector, items)
        if items is None:
            found = np.empty(len(self) + 1, np.float32)  # the last place is for deleted images
            for segment, part in enumerate(self._parts):
                found[self._rows.items(segment)] = part.cosines(vector)
            return found[:-1]
        found = np.empty(len(items), np.float32)
        for segment, places, rows in self._rows.split(items):
            found[places] = self._parts[segment].cosines(vector, rows)
        return found


class SegmentedRelevance:
    """Float16 matrices with one row per label and one column per image."""

    def __init__(self, parts: Sequence[Float16Matrix], rows: ItemRows):
        """Use one matrix of each segment, float16[labels, rows]."""
        self._parts = parts
        self._rows = rows

    def __getitem__(self, label: int) -> Floats:
        """Return the relevance of a label for every image, float32[images]."""
        if self._rows.is_plain:
            return self._parts[0][label]
        found = np.empty(len(self._rows) + 1, np.float32)  # the last place is for deleted images
        for segment, part in enumerate(self._parts):
            found[self._rows.items(segment)] = part[label]
        return found[:-1]


class SegmentedPostings:
    """Posting lists of several segments.

    Small segments are read into memory as one list, so that the time of a query grows with images and not with
    segments or with deleted images.
    """

    def __init__(self, parts: Sequence[Postings | None], rows: ItemRows):
        """Use the lists of each segment; None for a segment without."""
        self._parts = parts
        self._rows = rows

    def sum(self, weights: Floats, power: float = 1) -> Floats:
        """See `Postings.sum`."""
        total = np.zeros(len(self._rows) + 1, np.float32)  # the last place is for deleted images
        for lists, items in self._lists:
            lists.add(total, weights, power, items)
        raise_to(total, 1 / power)
        return total[:-1]

    @cached_property
    def _lists(self) -> list[tuple[PostingLists, Items | None]]:
        """Return posting lists with the item of each of their rows, None if a row's number is its item."""
        lists = [(part.lists, self._rows.items(number)) for number, part in enumerate(self._parts) if part]
        if self._rows.is_plain:
            return [(part, None) for part, _ in lists]
        lists.sort(key=lambda each: len(each[0].items))
        joined = int(np.searchsorted(np.cumsum([len(part.items) for part, _ in lists]), _JOINED, side="right"))
        found: list[tuple[PostingLists, Items | None]] = [*lists[joined:]]
        return [*found, (join_lists(lists[:joined], len(self._rows)), None)] if joined else found

    def classes_of(self, item: int) -> tuple[Items, Floats]:
        """See `Postings.classes_of`."""
        segment, row = self._rows.locate(item)
        part = self._parts[segment]
        return part.classes_of(row) if part else (np.empty(0, np.int64), np.empty(0, np.float32))


class SegmentedIndex:
    """Vector indexes of several segments, searched as one."""

    def __init__(self, parts: Sequence[VectorIndex], rows: ItemRows):
        """Use one index of each segment."""
        self._parts = parts
        self._rows = rows
        self.dim = parts[0].dim
        self.is_exact = all(part.is_exact for part in parts)

    def search(self, query: Floats, k: int, without: Items | None = None) -> tuple[Items, Floats]:
        """See `VectorIndex.search`. Of equally near images the first comes first."""
        if self._rows.is_plain:
            return self._parts[0].search(query, k, without)
        found, near = [], []
        for segment, part in enumerate(self._parts):
            rows, cosines = part.search(query, k, self._left_out(segment, without))
            found.append(self._rows.items(segment)[rows])
            near.append(cosines)
        items, cosines = np.concatenate(found), np.concatenate(near)
        best = np.lexsort((items, -cosines))[:k]
        return items[best], cosines[best]

    def similarities(self, query: Floats, items: Items) -> Floats:
        """See `VectorIndex.similarities`."""
        if self._rows.is_plain:
            return self._parts[0].similarities(query, items)
        found = np.empty(len(items), np.float32)
        for segment, places, rows in self._rows.split(items):
            found[places] = self._parts[segment].similarities(query, rows)
        return found

    def close(self) -> None:
        """See `VectorIndex.close`."""
        for part in self._parts:
            part.close()

    def _left_out(self, segment: int, without: Items | None) -> Items:
        """Return the rows of a segment to leave out: those of deleted images, and those of the items `without`."""
        deleted = self._rows.deleted(segment)
        if without is None:
            return deleted
        rows = [rows for number, _, rows in self._rows.split(without) if number == segment]
        return np.concatenate([deleted, *rows])


class SegmentedTextIndex:
    """Text indexes of several segments, searched as one. Several threads may use it at the same time."""

    def __init__(self, parts: Sequence[TextIndex], rows: ItemRows):
        """Use one index of each segment."""
        self._parts = parts
        self._rows = rows

    def with_word(self, words: Collection[str]) -> dict[TextKind, Items]:
        """See `TextIndex.with_word`."""
        return self._joined([part.with_word(words) for part in self._parts])

    def beginning_with(self, word: str, k: int) -> list[str]:
        """See `TextIndex.beginning_with`. Words that only deleted images have are left out."""
        found = {each for part in self._parts for each in part.beginning_with(word, _CONTINUATIONS)}
        ordered = sorted(found, key=lambda each: (len(each), each))
        return list(islice((each for each in ordered if self.with_word([each])), k))

    def with_phrase(self, words: Sequence[str], kinds: Collection[TextKind] = TEXT_KINDS) -> dict[TextKind, Items]:
        """See `TextIndex.with_phrase`."""
        return self._joined([part.with_phrase(words, kinds) for part in self._parts])

    def with_similar_text(self, words: Sequence[str]) -> Items:
        """See `TextIndex.with_similar_text`."""
        found = []
        for segment, part in enumerate(self._parts):
            items = self._rows.items(segment)[part.with_similar_text(words)]
            found.append(items[items < len(self._rows)])
        return np.sort(np.concatenate(found))

    def texts(self, items: Sequence[int]) -> dict[int, ImageText]:
        """See `TextIndex.texts`."""
        found: dict[int, ImageText] = {}
        for segment, places, rows in self._rows.split(np.asarray(items, np.int64)):
            texts = self._parts[segment].texts(rows.tolist())
            item_of = {row: items[place] for row, place in zip(rows.tolist(), places.tolist(), strict=True)}
            found |= {item_of[row]: text for row, text in texts.items()}
        return found

    def similar_place(self, words: Sequence[str], text: str) -> tuple[int, int] | None:
        """See `TextIndex.similar_place`."""
        return self._parts[0].similar_place(words, text)

    def close(self) -> None:
        """Close the files."""
        for part in self._parts:
            part.close()

    def _joined(self, parts: Sequence[dict[TextKind, Items]]) -> dict[TextKind, Items]:
        """Return the items of rows of all segments, without those of deleted images."""
        found: dict[TextKind, list[Items]] = {}
        for segment, part in enumerate(parts):
            for kind, rows in part.items():
                items = self._rows.items(segment)[rows]
                items = items[items < len(self._rows)]
                if len(items):
                    found.setdefault(kind, []).append(items)
        return {kind: np.concatenate(items) for kind, items in found.items()}
