"""Test the figures of an evaluation with cases computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from findimg_jobs.evaluation.figures import Evaluation, IndexRecall, LabelFigures, TagHits
from findimg_jobs.evaluation.metrics import JudgedAnswer, average_precision, precision_by_k, rank
from findimg_jobs.evaluation.report_tables import report_tables


def booleans(text: str) -> np.ndarray:
    return np.array([letter == "r" for letter in text], np.bool_)


@pytest.mark.parametrize(
    ("right", "relevant", "expected"),
    [
        ("rrrrrrrrrr", 50, [1.0] * 10),
        ("wrwr", 50, [0, 1 / 2, 1 / 3, 2 / 4, 2 / 5, 2 / 6, 2 / 7, 2 / 8, 2 / 9, 2 / 10]),
        (
            "rwrwwwwwww",
            2,
            [1, 1 / 2, *[1] * 8],
        ),  # out of the two that there are, both are found from the third place on
        ("wwwwwwwwwwr", 1, [0.0] * 10),
        ("", 3, [0.0] * 10),
    ],
)
def test_precision_is_relative_to_the_possible_hits(right: str, relevant: int, expected: list[float]) -> None:
    assert precision_by_k(booleans(right), relevant) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("right", "relevant", "expected"),
    [
        ("rrr", 3, 1),
        ("rwr", 2, (1 / 1 + 2 / 3) / 2),
        ("wwr", 1, 1 / 3),
        ("rw", 4, 1 / 4),  # three were never found
        ("", 2, 0),
    ],
)
def test_average_precision_is_the_mean_over_correct_images(right: str, relevant: int, expected: float) -> None:
    assert average_precision(booleans(right), relevant) == pytest.approx(expected)


def test_ranking_is_the_mean_over_its_queries() -> None:
    ranking = rank([JudgedAnswer("a", "a", (1.0,) * 10, 0.5), JudgedAnswer("b", "b", (0.0,) * 10, 0.25)])
    assert ranking is not None
    assert ranking.as_dict() == {
        "precision@1": 0.5,
        "precision@5": 0.5,
        "precision@10": 0.5,
        "map": 0.375,
        "queries": 2,
    }
    assert rank([]) is None


EVALUATION = Evaluation(
    library="lib",
    version="20261123T000000Z-0",
    backbone="b",
    words="w",
    head="conse",
    images=2,
    not_indexed=3,
    text=rank([JudgedAnswer("[bold]", "[bold]", (0.5,) * 10, 0.25)]),
    similar=None,
    tags=TagHits(2, 0.5, 1.0),
    indexes=(IndexRecall("visual", 0.98, 0.97, 2),),
    heads=(),
    labels=(LabelFigures("[bold]", 2, JudgedAnswer("[bold]", "[bold]", (0.5,) * 10, 0.25), (), None),),
    notes=("A note.",),
    seconds=1.0,
)


def test_missing_figures_are_null_in_json_and_a_dash_in_tables() -> None:
    figures = EVALUATION.as_dict()
    assert figures["similar"] is None
    assert figures["per_label"][0]["tag_hit@5"] is None
    assert figures["per_label"][0]["average_precision"] == 0.25
    (_, _, _, labels) = report_tables(EVALUATION)
    console = Console(width=200)
    with console.capture() as shown:
        console.print(labels)
    assert shown.get().split("\n")[1].split() == ["[bold]", "2", "0.500", "0.250", "–", "–", "–"]


def test_images_that_are_not_judged_are_reported() -> None:
    assert "3 more are not indexed and not judged" in EVALUATION.lines()[1]
    assert "not indexed" not in replace(EVALUATION, not_indexed=0).lines()[1]
    assert EVALUATION.lines()[-1] == "A note."
