"""A term of a query with its relevance for every image, and rules that compare the terms of one query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from findimg.search.query import Term
from findimg.search.scoring import FLOOR
from findimg.search.terms.expansion import ExpandedTerm

_SAME_THING = 0.7  # two terms may mean the same thing if a class has at least this weight in both
# For guesses with `TermGroup.only_orders`: they count only in images with at least this share of the best relevance for
# each named term. In all other images their relevance is SOFTENED. First hits that show the named thing as a
# good match, of 30 names with each of 26 such words (`sky`, `beach`), precision@10 of two names on 200 collages, for
# some of which one name is a guess, and lotuses among 10 hits of `flower on the water`:
#
# | | scenes | pairs | lotuses |
# |---|---|---|---|
# | any guess counts in all images, SOFTENED 0 | 0.697 | 0.578 | |
# | the same, SOFTENED 0.0025 | 0.885 | 0.556 | 9 |
# | guesses of another kind, SHOWS_NAMED 0, SOFTENED 0.1 | 0.982 | 0.556 | 0 |
# | SHOWS_NAMED 0.1 / 0.2 / 0.3 / 0.5, SOFTENED 0.0025 | 0.910 … 0.982 | 0.567, 0.561 each | 9, 8, 8, 3 |
# | chosen values | 0.972 | 0.561 | 8 |
SHOWS_NAMED = 0.4
SOFTENED = np.float32(0.0025)
RELEVANT = 0.01  # a hit below this share of the best score is noise


@dataclass(frozen=True, slots=True, eq=False)
class TermGroup:
    """A term with its alternatives, and its relevance for every image."""

    term: Term
    expanded: tuple[ExpandedTerm, ...]  # one for each alternative
    relevance: NDArray[np.float32]  # float32[images], the best of the alternatives
    weight: float  # negative for an unwanted term
    ceiling: float  # highest relevance, 1 if the term names something, less if it is a guess
    shown: bool  # whether any image shows the term
    class_share: float = 1.0  # how much classes count beside the examples of a taught name
    text_relevance: NDArray[np.float32] | None = None  # float32[images], None if no text has the term
    # Text decides which images have the term. These need not look alike, so reranking must not lower their scores.
    by_text: bool = False
    required: bool = False  # an image without the term is no hit
    guess: "TermGroup | None" = None  # the group by images alone, if that is only a guess

    @property
    def is_only_text(self) -> bool:
        """Whether nothing but text says which images have the term."""
        return self.by_text and not self.expanded

    @property
    def only_orders(self) -> bool:
        """Whether the term is a guess that is expanded to things of another kind: `beach` to sea shores and rafts.

        Such a guess must not select images, and only orders those of the named terms. See `ExpandedTerm.one_kind`.
        """
        return self.weight > 0 and self.ceiling < 1 and not any(each.one_kind for each in self.expanded)


def score_without(guessed: Sequence[TermGroup], groups: Sequence[TermGroup]) -> float:
    """Return the highest score of an image without evidence for the guessed terms.

    Of 69 measured pairs of a named and a guessed word, 16 have no image above this score. Only one of these 16 has a
    correct first hit.
    """
    total = sum(group.weight for group in groups if group.weight > 0)
    return float(1.5 * FLOOR ** (sum(group.weight for group in guessed) / total))


def soften_guesses(groups: Sequence[TermGroup]) -> list[TermGroup]:
    """Return groups in which guessed terms that are not of one kind with their classes only order the named things.

    `dog on the beach` finds dogs before images of the sea with a trace of a dog. But in `dog helicopter` an image needs
    something like a helicopter.

    Args:
        groups: at least one of them is wanted and names classes.
    """
    named = [group.relevance for group in groups if group.weight > 0 and group.ceiling == 1]
    shown = np.logical_and.reduce([each >= SHOWS_NAMED * each.max() for each in named])
    return [
        replace(group, relevance=SOFTENED + (1 - SOFTENED) * group.relevance * shown) if group.only_orders else group
        for group in groups
    ]


def without_stray_text(groups: Sequence[TermGroup]) -> list[TermGroup]:
    """Return groups without text that no image combines with the things that the query names.

    `red car` is about cars, although some file is called `red-square.jpg`.
    """
    named = [group for group in groups if group.weight > 0 and group.ceiling == 1 and not group.guess and group.shown]
    if not named:
        return list(groups)
    fits = np.logical_and.reduce([group.relevance > RELEVANT for group in named])
    return [group.guess if group.guess and _is_stray(group, fits) else group for group in groups]


def _is_stray(group: TermGroup, fits: NDArray[np.bool_]) -> bool:
    """Return whether what images show is a guess, and none of the images that fit has the text."""
    text = group.text_relevance
    return group.guess is not None and group.guess.ceiling < 1 and text is not None and not text[fits].any()


def within_text(groups: Sequence[TermGroup], within: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """Return the images that may be hits.

    These have every required term and no unwanted quoted term. If text decides about all terms, they have at least one.
    """
    wanted = [group for group in groups if group.weight > 0]
    chosen = [(group.relevance > 0) == (group.weight > 0) for group in groups if group.required]
    if wanted and all(group.is_only_text and not group.required for group in wanted):
        chosen.append(np.logical_or.reduce([group.relevance > 0 for group in wanted]))
    for fits in chosen:
        within = np.flatnonzero(fits) if within is None else within[fits[within]]
    return within


def name_different_things(groups: Sequence[TermGroup]) -> bool:
    """Return whether a query wants several things that share no class: `cat dog`, but not `dog animal` or `red dog`."""
    named = [group for group in groups if group.weight > 0 and group.ceiling == 1 and group.expanded]
    classes = [np.max([each.classes for each in group.expanded], axis=0) for group in named]
    return len(classes) > 1 and all(
        float(np.minimum(first, second).max()) < _SAME_THING for first, second in combinations(classes, 2)
    )
