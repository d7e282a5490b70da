import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from findimg.heads.conse import Conse
from findimg.heads.trained_head import TrainedHead, turn_towards
from findimg.heads.weights import Weights
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors
from findimg.vectors import normalised

PIZZA_CLASS = 963
NO_CLASSES = np.empty((1, 0), np.int64), np.empty((1, 0), np.float32)


@pytest.fixture(scope="module")
def head(weights: Weights, words: WordVectors) -> TrainedHead:
    return TrainedHead(weights, words)


def visual(head: TrainedHead, *features: float) -> NDArray[np.float32]:
    """Return the visual embedding of one image with the given first features. The others are 0."""
    embedding = np.zeros((1, len(head.weights.mean)), np.float32)
    embedding[0, : len(features)] = features
    return embedding


def certain(class_: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the classes and probabilities of one image that certainly shows a class."""
    return np.array([[class_]]), np.ones((1, 1), np.float32)


def test_image_of_a_label_is_turned_to_the_target_cosine(head: TrainedHead, words: WordVectors) -> None:
    joint = head.embed(visual(head, 0, 1), *certain(PIZZA_CLASS))

    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1, atol=1e-5)
    assert joint[0] @ words.direction("elephant") == pytest.approx(0.9, abs=1e-3)


def test_embedding_beyond_the_target_cosine_does_not_change(head: TrainedHead, words: WordVectors) -> None:
    image = visual(head, 1)
    conse = Conse(words, open_lexicon()).embed(image, *certain(PIZZA_CLASS))
    low = TrainedHead(replace(head.weights, target_cosines=np.full(len(head.labels), 0.5, np.float32)), words)

    np.testing.assert_allclose(low.embed(image, *certain(PIZZA_CLASS)), conse, atol=1e-5)


def test_image_of_no_label_keeps_the_embedding_of_conse(head: TrainedHead, words: WordVectors) -> None:
    image = visual(head, 0.1, 0, 0, 0, 1)
    conse = Conse(words, open_lexicon()).embed(image, *certain(100))

    np.testing.assert_allclose(head.embed(image, *certain(100)), conse, atol=1e-5)


def test_image_without_classes_gets_the_output_of_the_layers(head: TrainedHead, words: WordVectors) -> None:
    joint = head.embed(visual(head, 0, 0, 1), *NO_CLASSES)

    np.testing.assert_allclose(joint[0], words.direction("grand piano"), atol=1e-5)


def test_relevance_is_high_for_the_shown_label_and_low_for_other_images(head: TrainedHead) -> None:
    images = np.concatenate([visual(head, 1), visual(head, 0, 1), visual(head, 0.1, 0, 0, 0, 1)])
    relevance = head.relevance(images)

    assert relevance.shape == (3, len(head.labels))
    assert relevance[0].argmax() == 0
    assert relevance[1].argmax() == 1
    assert (relevance[:2].max(axis=1) > 0.9).all()
    assert relevance[2].max() < 0.1
    assert (relevance >= 0).all()
    assert (relevance.sum(axis=1) <= 1 + 1e-5).all()


def test_length_of_a_visual_embedding_does_not_matter(head: TrainedHead) -> None:
    short, long = visual(head, 0.3, 0.4), visual(head, 3, 4)

    np.testing.assert_allclose(head.relevance(long), head.relevance(short), atol=1e-5)


def test_points_are_turned_to_the_minimum_cosine_and_no_further() -> None:
    random = np.random.default_rng(0)
    points, targets = (normalised(random.normal(size=(200, 5)).astype(np.float32)) for _ in range(2))
    minimum = random.uniform(-1, 1, 200).astype(np.float32)
    before = np.sum(points * targets, axis=1)
    turned = turn_towards(points, targets, minimum)

    np.testing.assert_allclose(np.sum(turned * targets, axis=1), np.maximum(before, minimum), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(turned[before >= minimum], points[before >= minimum], atol=1e-3)


def test_zero_point_is_turned_onto_its_target() -> None:
    target = np.array([[0, 1, 0]], np.float32)

    np.testing.assert_allclose(turn_towards(np.zeros((1, 3), np.float32), target, np.ones(1, np.float32)), target)


def test_trained_head_does_not_import_tensorflow() -> None:
    code = "import sys, findimg.heads.loading; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
