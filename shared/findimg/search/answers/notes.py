"""Remarks of an answer: terms that no image has, and what the filters match."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from findimg.library.filters import Filters
from findimg.library.version_catalog import VersionCatalog
from findimg.search.answers.folders import nearest_folders
from findimg.search.corrections import SpellingChecker
from findimg.search.evidence.groups import TermGroup
from findimg.terminal import counted
from findimg.text.enumeration import enumerated
from findimg.text.spelling import did_you_mean

Matching = Callable[[Filters], NDArray[np.int64]]  # the images that match filters, int64[n], ascending


class Notes:
    """Writes the remarks of a version's answers."""

    def __init__(self, catalog: VersionCatalog, matching: Matching, spelling: SpellingChecker, has_sentences: bool):
        """Use a version.

        Args:
            catalog: its catalog.
            matching: returns the images that match filters.
            spelling: suggests other spellings.
            has_sentences: whether a term may be a sentence, which has no other spelling.
        """
        self._catalog = catalog
        self._matching = matching
        self._spelling = spelling
        self._has_sentences = has_sentences

    def missing(self, groups: Sequence[TermGroup]) -> str:
        """Return which terms no image has, with other spellings."""
        notes = []
        for verb, chosen in (
            ("shows", [group for group in groups if not group.is_only_text]),
            ("shows or says", [group for group in groups if group.is_only_text and not group.required]),
        ):
            terms = [each for group in chosen for each in (group.term, *group.term.alternatives)]
            if terms:
                names = [repr(each.typed or each.text) for each in terms]
                notes.append(f"Nothing here {verb} {enumerated(names, 'or')}.")
            if verb == "shows":
                words = [each.text for each in terms if self._is_word(each.text)]
                suggestions = [found for text in words for found in self._spelling.suggestions(text)]
                notes.append(did_you_mean(suggestions).strip() if suggestions else "")
        for term in (group.term for group in groups if group.required):
            texts = [repr(text) for text in term.texts]
            has = "has the caption" if term.source == "caption" else "has the written words"
            notes.append(f"No image {has} {enumerated(texts, 'or')}.")
        return " ".join(filter(None, notes))

    def of_filters(self, filters: Filters) -> str:
        """Return how many images match some filters and what dates them, empty without filters."""
        if not filters:
            return ""
        found = len(self._matching(filters))
        note = f"{found:,} of {self._catalog.images:,} images match the filters."
        if not found:
            for folder in filters.folders:
                if not len(self._matching(Filters(folders=(folder,)))):
                    return nearest_folders(folder, self._catalog.folders())
        if not filters.dated:
            return note
        by_file = self._catalog.dated_by_file(replace(filters, before=None, after=None))
        undated = self._catalog.undated()
        if by_file:
            images = "1 image has" if by_file == 1 else f"{by_file:,} images have"
            note += f" {images} no camera date, so the time of the file counts."
        return f"{note} Without any date: {counted(undated, 'image')}." if undated else note

    def _is_word(self, text: str) -> bool:
        """Return whether a term's text may be misspelt: any term, but no sentence."""
        return not (self._has_sentences and " " in text)
