"""Precision and average precision of one ranking, and their means over several."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from findimg.search.answers.results import Hit

TOP = 10  # judged hits of a query


def precision_by_k(right: NDArray[np.bool_], relevant: int) -> tuple[float, ...]:
    """Return precision@1 to precision@TOP of one ranking.

    Precision@k is the number of correct hits among the first k, divided by min(k, relevant).

    Args:
        right: bool[m], best first. Missing hits count as wrong.
        relevant: number of correct images in all, at least 1.
    """
    found = np.zeros(TOP)
    found[: len(right)] = right[:TOP]
    return tuple((np.cumsum(found) / np.minimum(np.arange(1, TOP + 1), relevant)).tolist())


def average_precision(right: NDArray[np.bool_], relevant: int) -> float:
    """Return the average precision: the mean precision at the place of each correct image, 0 for one not found.

    Args:
        right: bool[m], best first.
        relevant: number of correct images in all, at least 1.

    Source: Manning, Raghavan & Schütze, Introduction to Information Retrieval, 2008, section 8.4.
    """
    places = np.flatnonzero(right) + 1
    return float(np.sum(np.arange(1, len(places) + 1) / places) / relevant)


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """One query and the correctness of its answer."""

    query: str  # a label, or an image's URI
    label: str  # label of correct hits
    precision: tuple[float, ...]  # at 1 to TOP
    average: float | None  # average precision, None where only the first hits are known
    hits: tuple[tuple[Hit, str | None], ...] = ()  # the first TOP hits, each with its label if it has one
    thumbnail: str | None = None  # key of the query image's thumbnail in the library


@dataclass(frozen=True, slots=True)
class Ranking:
    """Mean figures over several queries."""

    queries: int
    precision: tuple[float, ...]  # at 1 to TOP
    mean_average_precision: float | None

    def as_dict(self) -> dict[str, float | None]:
        """Return the figures for JSON."""
        shares = {f"precision@{k}": rounded(self.precision[k - 1]) for k in (1, 5, TOP)}
        return {**shares, "map": rounded(self.mean_average_precision), "queries": self.queries}


def rank(answers: Sequence[JudgedAnswer]) -> Ranking | None:
    """Return the means over `answers`, None without answers."""
    if not answers:
        return None
    averages = [each.average for each in answers if each.average is not None]
    return Ranking(
        len(answers),
        tuple(np.mean([each.precision for each in answers], axis=0).tolist()),
        float(np.mean(averages)) if averages else None,
    )


def rounded(value: float | None) -> float | None:
    """Return a figure with four digits after the point, for JSON."""
    return None if value is None else round(value, 4)
