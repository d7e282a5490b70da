"""Evaluations: how well a version answers, judged on labelled images, as figures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from shared.search import Hit

TOP = 10  # hits that a query is judged by
_TOLD = (1, 5, TOP)


def precision_by_k(right: NDArray[np.bool_], relevant: int) -> tuple[float, ...]:
    """Returns precision@1 to precision@TOP of one ranking.

    Precision@k is the share of right ones among the first k, out of as many as there can be: min(k, relevant).

    Args:
        right: bool[m], best first; a hit that is not there is not right.
        relevant: how many right ones there are in all, at least 1.
    """
    found = np.zeros(TOP)
    found[: len(right)] = right[:TOP]
    return tuple((np.cumsum(found) / np.minimum(np.arange(1, TOP + 1), relevant)).tolist())


def average_precision(right: NDArray[np.bool_], relevant: int) -> float:
    """Returns the mean, over all right images, of the precision at the place of each; 0 for one that was not found.

    Args:
        right: bool[m], best first.
        relevant: how many right ones there are in all, at least 1.

    Source: Manning, Raghavan & Schütze, Introduction to Information Retrieval, 2008, section 8.4.
    """
    places = np.flatnonzero(right) + 1
    return float(np.sum(np.arange(1, len(places) + 1) / places) / relevant)


@dataclass(frozen=True, slots=True)
class Answered:
    """One query and how right its answer is."""

    query: str  # a label's words, or an image's URI
    label: str  # what is right
    precision: tuple[float, ...]  # at 1 to TOP
    average: float | None  # average precision; None where only the first hits were asked for
    hits: tuple[Hit, ...] = ()  # the first TOP, as a person gets them
    marks: tuple[bool | None, ...] = ()  # of each hit: right, wrong, or None when it carries no label


@dataclass(frozen=True, slots=True)
class Ranking:
    """How right the answers to several queries are: means over them."""

    queries: int
    precision: tuple[float, ...]  # at 1 to TOP
    mean_average_precision: float | None

    def as_dict(self) -> dict[str, float | int]:
        """For JSON."""
        told: dict[str, float | int] = {"queries": self.queries}
        told |= {f"precision@{k}": _rounded(self.precision[k - 1]) for k in _TOLD}
        if self.mean_average_precision is not None:
            told["map"] = _rounded(self.mean_average_precision)
        return told


def rank(answers: Sequence[Answered]) -> Ranking | None:
    """Returns the means over `answers`; None when there are none."""
    if not answers:
        return None
    averages = [each.average for each in answers if each.average is not None]
    return Ranking(
        len(answers),
        tuple(np.mean([each.precision for each in answers], axis=0).tolist()),
        float(np.mean(averages)) if averages else None,
    )


@dataclass(frozen=True, slots=True)
class TagHits:
    """How often an image's tags name what it shows: means over images."""

    images: int
    first: float  # share of images whose first tag is right
    among_five: float  # share with a right one among the first five

    def as_dict(self) -> dict[str, float | int]:
        """For JSON."""
        return {"images": self.images, "hit@1": _rounded(self.first), "hit@5": _rounded(self.among_five)}


@dataclass(frozen=True, slots=True)
class IndexRecall:
    """The share of the exact 10 nearest that an Annoy index finds."""

    index: str
    stated: float  # in the manifest
    measured: float  # now, with other queries
    queries: int

    def as_dict(self) -> dict[str, float | int | str]:
        """For JSON."""
        return {
            "index": self.index,
            "recall@10": _rounded(self.measured),
            "stated": _rounded(self.stated),
            "queries": self.queries,
        }


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """How well a head alone finds labels: images in the order of their joint embeddings' cosines to the label."""

    head: str
    all: Ranking | None
    seen: Ranking | None  # labels that some head here was trained on; None when none was
    unseen: Ranking | None  # the others

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        parts = {"all": self.all, "seen": self.seen, "unseen": self.unseen}
        return {"head": self.head} | {name: part.as_dict() if part else None for name, part in parts.items()}


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """What was measured for one label; None for what this version cannot do."""

    label: str
    images: int
    text: Answered | None  # the label's words as a query
    similar: tuple[Answered, ...]  # its images as queries
    tags: TagHits | None

    def worth(self) -> tuple[float, float]:
        """Sorts labels, worst first."""
        if self.text:
            return self.text.precision[-1], self.text.average or 0
        similar = rank(self.similar)
        return (similar.precision[-1] if similar else 1.0), 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        similar = rank(self.similar)
        return {
            "label": self.label,
            "images": self.images,
            "precision@10": _rounded(self.text.precision[-1]) if self.text else None,
            "average_precision": _rounded(self.text.average) if self.text else None,
            "similar_precision@10": _rounded(similar.precision[-1]) if similar else None,
            "tag_hit@1": _rounded(self.tags.first) if self.tags else None,
            "tag_hit@5": _rounded(self.tags.among_five) if self.tags else None,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `findimg-jobs evaluate` measured; None for what the version cannot do."""

    library: str
    version: str
    backbone: str
    words: str
    head: str
    images: int  # labelled and indexed
    text: Ranking | None
    similar: Ranking | None
    tags: TagHits | None
    indexes: tuple[IndexRecall, ...]
    heads: tuple[HeadFigures, ...]
    labels: tuple[LabelFigures, ...]  # worst first
    notes: tuple[str, ...]  # what the figures leave out, and why
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """What `evaluate --json` prints."""
        return {
            "library": self.library,
            "version": self.version,
            "backbone": self.backbone,
            "words": self.words,
            "head": self.head,
            "images": self.images,
            "labels": len(self.labels),
            "text": self.text and self.text.as_dict(),
            "similar": self.similar and self.similar.as_dict(),
            "tags": self.tags and self.tags.as_dict(),
            "recall": [each.as_dict() for each in self.indexes],
            "heads": [each.as_dict() for each in self.heads],
            "per_label": [each.as_dict() for each in self.labels],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    def rankings(self) -> Iterator[tuple[str, Ranking]]:
        """Yields every ranking that was measured, with a name for a person."""
        parts = [("Text → image", self.text), ("Image → image", self.similar)]
        for each in self.heads:
            parts.append((f"{each.head} alone", each.all))
            parts.append((f"{each.head} alone, labels seen in training", each.seen))
            parts.append((f"{each.head} alone, labels never seen", each.unseen))
        yield from ((name, ranking) for name, ranking in parts if ranking)

    def tables(self) -> Iterator[Table]:
        """Yields the figures as tables for a terminal."""
        table = Table("", *(f"precision@{k}" for k in _TOLD), "mAP", "Queries", box=None)
        for name, ranking in self.rankings():
            figures = [figure(ranking.precision[k - 1]) for k in _TOLD]
            table.add_row(name, *figures, figure(ranking.mean_average_precision), str(ranking.queries))
        yield table
        if self.tags:
            table = Table("", "hit@1", "hit@5", "Images", box=None)
            table.add_row("Tags", figure(self.tags.first), figure(self.tags.among_five), str(self.tags.images))
            yield table
        table = Table("Index", "recall@10", "as published", "Queries", box=None)
        for each in self.indexes:
            table.add_row(each.index, figure(each.measured), figure(each.stated), str(each.queries))
        yield table
        table = Table("Label", *LABEL_COLUMNS, box=None)
        for label in self.labels:
            table.add_row(label.label, *label_cells(label))
        yield table


LABEL_COLUMNS = ("Images", "Text precision@10", "Average precision", "Image precision@10", "Tag hit@1", "Tag hit@5")


def label_cells(label: LabelFigures) -> list[str]:
    """Returns a label's figures in the order of LABEL_COLUMNS."""
    return [each if isinstance(each, str) else figure(each) for each in _label_values(label)]


def figure(value: float | None) -> str:
    """Returns a share as a person reads it, `0.935`; a dash for what was not measured."""
    return "–" if value is None else f"{value:.3f}"


def _label_values(label: LabelFigures) -> list[str | float | None]:
    told = label.as_dict()
    return [str(label.images), *list(told.values())[2:]]


def _rounded(value: float | None) -> float:
    return round(value or 0.0, 4)
