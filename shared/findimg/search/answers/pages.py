"""Make one page of an answer from ranked images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from findimg.library.version_catalog import VersionCatalog
from findimg.search.answers.copies import Copies
from findimg.search.answers.results import Answer, Hit, TextMatch
from findimg.search.evidence.term_group import TermGroup
from findimg.search.evidence.text import TextEvidence
from findimg.search.query import Term


@dataclass(frozen=True, slots=True)
class Span:
    """The hits that are asked for."""

    k: int  # hits on the page
    skip: int  # hits on the pages before
    excluded: int | None = None  # an item that is no hit, usually the query image itself


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What the page of an answer says beside its hits."""

    span: Span
    note: str
    total: int | None  # hits on all pages, None to count the ranked images
    # int64[n], ascending: the only images that may be hits, by filters and required text. None for all.
    within: NDArray[np.int64] | None
    texts: Sequence[TermGroup] = ()  # wanted groups that some text has


class Pages:
    """Makes hits of ranked images: without copies, and only those of the page, each with what it shows."""

    def __init__(self, catalog: VersionCatalog, copies: Copies, text: TextEvidence):
        """Use the files of a version."""
        self.catalog = catalog
        self.copies = copies
        self._text = text

    def make(self, items: NDArray[np.int64], scores: NDArray[np.float32], page: Page) -> Answer:
        """Return one page of ranked images, with copies and near-duplicates folded behind the best of them."""
        firsts = self.copies.first_places(items)
        places = firsts[page.span.skip : page.span.skip + page.span.k]
        rows = self.catalog.rows(items[places].tolist())
        matches = self._excerpts(items[places].tolist(), page.texts)
        hits = []
        for row, item, score in zip(rows, items[places].tolist(), scores[places].tolist(), strict=True):
            copies, near_duplicates = self.copies.others(row, item, page.within)
            hits.append(
                Hit(
                    uri=row.uri,
                    score=round(score, 4),
                    item=item,
                    width=row.facts.width,
                    height=row.facts.height,
                    sha256=row.sha256,
                    taken=row.facts.taken,
                    copies=tuple(copies),
                    near_duplicates=tuple(near_duplicates),
                    dated_by=row.dated_by,
                    matched=matches.get(item),
                )
            )
        return Answer(hits, page.note, len(firsts) if page.total is None else page.total)

    def _excerpts(self, items: Sequence[int], groups: Sequence[TermGroup]) -> dict[int, TextMatch]:
        """Return where the texts of some images have the words of some groups."""
        wanted: dict[int, list[Term]] = {}
        for group in groups:
            if group.text_relevance is not None:
                for item in (item for item in items if group.text_relevance[item] > 0):
                    wanted.setdefault(item, []).extend((group.term, *group.term.alternatives))
        return self._text.excerpts(wanted)
