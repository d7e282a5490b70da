"""Find which images show a term of a query (`visual_groups.py`) or have it in their text (`text.py`)."""

from dataclasses import replace

import numpy as np

from findimg.errors import QueryError, UnknownWordError
from findimg.search.evidence.descriptions import depicted_thing
from findimg.search.evidence.sources import EvidenceSources
from findimg.search.evidence.term_group import TermGroup, name_different_things
from findimg.search.evidence.text import ALONE, BESIDE, FoundText
from findimg.search.evidence.visual_groups import VisualGroups
from findimg.search.query import Term
from findimg.search.search_files import SearchFiles
from findimg.text.lexicon import FILLERS
from findimg.text.spelling import did_you_mean
from findimg.text.tokens import fold_words

_BESIDE_QUOTED = 0.75  # factor of what images show beside texts that have a quoted phrase
_BESIDE_WORDING = 0.35  # the same for several words. Even reranked it is below the relevance of misread text.


class EvidenceFinder:
    """Finds the relevance of every image for each term of a query. Several threads may use it at the same time.

    `VisualGroups` says what images show. Text is added to that here, or decides alone.
    """

    def __init__(self, files: SearchFiles, sources: EvidenceSources, visual: VisualGroups):
        """Use a version.

        Args:
            files: of the version.
            sources: its sources of evidence.
            visual: finds what images show.
        """
        self._visual = visual
        self._images = files.manifest.images
        self._lexicon = files.lexicon
        self._labels = sources.labels
        self._text, self._taught = sources.text, sources.taught
        self._has_sentences = sources.sentences is not None

    def groups(self, term: Term) -> list[TermGroup]:
        """Return a term's group. A phrase that nobody quoted and nothing shows is split: `car wheel`.

        A sentence that nothing shows is split if every word of it is written somewhere: `Acme invoice 2024`.
        """
        group = self._group(term)
        parts = term.text.split()
        if group.shown or term.phrase or term.alternatives or len(parts) == 1 or term.weight < 0:
            return [group]
        if self._has_sentences:
            words = [Term(part) for part in parts if part.lower() not in FILLERS]
            written = [(word, self._text.images_with_any(word)) for word in words]
            return [self._text_group(*each) for each in written] if all(found for _, found in written) else [group]
        split = [self._group(Term(part)) for part in parts if part in self._lexicon]
        return split if any(part.shown for part in split) else [group]

    def _group(self, term: Term) -> TermGroup:
        if term.text_kind or any(other.text_kind for other in term.alternatives):
            return self._group_of_text_kinds(term)
        is_taught = any(self._taught.state.find(each) for each in term.texts)
        if not is_taught and self._is_wording(term):
            return self._with_thing(self._text_group(term, self._text.images_with_any(term, forgiving=True)))
        try:
            expanded = tuple(self._visual.expand(each) for each in term.texts)
        except QueryError:
            found = self._text.images_with_any(term) or self._text.images_with_any(term, forgiving=True)
            # A number or a code is no misspelt word.
            if found or (self._text.available and any(map(str.isdigit, term.text))):
                return self._text_group(term, found)
            if longer := self._text.beginning_with(term.text):
                raise UnknownWordError(f"The word {term.text!r} is unknown.{did_you_mean(longer)}") from None
            raise
        group = self._visual.group(term, expanded)
        is_quoted = term.phrase and not term.only_name
        if is_taught and group.shown and not is_quoted:
            return group
        return self._with_text(group)

    def _is_wording(self, term: Term) -> bool:
        """Return whether a quoted phrase is no name of a thing, so that texts decide about it.

        An image–text encoder finds images for any phrase. With one, a phrase is no name if it is written somewhere and
        its last word is no visible noun: `error 500`, but not `people at the beach`.
        """
        if not (self._text.available and term.phrase) or term.alternatives:
            return False
        if self._has_sentences:
            return not self._lexicon.senses(term.text.rpartition(" ")[2]) and bool(self._text.images_with_any(term))
        if len(fold_words(term.typed or term.text)) == 1:
            return False
        return term.text.lower() not in self._labels and not self._lexicon.senses(term.text)

    def _text_group(self, term: Term, found: FoundText) -> TermGroup:
        """Return the group of a term that only texts can have."""
        text = found.relevance(self._images, ALONE)
        required = term.phrase and bool(found)
        return TermGroup(
            term, (), text, term.weight, 1, bool(found), text_relevance=text, by_text=True, required=required
        )

    def _with_thing(self, group: TermGroup) -> TermGroup:
        """Return the group of a wanted phrase with the images of the thing that it describes, behind those with text.

        An image–text encoder is not asked, because it finds images for any wording.
        """
        if self._has_sentences or group.weight < 0:
            return group
        try:
            parts = self._lexicon.join_phrases(group.term.text.split(), self._labels)
            groups = [self._visual.visual_only(Term(part)) for part in parts]
        except QueryError:
            return group
        if name_different_things(groups):
            groups = [self._visual.with_regions(each) for each in groups]
        thing = depicted_thing(groups, self._visual.noise)
        if thing is None:
            return group
        relevance = np.maximum(group.relevance, thing * np.float32(_BESIDE_WORDING)) if group.shown else thing
        return replace(group, relevance=relevance, shown=True)

    def _group_of_text_kinds(self, term: Term) -> TermGroup:
        """Return the group of a term with `text:` or `caption:`, or with such an alternative."""
        relevance = np.zeros(self._images, np.float32)
        is_text = True
        for each in (replace(term, alternatives=()), *term.alternatives):
            if each.text_kind:
                found = self._text.images_with(each, forgiving=True).relevance(self._images, ALONE)
            else:
                found, is_text = self._group(each).relevance, False
            relevance = np.maximum(relevance, found)
        shown = bool(relevance.any())
        return TermGroup(
            term, (), relevance, term.weight, 1, shown, text_relevance=relevance, by_text=True, required=is_text
        )

    def _with_text(self, group: TermGroup) -> TermGroup:
        """Return a group with a relevance that also counts text."""
        term = group.term
        is_named = group.shown and group.ceiling == 1
        found = self._text.images_with_any(term, forgiving=term.phrase)
        if not found and not is_named:
            found = self._text.images_with_any(term, forgiving=True)
        if not found:
            return group
        if is_named and not term.phrase:
            text = found.relevance(self._images, BESIDE)
            return replace(group, relevance=found.add_to(group.relevance, text), text_relevance=text)
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
            text_relevance=text,
            by_text=True,
            guess=guess,
        )
