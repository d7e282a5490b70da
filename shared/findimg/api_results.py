"""What the public interface returns.

Everything here is available from `findimg` itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Hit:
    """One image that was found.

    Attributes:
        uri: path or s3:// address of the image.
        score: how well it fits. For a search by words 0 to 1, for a search by image a cosine similarity, -1 to 1.
        width: pixels.
        height: pixels.
        sha256: hash of the image file, in hex.
        taken: when the photograph was taken, by the camera's clock. None if it has no date.
        copies: addresses of images with equal bytes, which are no hits of their own.
        near_duplicates: addresses of images that look the same, likewise.
        dated_by: the source of `taken`: "camera", "name" (the file's name) or "file" (the file's modification time).
            None without a date, and in libraries that an older release published.
        matched: where a text of the image has the words of the query, such as "text: …status **error 500** on…".
            It begins with "text", "caption" or "name". None if no text has them. It is text from outside, so escape it.
    """

    uri: str
    score: float
    width: int
    height: int
    sha256: str
    taken: datetime | None
    copies: tuple[str, ...] = ()
    near_duplicates: tuple[str, ...] = ()
    dated_by: Literal["camera", "name", "file"] | None = None
    matched: str | None = None


class Hits(list[Hit]):
    """One page of hits, best first.

    Attributes:
        note: remarks on the query in plain text, for example words that match no image. Empty if there are none.
        total: number of hits on all pages.
    """

    def __init__(self, hits: Iterable[Hit], note: str = "", total: int = 0):
        super().__init__(hits)
        self.note = note
        self.total = total


@dataclass(frozen=True, slots=True)
class Tag:
    """A word for what an image shows.

    Attributes:
        word: a noun.
        score: how likely the image shows it, 0 to 1. General words score lower.
    """

    word: str
    score: float


@dataclass(frozen=True, slots=True)
class TaughtName:
    """A name that the team taught with examples.

    Attributes:
        name: the word or phrase.
        like: number of images that show it.
        unlike: number of images that do not show it.
        by: who taught it, the first person first: `<team>/<user>` in Slack, `terminal/<user>` elsewhere.
    """

    name: str
    like: int
    unlike: int
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelatedWord:
    """A word with a similar meaning.

    Attributes:
        word: the word.
        distance: 0 for the same meaning, up to 2: the length of the difference of the two words' unit vectors.
    """

    word: str
    distance: float
