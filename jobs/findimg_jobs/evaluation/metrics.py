"""Figures of an evaluation: precision, average precision, tag hits and recall."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from findimg.search.answers.results import Hit
from findimg.terminal import counted, printable

TOP = 10  # judged hits of a query
# Column titles of the tables, by key of `as_dict`.
RANKING_COLUMNS = {
    "precision@1": "precision@1",
    "precision@5": "precision@5",
    "precision@10": "precision@10",
    "map": "mAP",
    "queries": "Queries",
}
LABEL_COLUMNS = {
    "images": "Images",
    "precision@10": "Text precision@10",
    "average_precision": "Average precision",
    "similar_precision@10": "Image precision@10",
    "tag_hit@1": "Tag hit@1",
    "tag_hit@5": "Tag hit@5",
}
ENCODER_COLUMNS = {
    "precision@1": "Text precision@1",
    "precision@10": "Text precision@10",
    "map": "Text mAP",
    "similar_precision@10": "Image precision@10",
    "tag_hit@1": "Tag hit@1",
    "tag_hit@5": "Tag hit@5",
}
TAUGHT_COLUMNS = {"precision@10": "precision@10", "spread": "Spread", "labels": "Labels", "rounds": "Rounds"}
RECALL_COLUMNS = {"recall@10": "recall@10", "stated": "As published", "queries": "Queries"}


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
        shares = {f"precision@{k}": _rounded(self.precision[k - 1]) for k in (1, 5, TOP)}
        return {**shares, "map": _rounded(self.mean_average_precision), "queries": self.queries}


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


@dataclass(frozen=True, slots=True)
class TagHits:
    """Share of images with correct tags."""

    images: int
    first: float  # share of images with a correct first tag
    among_five: float  # share of images with a correct tag among the first five


@dataclass(frozen=True, slots=True)
class IndexRecall:
    """Share of the exact 10 nearest neighbours that an index finds."""

    index: str
    stated: float  # in the manifest
    measured: float  # in this evaluation, with other queries
    queries: int

    def as_dict(self) -> dict[str, str | float | None]:
        """Return the figures for JSON."""
        shares = {"recall@10": _rounded(self.measured), "stated": _rounded(self.stated)}
        return {"index": self.index, **shares, "queries": self.queries}


@dataclass(frozen=True, slots=True)
class HeadFigures:
    """Figures of a head alone: images ranked by the cosine of their joint embedding to the label."""

    head: str
    all: Ranking | None
    seen: Ranking | None  # labels that the head was trained on, None for an untrained head
    unseen: Ranking | None  # other labels, None for an untrained head

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        parts = {"all": self.all, "seen": self.seen, "unseen": self.unseen}
        return {"head": self.head} | {name: part and part.as_dict() for name, part in parts.items()}


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """Figures of one label. None for features that the version lacks."""

    label: str
    images: int
    text: JudgedAnswer | None  # the label as a query
    similar: tuple[JudgedAnswer, ...]  # its images as queries
    tags: TagHits | None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        similar = rank(self.similar)
        return {
            "label": self.label,
            "images": self.images,
            "precision@10": self.text and _rounded(self.text.precision[-1]),
            "average_precision": self.text and _rounded(self.text.average),
            "similar_precision@10": similar and _rounded(similar.precision[-1]),
            "tag_hit@1": self.tags and _rounded(self.tags.first),
            "tag_hit@5": self.tags and _rounded(self.tags.among_five),
        }


@dataclass(frozen=True, slots=True)
class TaughtFigures:
    """Precision for labels as queries, after some random examples of each label."""

    examples: int  # of each label; 0 without teaching
    precision: float  # precision@10, mean of all labels and rounds
    spread: float  # standard deviation of the rounds' means
    labels: int
    rounds: int  # random choices of examples

    @property
    def title(self) -> str:
        """Return what the figures are about."""
        if not self.examples:
            return "No examples"
        return counted(self.examples, "example")

    def as_dict(self) -> dict[str, float | None]:
        """Return the figures for JSON."""
        shares = {"precision@10": _rounded(self.precision), "spread": _rounded(self.spread)}
        return {"examples": self.examples, **shares, "labels": self.labels, "rounds": self.rounds}


@dataclass(frozen=True, slots=True)
class EncoderFigures:
    """Figures of one of two encoders, as if the library had no other. None for features that the encoder lacks."""

    encoder: str
    text: Ranking | None
    similar: Ranking | None
    tags: TagHits | None
    labels: Mapping[str, LabelFigures]  # by label

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        return {
            "encoder": self.encoder,
            "precision@1": self.text and _rounded(self.text.precision[0]),
            "precision@10": self.text and _rounded(self.text.precision[-1]),
            "map": self.text and _rounded(self.text.mean_average_precision),
            "similar_precision@10": self.similar and _rounded(self.similar.precision[-1]),
            "tag_hit@1": self.tags and _rounded(self.tags.first),
            "tag_hit@5": self.tags and _rounded(self.tags.among_five),
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of `findimg-jobs evaluate`. None for features that the version lacks."""

    library: str
    version: str
    backbone: str
    words: str
    head: str
    images: int  # labelled and indexed
    not_indexed: int  # labelled but not indexed, so not judged
    text: Ranking | None
    similar: Ranking | None
    tags: TagHits | None
    indexes: tuple[IndexRecall, ...]
    heads: tuple[HeadFigures, ...]
    labels: tuple[LabelFigures, ...]  # worst first
    notes: tuple[str, ...]  # remarks on the figures
    seconds: float
    taught: tuple[TaughtFigures, ...] = ()  # by number of examples; empty unless asked for
    encoders: tuple[EncoderFigures, ...] = ()  # of each encoder alone; empty if the library has one encoder

    def as_dict(self) -> dict[str, Any]:
        """Return the result as `evaluate --json` prints it."""
        return {
            "library": self.library,
            "version": self.version,
            "backbone": self.backbone,
            "words": self.words,
            "head": self.head,
            "images": self.images,
            "not_indexed": self.not_indexed,
            "labels": len(self.labels),
            "text": self.text and self.text.as_dict(),
            "similar": self.similar and self.similar.as_dict(),
            "tags": self.tags
            and {
                "hit@1": _rounded(self.tags.first),
                "hit@5": _rounded(self.tags.among_five),
                "images": self.tags.images,
            },
            "recall": [each.as_dict() for each in self.indexes],
            "heads": [each.as_dict() for each in self.heads],
            "taught": [each.as_dict() for each in self.taught],
            "encoders": [each.as_dict() for each in self.encoders],
            "per_label": [each.as_dict() for each in self.labels],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }

    def lines(self) -> list[str]:
        """Return the summary and the notes as lines of text."""
        left_out = f". {self.not_indexed:,} more are not indexed and not judged" if self.not_indexed else ""
        names = " and ".join(each.encoder for each in self.encoders)
        together = [f"The library has the encoders {names}. Their figures alone follow those of the version."]
        return [
            f"Version {self.version}: {self.backbone}, head {self.head or 'none'}, words {self.words}.",
            f"Judged on {self.images:,} images in {len(self.labels):,} labels, in {self.seconds:.0f} s{left_out}.",
            *(together if self.encoders else []),
            *self.notes,
        ]

    def labels_by_encoder(self) -> tuple[dict[str, str], list[tuple[str, dict[str, Any]]]]:
        """Return the columns and the rows of a table with each label's figures by each encoder."""
        columns = {"images": "Images"}
        rows: list[tuple[str, dict[str, Any]]] = [(each.label, {"images": each.images}) for each in self.labels]
        for number, one in enumerate(self.encoders):
            for key in ("precision@10", "similar_precision@10", "tag_hit@5"):
                columns[f"{key}/{number}"] = f"{LABEL_COLUMNS[key]}, {one.encoder}"
                for label, row in rows:
                    row[f"{key}/{number}"] = one.labels[label].as_dict()[key]
        return columns, rows

    def rankings(self) -> Iterator[tuple[str, Ranking]]:
        """Yield every measured ranking with its title."""
        parts = [("Text → image", self.text), ("Image → image", self.similar)]
        for each in self.heads:
            parts.append((f"{each.head} alone", each.all))
            parts.append((f"{each.head} alone, labels trained on", each.seen))
            parts.append((f"{each.head} alone, other labels", each.unseen))
        yield from ((name, ranking) for name, ranking in parts if ranking)

    def tables(self) -> Iterator[Table]:
        """Yield the figures as tables for a terminal."""
        yield _table("", RANKING_COLUMNS, [(name, ranking.as_dict()) for name, ranking in self.rankings()])
        if tags := self.as_dict()["tags"]:
            yield _table("", {"hit@1": "hit@1", "hit@5": "hit@5", "images": "Images"}, [("Tags", tags)])
        if self.encoders:
            yield _table("Encoder alone", ENCODER_COLUMNS, [(each.encoder, each.as_dict()) for each in self.encoders])
        if self.taught:
            yield _table("Taught", TAUGHT_COLUMNS, [(each.title, each.as_dict()) for each in self.taught])
        yield _table("Index", RECALL_COLUMNS, [(each.index, each.as_dict()) for each in self.indexes])
        yield _table("Label", LABEL_COLUMNS, [(each.label, each.as_dict()) for each in self.labels])
        if self.encoders:
            yield _table("Label", *self.labels_by_encoder())


def figure(value: float | None) -> str:
    """Return a figure as text: a share as `0.935`, a count as it is, a dash for None."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _table(title: str, columns: Mapping[str, str], rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    table = Table(title, box=None)
    for column in columns.values():
        table.add_column(column, justify="right")
    for name, figures in rows:
        # Text, because rich would read a label in square brackets as markup.
        table.add_row(Text(printable(name)), *(figure(figures[key]) for key in columns))
    return table


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
