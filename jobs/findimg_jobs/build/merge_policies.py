"""Policies that choose the segments that the next version joins into one: for `index`, `add` and the command `compact`.

Segments are in tiers by size, each nine times as large as the one below. Nine segments of one tier become one of the
next. A segment is also rewritten when many of its images are deleted.

A year of nights on which 1 % of 100,000 images is replaced by others (simulated, bytes in libraries):

| rewritten when this share is deleted | bytes written | segments at most |
|---|---|---|
| 0.2 | 22 | 9 |
| 0.3 | 15.4 | 13 |
| 0.4 | 13.0 | 15 |
| 0.5 | 11.3 | 15 |

To rewrite a segment at a fifth means to write four images for each deleted one: at least 14.6 libraries a year.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

MERGED = 9  # segments of one tier that become one; also the ratio of the tiers' sizes
SMALLEST = 1000  # images of a full segment of the lowest tier
DELETED = 0.5  # a segment with a larger share of deleted images is rewritten
COMPACTED = 0.2  # the same for `findimg-jobs compact`
_TAKEN_ALONG = 0.2  # segments with at most this share of a rewritten segment's images are merged into it
_SMALL_KEPT = 3  # segments of at most SMALLEST images that `findimg-jobs add` leaves


@dataclass(frozen=True, slots=True)
class SegmentSize:
    """The number of images in a segment."""

    rows: int  # with deleted images
    live: int  # without

    @property
    def deleted(self) -> float:
        """Return the share of deleted images, 0 to 1."""
        return 1 - self.live / self.rows


MergePolicy = Callable[[Sequence[SegmentSize], int], set[int]]  # see `choose_merges`


def choose_merges(sizes: Sequence[SegmentSize], largest: int) -> set[int]:
    """Return the positions of the segments to merge into one, none if nothing is to be done.

    Args:
        sizes: the segments of the next version, each with at least one image.
        largest: maximum number of images in a segment. Larger ones are merged only because of deleted images.
    """
    rewritten = {position for position, size in enumerate(sizes) if size.deleted > DELETED}
    chosen = set(rewritten)
    tiers: dict[int, set[int]] = {}
    for position, size in enumerate(sizes):
        if position not in rewritten and size.live * 2 <= largest:
            tiers.setdefault(_tier(size.live), set()).add(position)
    for _, positions in sorted(tiers.items()):
        if len(positions) + bool(chosen) >= MERGED:
            chosen |= positions
    if rewritten:
        limit = _TAKEN_ALONG * max(sizes[position].live for position in rewritten)
        chosen |= {position for position, size in enumerate(sizes) if size.live <= limit}
    return chosen


def choose_small_merges(sizes: Sequence[SegmentSize], largest: int) -> set[int]:
    """Return the positions of the segments that `findimg-jobs add` merges: the smallest, so that it takes seconds."""
    small = {position for position, size in enumerate(sizes) if size.live <= min(SMALLEST, largest)}
    return small if len(small) > _SMALL_KEPT else set()


def choose_compact_merges(sizes: Sequence[SegmentSize], largest: int) -> set[int]:
    """Return the positions of the segments that `findimg-jobs compact` merges: small ones, and those with deletions."""
    return _small_or_deleted(sizes, largest, COMPACTED)


def choose_purge_merges(sizes: Sequence[SegmentSize], largest: int) -> set[int]:
    """Return the positions of the segments that `findimg-jobs compact --purge` merges.

    They are those that `choose_compact_merges` returns, and all others that hold a deleted image.
    """
    return _small_or_deleted(sizes, largest, 0.0)


def _small_or_deleted(sizes: Sequence[SegmentSize], largest: int, most_deleted: float) -> set[int]:
    small = {position for position, size in enumerate(sizes) if size.live * 2 <= largest}
    rewritten = {position for position, size in enumerate(sizes) if size.deleted > most_deleted}
    return rewritten | (small if len(small) > 1 else set())


def _tier(live: int) -> int:
    return int(math.log(max(live, SMALLEST) / SMALLEST, MERGED) + 1e-9)
