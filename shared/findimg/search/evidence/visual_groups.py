"""How well images show a term, by the sources of visual evidence and taught names. `finder.py` adds text."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from findimg.errors import QueryError
from findimg.search.evidence.base import VisualEvidence
from findimg.search.evidence.sentences import NOISE_RELEVANCE
from findimg.search.evidence.sources import EvidenceSources
from findimg.search.evidence.taught import (
    PSEUDO_CERTAIN,
    PSEUDO_GUESSED,
    PSEUDO_NAMED,
    PSEUDO_WRITTEN,
    SHOWN,
)
from findimg.search.evidence.term_group import TermGroup
from findimg.search.evidence.text import ALONE
from findimg.search.noise_floor import peak_relevance
from findimg.search.query import Term
from findimg.search.search_files import SearchFiles
from findimg.search.terms.expansion import ExpandedTerm, expand
from findimg.taught.state import TaughtName
from findimg.text.lexicon import CLASSES

_TERMS = 2048  # expanded terms that are kept, about 5 KB each


class VisualGroups:
    """Finds how well every image shows a term, whatever is written. Several threads may use it at the same time.

    The first source of `EvidenceSources.visual` that knows a term decides, and the examples of a taught name are added.
    """

    def __init__(self, files: SearchFiles, sources: EvidenceSources):
        """Use a version's files and its sources of evidence."""
        self._sources = sources
        self._images = files.manifest.images
        self._lexicon = files.lexicon
        self.noise = NOISE_RELEVANCE if sources.sentences else files.for_words.manifest.noise_floor
        self._text, self._taught = sources.text, sources.taught
        self._has_sentences = sources.sentences is not None
        self._expand = lru_cache(_TERMS)(partial(expand, lexicon=files.lexicon, words=files.words))
        self._expand_known = lru_cache(_TERMS)(self._expand_or_take_as_name)

    def visual_only(self, term: Term) -> TermGroup:
        """Return the group of a term without alternatives, whatever is written.

        Raises:
            QueryError: no source knows it.
        """
        return self.group(term, (self.expand(term.text),))

    def group(self, term: Term, expanded: tuple[ExpandedTerm, ...]) -> TermGroup:
        """Return the group of a term.

        Args:
            term: the term.
            expanded: what `expand` returns for each of its `texts`.
        """
        names = [self._taught.state.find(each) for each in term.texts]
        return self._taught_group(term, expanded, names) if any(names) else self._visual_group(term, expanded)

    def expand(self, text: str) -> ExpandedTerm:
        """Return a word or phrase with the classes that it stands for.

        Raises:
            QueryError: no source knows it.
        """
        if self._has_sentences:
            name = self._lexicon.singular(text) or text.lower()
            return _unexpanded(name if name in self._sources.labels else text)
        is_known = text.lower() in self._sources.labels or self._taught.state.find(text) is not None
        expanded = self._expand_known(text) if is_known else self._expand(text)
        return replace(expanded, certainty=1, ceiling=1) if self._source(expanded).is_certain else expanded

    def with_regions(self, group: TermGroup) -> TermGroup:
        """Return a group with a relevance that also counts regions, if it is wanted and its terms name classes."""
        if group.weight < 0 or group.ceiling < 1:
            return group
        relevance = group.relevance
        for each in group.expanded:
            found = self._source(each).relevance_in_regions(each)
            if found is not None:
                share = group.class_share * each.ceiling / group.ceiling
                scaled = found * np.float32(share / max(1, found.max(initial=0)))
                relevance = np.maximum(relevance, scaled)
        return replace(group, relevance=relevance)

    def _visual_group(self, term: Term, expanded: tuple[ExpandedTerm, ...]) -> TermGroup:
        """Return the group of a term by the evidence that images give themselves."""
        ceiling = max(each.ceiling for each in expanded)
        found = [self._source(each).relevance(each) for each in expanded]
        shown = False
        for place, each in enumerate(expanded):
            peak = float(found[place].max(initial=0))
            shown |= peak_relevance(peak, each.certainty) > self.noise
            factor = np.float32(each.ceiling / ceiling / max(1, peak))
            if factor != 1:
                found[place] = found[place] * factor
        relevance = found[0] if len(found) == 1 else np.maximum.reduce(found)
        certainty = max(each.certainty for each in expanded)
        return TermGroup(term, expanded, relevance, term.weight * certainty, ceiling, shown)

    def _taught_group(
        self, term: Term, expanded: Sequence[ExpandedTerm], names: Sequence[TaughtName | None]
    ) -> TermGroup:
        """Return the group of a term that has a taught name among its alternatives."""
        relevance = np.zeros(self._images, np.float32)
        shown, shares = False, []
        text: NDArray[np.float32] | None = None
        for each, name, typed in zip(expanded, names, term.texts, strict=True):
            known = name is None or each.classes.any() or self._source(each).is_certain
            found = self._source(each).relevance(each) if known else None
            if found is not None:
                peak = float(found.max(initial=0))
                certain = peak_relevance(peak, each.certainty) > self.noise
                found = found * np.float32(each.ceiling / max(1, peak))
            if name is None:
                shown |= found is not None and certain
            else:
                pseudo = self._pseudo_examples(each)
                written = None
                if found is None or each.ceiling < 1:
                    written = self._text.images_with_any(replace(term, text=typed, alternatives=()))
                if written:
                    # Without examples, text would decide about this word.
                    text = written.relevance(self._images, ALONE)
                    found, pseudo = text, PSEUDO_WRITTEN
                found, share = self._taught.relevance(name, found, pseudo, each.term)
                shown |= bool(found.max(initial=0) >= SHOWN)
                shares.append(0.0 if written else share)
            if found is not None:
                relevance = found if len(expanded) == 1 else np.maximum(relevance, found)
        return TermGroup(term, tuple(expanded), relevance, term.weight, 1, shown, min(shares), text)

    def _pseudo_examples(self, term: ExpandedTerm) -> float:
        """Return the number of examples that other evidence for a term counts as."""
        if self._source(term).is_certain:
            return PSEUDO_CERTAIN
        return PSEUDO_NAMED if term.ceiling == 1 else PSEUDO_GUESSED

    def _source(self, term: ExpandedTerm) -> VisualEvidence:
        """Return the first source of evidence that knows a term. The last source knows every term."""
        return next(source for source in self._sources.visual if source.knows(term))

    def _expand_or_take_as_name(self, text: str) -> ExpandedTerm:
        """Return an expanded term, without classes if neither the lexicon nor the word vectors know it."""
        try:
            return self._expand(text)
        except QueryError:
            return _unexpanded(text)


def _unexpanded(text: str) -> ExpandedTerm:
    """Return a term that stands for no classes."""
    return ExpandedTerm(text, np.zeros(CLASSES, np.float32), 1, None, 1, 1, one_kind=True)
