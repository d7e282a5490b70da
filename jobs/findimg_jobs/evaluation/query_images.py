"""Labelled images that are used as queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from findimg.search.image_features import ImageFeatures

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True, eq=False)
class QueryImage:
    """A labelled image that is used as a query."""

    uri: str
    label: str
    item: int
    features: ImageFeatures


def evenly(sequence: Sequence[_Item], most: int) -> list[_Item]:
    """Return at most `most` items in even steps, from the first to the last."""
    places = np.linspace(0, len(sequence) - 1, min(len(sequence), most)).round().astype(int)
    return [sequence[place] for place in places]
