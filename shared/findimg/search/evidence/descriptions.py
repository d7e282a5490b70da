"""Which images show a thing that a quoted phrase describes with several words: `"red car"`, `"coffee cup"`.

Most quoted phrases are wording, which only texts have. A phrase describes a thing if each of its words names classes
that some image shows, or says how a thing looks. Some image must show all of the classes. `"server error"` and
`"car insurance"` describe no thing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from findimg.search.evidence.term_group import TermGroup, soften_guesses
from findimg.search.scoring import combine

_ADJECTIVES = """
beige big black blue bright brown colorful colourful dark dirty empty flat furry gold golden gray green grey huge large
leather light little long metal modern narrow new old open orange pink plastic purple red round shiny short silver small
spotted square striped tall tiny vintage violet white wide wooden yellow young
"""
_LOOKS = frozenset(_ADJECTIVES.split())


def depicted_thing(groups: Sequence[TermGroup], noise: float) -> NDArray[np.float32] | None:
    """Return how well each image shows a described thing.

    Args:
        groups: the words and nouns of the phrase, in its order, by what images show.
        noise: the relevance that an image must exceed.

    Returns:
        float32[images], 0 for all images that do not show the thing. None if no image shows it, or if the phrase
        describes no thing.
    """
    named = [group for group in groups if group.term.text.lower() not in _LOOKS]
    if not named or not all(group.shown and group.ceiling == 1 for group in named):
        return None
    relevance = _of_all(named)
    relevance = np.where(relevance > noise, relevance, np.float32(0))
    if not relevance.any():
        return None
    if len(named) < len(groups):
        # Classes say little about looks. So these order the images, and leave out none.
        ordered = _of_all(soften_guesses(groups)) * (relevance > 0)
        relevance = relevance * (1 + ordered / ordered.max()) / 2
    return relevance


def _of_all(groups: Sequence[TermGroup]) -> NDArray[np.float32]:
    weights = np.asarray([group.weight for group in groups], np.float32)
    return combine(np.stack([group.relevance for group in groups]), weights)
