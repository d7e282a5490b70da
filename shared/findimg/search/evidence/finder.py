"""Find which images show or say a term of a query, by all sources of evidence."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from findimg.errors import QueryError, UnknownWordError
from findimg.search.evidence.base import VisualEvidence
from findimg.search.evidence.descriptions import depicted_thing
from findimg.search.evidence.groups import TermGroup, name_different_things
from findimg.search.evidence.sentences import NOISE_RELEVANCE
from findimg.search.evidence.sources import EvidenceSources
from findimg.search.evidence.taught import (
    PSEUDO_GUESSED,
    PSEUDO_NAMED,
    PSEUDO_TRAINED,
    PSEUDO_WRITTEN,
    SHOWN,
)
from findimg.search.evidence.text import ALONE, BESIDE, FoundText
from findimg.search.noise_floor import peak_relevance
from findimg.search.query import Term
from findimg.search.search_files import SearchFiles
from findimg.search.terms.expansion import ExpandedTerm, expand
from findimg.taught.state import TaughtName
from findimg.text.lexicon import CLASSES, FILLERS
from findimg.text.spelling import did_you_mean
from findimg.text.tokens import fold_words

_BESIDE_QUOTED = 0.75  # factor of what images show beside texts that have a quoted phrase
_BESIDE_WORDING = 0.35  # the same for several words. Reranking raises it, but not above that of misread text.
_TERMS = 2048  # expanded terms that are kept, about 5 KB each


class EvidenceFinder:
    """Finds the relevance of every image for each term of a query. Several threads may use it at the same time.

    The first source of `EvidenceSources.visual` that knows a term says what images show. A taught name is added to
    that, and text.
    """

    def __init__(self, files: SearchFiles, sources: EvidenceSources):
        """Use a version's files and its sources of evidence."""
        self._sources = sources
        self._images = files.manifest.images
        self.noise = NOISE_RELEVANCE if sources.sentences else files.for_words.manifest.noise
        self._lexicon = files.lexicon
        self._text, self._taught = sources.text, sources.taught
        self._trained, self._sentences = sources.trained, sources.sentences
        self._expand = lru_cache(_TERMS)(partial(expand, lexicon=files.lexicon, words=files.words))
        self._expand_taught = lru_cache(_TERMS)(self._expand_or_only_name)

    def find(self, term: Term) -> list[TermGroup]:
        """Return a term's group. A phrase that nobody quoted and nothing shows is split: `car wheel`.

        A sentence that nothing shows is split if every word of it is written somewhere: `Acme invoice 2024`.
        """
        group = self._group(term)
        parts = term.text.split()
        if group.shown or term.phrase or term.alternatives or len(parts) == 1 or term.weight < 0:
            return [group]
        if self._sentences:
            words = [Term(part) for part in parts if part.lower() not in FILLERS]
            written = [(word, self._text.find_any(word)) for word in words]
            return [self._text_group(*each) for each in written] if all(found for _, found in written) else [group]
        split = [self._group(Term(part)) for part in parts if part in self._lexicon]
        return split if any(part.shown for part in split) else [group]

    def _group(self, term: Term) -> TermGroup:
        if term.source or any(other.source for other in term.alternatives):
            return self._group_of_sources(term)
        names = [self._taught.state.find(each) for each in term.texts]
        if not any(names) and self._is_wording(term):
            return self._with_thing(self._text_group(term, self._text.find_any(term, forgiving=True)))
        try:
            expanded = tuple(self._expand_term(each) for each in term.texts)
        except QueryError:
            found = self._text.find_any(term) or self._text.find_any(term, forgiving=True)
            # A number or a code is no misspelt word.
            if found or (self._text.available and any(map(str.isdigit, term.text))):
                return self._text_group(term, found)
            if longer := self._text.beginning_with(term.text):
                raise UnknownWordError(f"The word {term.text!r} is unknown.{did_you_mean(longer)}") from None
            raise
        if any(names):
            group = self._taught_group(term, expanded, names)
            is_quoted = term.phrase and not term.only_name
            return self._with_text(group) if is_quoted or not group.shown else group
        return self._with_text(self._visual_group(term, expanded))

    def _is_wording(self, term: Term) -> bool:
        """Return whether a quoted phrase is no name of a thing, so that texts decide about it.

        An image–text encoder finds images for any phrase. Then it is wording only if it is written somewhere and its
        last word is no visible noun: `error 500`, but not `people at the beach`.
        """
        if not (self._text.available and term.phrase) or term.alternatives:
            return False
        if self._sentences:
            return not self._lexicon.senses(term.text.rpartition(" ")[2]) and bool(self._text.find_any(term))
        if len(fold_words(term.typed or term.text)) == 1:
            return False
        return term.text.lower() not in self._sources.labels and not self._lexicon.senses(term.text)

    def _text_group(self, term: Term, found: FoundText) -> TermGroup:
        """Return the group of a term that only texts can have."""
        text = found.relevance(self._images, ALONE)
        required = term.phrase and bool(found)
        return TermGroup(term, (), text, term.weight, 1, bool(found), text=text, by_text=True, required=required)

    def _with_thing(self, group: TermGroup) -> TermGroup:
        """Return the group of a wanted phrase with the images of the thing that it describes, behind those with text.

        An image–text encoder is not asked, because it finds images for any wording.
        """
        if self._sentences or group.weight < 0:
            return group
        try:
            parts = self._lexicon.join_phrases(group.term.text.split(), self._sources.labels)
            groups = [self._shown_group(Term(part)) for part in parts]
        except QueryError:
            return group
        if name_different_things(groups):
            groups = [self.with_regions(each) for each in groups]
        thing = depicted_thing(groups, self.noise)
        if thing is None:
            return group
        relevance = np.maximum(group.relevance, thing * np.float32(_BESIDE_WORDING)) if group.shown else thing
        return replace(group, relevance=relevance, shown=True)

    def _shown_group(self, term: Term) -> TermGroup:
        """Return the group of a term without alternatives by what images show, whatever is written."""
        name = self._taught.state.find(term.text)
        expanded = (self._expand_term(term.text),)
        return self._taught_group(term, expanded, [name]) if name else self._visual_group(term, expanded)

    def _group_of_sources(self, term: Term) -> TermGroup:
        """Return the group of a term of which some alternative names the kind of text to look into."""
        relevance = np.zeros(self._images, np.float32)
        is_text = True
        for each in (replace(term, alternatives=()), *term.alternatives):
            if each.source:
                found = self._text.find(each, forgiving=True).relevance(self._images, ALONE)
            else:
                found, is_text = self._group(each).relevance, False
            relevance = np.maximum(relevance, found)
        shown = bool(relevance.any())
        return TermGroup(term, (), relevance, term.weight, 1, shown, text=relevance, by_text=True, required=is_text)

    def _with_text(self, group: TermGroup) -> TermGroup:
        """Return a group with a relevance that also counts text."""
        term = group.term
        is_named = group.shown and group.ceiling == 1
        found = self._text.find_any(term, forgiving=term.phrase)
        if not found and not is_named:
            found = self._text.find_any(term, forgiving=True)
        if not found:
            return group
        if is_named and not term.phrase:
            text = found.relevance(self._images, BESIDE)
            return replace(group, relevance=found.add_to(group.relevance, text), text=text)
        if not is_named and not any(self._lexicon.senses(each) for each in term.texts):
            # No image can show such a word, so the guesses of word vectors would only add noise.
            return replace(self._text_group(term, found), guess=group)
        text = found.relevance(self._images, ALONE)
        scale = np.float32(_BESIDE_QUOTED if is_named else group.ceiling)
        relevance = np.maximum(text, group.relevance * scale)
        guess = None if is_named else group
        return replace(
            group,
            relevance=relevance,
            weight=term.weight,
            ceiling=1,
            shown=True,
            text=text,
            by_text=True,
            guess=guess,
        )

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
            known = name is None or each.classes.any() or (self._trained is not None and self._trained.knows(each))
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
                    written = self._text.find_any(replace(term, text=typed, alternatives=()))
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
        if self._trained is not None and self._trained.knows(term):
            return PSEUDO_TRAINED
        return PSEUDO_NAMED if term.ceiling == 1 else PSEUDO_GUESSED

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

    def _source(self, term: ExpandedTerm) -> VisualEvidence:
        """Return the first source of evidence that knows a term. The last source knows every term."""
        return next(source for source in self._sources.visual if source.knows(term))

    def _expand_or_only_name(self, text: str) -> ExpandedTerm:
        """Return an expanded term. Only examples say what a word means that no other source knows."""
        try:
            return self._expand(text)
        except QueryError:
            return _unexpanded(text)

    def _expand_term(self, text: str) -> ExpandedTerm:
        if self._sentences:
            name = self._lexicon.singular(text) or text.lower()
            return _unexpanded(name if name in self._sources.labels else text)
        is_taught = self._taught.state.find(text) is not None
        expanded = self._expand_taught(text) if is_taught else self._expand(text)
        if self._trained and self._trained.knows(expanded):
            return replace(expanded, certainty=1, ceiling=1)
        return expanded


def _unexpanded(text: str) -> ExpandedTerm:
    """Return a term that stands for no classes."""
    return ExpandedTerm(text, np.zeros(CLASSES, np.float32), 1, None, 1, 1, one_kind=True)
