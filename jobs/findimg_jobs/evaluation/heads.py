"""Measure heads alone: rank labelled images by the cosine of their joint embeddings to each label."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from findimg.heads.conse import Conse
from findimg.heads.loading import open_version_head
from findimg.index.version_files import open_items, open_joint
from findimg.library.library import Version
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors
from findimg_jobs.evaluation.figures import HeadFigures
from findimg_jobs.evaluation.metrics import JudgedAnswer, average_precision, precision_by_k, rank
from findimg_jobs.evaluation.query_images import QueryImage


def measure_heads(
    version: Version, words: WordVectors, asked: Sequence[QueryImage], notes: list[str]
) -> tuple[HeadFigures, ...]:
    """Measure the version's head, and `conse` beside a trained head."""
    manifest = version.manifest
    joint = open_joint(version, open_items(version)[0])
    if joint is None:
        return ()
    embedded = {manifest.head: joint[np.asarray([image.item for image in asked])]}
    seen = [image.features for image in asked]
    if manifest.head != "conse" and len(seen[0].classes):
        embedded["conse"] = Conse(words, open_lexicon()).embed(
            np.stack([each.visual for each in seen]),
            _filled([each.classes for each in seen]),
            _filled([each.probabilities for each in seen]),
        )
    trained = getattr(open_version_head(version, words), "labels", None)
    if trained is not None:
        notes.append(
            f"{manifest.head} may have been trained on some of these images. findimg-jobs train reports its figures on "
            "other images."
        )
    labels = [image.label for image in asked]
    return tuple(_head_figures(name, vectors, labels, words, trained) for name, vectors in embedded.items())


def _filled(rows: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return rows as one array. Shorter ones end with zeros, because improbable classes of an image are not stored."""
    filled = np.zeros((len(rows), max(map(len, rows))), rows[0].dtype)
    for place, row in enumerate(rows):
        filled[place, : len(row)] = row
    return filled


def _head_figures(
    name: str, joint: NDArray[np.float32], labels: Sequence[str], words: WordVectors, trained: Collection[str] | None
) -> HeadFigures:
    answers = {}
    shown = np.asarray(labels, np.object_)
    for label, relevant in Counter(labels).items():
        direction = words.direction(label)
        right = np.zeros(0, np.bool_)
        if direction is not None:
            right = shown[np.argsort(-(joint @ direction), kind="stable")] == label
        answers[label] = JudgedAnswer(label, label, precision_by_k(right, relevant), average_precision(right, relevant))
    if trained is None:
        return HeadFigures(name, rank(list(answers.values())), None, None)
    return HeadFigures(
        name,
        rank(list(answers.values())),
        rank([answer for label, answer in answers.items() if label in trained]),
        rank([answer for label, answer in answers.items() if label not in trained]),
    )
