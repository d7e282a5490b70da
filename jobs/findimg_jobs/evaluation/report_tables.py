"""The figures of an evaluation as tables, for the terminal and the report."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from findimg.terminal import printable
from findimg_jobs.evaluation.figures import Evaluation

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


def report_tables(evaluation: Evaluation) -> Iterator[Table]:
    """Yield the figures as tables for a terminal."""
    yield _table("", RANKING_COLUMNS, [(name, ranking.as_dict()) for name, ranking in evaluation.rankings()])
    if tags := evaluation.as_dict()["tags"]:
        yield _table("", {"hit@1": "hit@1", "hit@5": "hit@5", "images": "Images"}, [("Tags", tags)])
    if evaluation.encoders:
        yield _table("Encoder alone", ENCODER_COLUMNS, [(each.encoder, each.as_dict()) for each in evaluation.encoders])
    if evaluation.taught:
        yield _table("Taught", TAUGHT_COLUMNS, [(each.title, each.as_dict()) for each in evaluation.taught])
    yield _table("Index", RECALL_COLUMNS, [(each.index, each.as_dict()) for each in evaluation.indexes])
    yield _table("Label", LABEL_COLUMNS, [(each.label, each.as_dict()) for each in evaluation.labels])
    if evaluation.encoders:
        yield _table("Label", *labels_by_encoder(evaluation))


def labels_by_encoder(evaluation: Evaluation) -> tuple[dict[str, str], list[tuple[str, dict[str, Any]]]]:
    """Return the columns and the rows of a table with each label's figures by each encoder."""
    columns = {"images": "Images"}
    rows: list[tuple[str, dict[str, Any]]] = [(each.label, {"images": each.images}) for each in evaluation.labels]
    for number, one in enumerate(evaluation.encoders):
        for key in ("precision@10", "similar_precision@10", "tag_hit@5"):
            columns[f"{key}/{number}"] = f"{LABEL_COLUMNS[key]}, {one.encoder}"
            for label, row in rows:
                row[f"{key}/{number}"] = one.labels[label].as_dict()[key]
    return columns, rows


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
