"""The result of an evaluation, and its parts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from findimg.terminal import counted
from findimg_jobs.evaluation.metrics import JudgedAnswer, Ranking, rank, rounded


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
        shares = {"recall@10": rounded(self.measured), "stated": rounded(self.stated)}
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
            "precision@10": self.text and rounded(self.text.precision[-1]),
            "average_precision": self.text and rounded(self.text.average),
            "similar_precision@10": similar and rounded(similar.precision[-1]),
            "tag_hit@1": self.tags and rounded(self.tags.first),
            "tag_hit@5": self.tags and rounded(self.tags.among_five),
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
        shares = {"precision@10": rounded(self.precision), "spread": rounded(self.spread)}
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
            "precision@1": self.text and rounded(self.text.precision[0]),
            "precision@10": self.text and rounded(self.text.precision[-1]),
            "map": self.text and rounded(self.text.mean_average_precision),
            "similar_precision@10": self.similar and rounded(self.similar.precision[-1]),
            "tag_hit@1": self.tags and rounded(self.tags.first),
            "tag_hit@5": self.tags and rounded(self.tags.among_five),
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
                "hit@1": rounded(self.tags.first),
                "hit@5": rounded(self.tags.among_five),
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

    def rankings(self) -> Iterator[tuple[str, Ranking]]:
        """Yield every measured ranking with its title."""
        parts = [("Text → image", self.text), ("Image → image", self.similar)]
        for each in self.heads:
            parts.append((f"{each.head} alone", each.all))
            parts.append((f"{each.head} alone, labels trained on", each.seen))
            parts.append((f"{each.head} alone, other labels", each.unseen))
        yield from ((name, ranking) for name, ranking in parts if ranking)
