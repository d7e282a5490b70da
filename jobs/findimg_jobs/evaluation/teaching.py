"""Measure what teaching would bring: precision after some random examples of each label."""

from collections.abc import Mapping, Sequence

import numpy as np

from findimg.errors import QueryError
from findimg.search.query import Query, Term
from findimg.search.searcher import Searcher
from findimg.search.taught.examples import indexed_example
from findimg.taught.events import ExampleEvent
from findimg.taught.state import MOST_EXAMPLES, NOTHING_TAUGHT, merge
from findimg_jobs.evaluation.figures import TaughtFigures
from findimg_jobs.evaluation.metrics import TOP, precision_by_k

_COUNTS = (1, 2, 3, 5, 10, 20, 50, 100, MOST_EXAMPLES)
_ROUNDS = 5  # random choices of examples
_SEED = 2026


def measure_teaching(
    searcher: Searcher, label_of: Mapping[int, str], most: int, notes: list[str]
) -> tuple[TaughtFigures, ...]:
    """Return precision@10 for labels as queries without teaching, and after 1 to `most` random examples of each label.

    Examples do not count as hits. Each label is taught alone. The same labels are measured for every number.

    Args:
        searcher: of the version. Its taught names are replaced and forgotten.
        label_of: label of each labelled image, by item.
        most: number of examples, at least 1.
        notes: remarks are added.
    """
    items: dict[str, list[int]] = {}
    for item, label in label_of.items():
        items.setdefault(label, []).append(item)
    measured = {label: found for label, found in items.items() if len(found) > most}
    if len(measured) < len(items):
        notes.append(f"Teaching was measured on {len(measured)} labels. The others have at most {most} images.")
    if not measured:
        return ()
    random = np.random.default_rng(_SEED)
    figures = []
    for count in [0, *(each for each in _COUNTS if each < most), most]:
        rounds = [
            [
                _precision(searcher, label, label_of, random.permutation(found)[:count].tolist())
                for label, found in measured.items()
            ]
            for _ in range(_ROUNDS if count else 1)
        ]
        means = np.mean(rounds, axis=1)
        figures.append(TaughtFigures(count, float(means.mean()), float(means.std()), len(measured), len(rounds)))
    searcher.use_taught(NOTHING_TAUGHT)
    return tuple(figures)


def _precision(searcher: Searcher, label: str, label_of: Mapping[int, str], examples: Sequence[int]) -> float:
    events = [
        ExampleEvent(f"{number:06}", "", "evaluate", "", label, True, indexed_example(searcher, item))
        for number, item in enumerate(examples)
    ]
    searcher.use_taught(merge(events))
    # Do not parse the label: a minus or a colon in a folder's name is not query syntax.
    query = Query(label, tuple(Term(word) for word in label.split()))
    try:
        hits = searcher.find(query, 2 * TOP + len(examples)).hits
    except QueryError:
        hits = []
    right = [label_of[hit.item] == label for hit in hits if hit.item in label_of and hit.item not in examples]
    relevant = sum(each == label for each in label_of.values()) - len(examples)
    return precision_by_k(np.asarray(right[:TOP], np.bool_), relevant)[-1]
