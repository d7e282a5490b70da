"""The data that a search returns."""

from dataclasses import dataclass
from datetime import datetime

from findimg.library.catalog import DateSource
from findimg.library.layout import thumbnail_key


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Where an image's text has the words of a query.

    Its string is for plain text: `text: …status **error 500** on…`.
    """

    kind: str  # "text" for the words in the picture, "caption" or "name"
    parts: tuple[tuple[str, bool], ...]  # pieces of the text, and whether each has the words; text from outside

    def __str__(self) -> str:
        words = "".join(f"**{part}**" if matched else part for part, matched in self.parts)
        return f"{self.kind}: {words}"


@dataclass(frozen=True, slots=True)
class Hit:
    """One image of an answer."""

    uri: str
    score: float  # words: relevance, 0 to 1. Similarity: cosine, -1 to 1.
    item: int  # row in the catalog and in the indexes
    width: int  # pixels
    height: int
    sha256: str  # of the image's bytes, hex
    taken: datetime | None  # by the camera's clock, or another time by `dated_by`
    copies: tuple[str, ...] = ()  # URIs of images with equal bytes, at most 1,000 together with the next ones
    near_duplicates: tuple[str, ...] = ()  # URIs of images that look the same
    dated_by: DateSource | None = None  # source of `taken`
    matched: TextMatch | None = None  # where its text has the words of the query, None if it has none

    @property
    def thumbnail(self) -> str:
        """Return the key of the thumbnail in the library."""
        return thumbnail_key(self.sha256)


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of hits, best first."""

    hits: list[Hit]
    note: str = ""  # remarks for a person
    total: int = 0  # hits of the query on all pages
