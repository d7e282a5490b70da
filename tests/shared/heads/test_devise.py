import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from findimg.errors import HeadError
from findimg.heads.conse import Conse
from findimg.heads.devise import Devise, Weights, head_key, open_head, pack, turned, unpack
from findimg.storage.folder import FolderStorage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, normalised, open_words

LABELS = ("pizza", "elephant", "grand piano")
VISUAL = 8
PIZZA_CLASS = 963
NOTHING = np.empty((1, 0), np.int64), np.empty((1, 0), np.float32)


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def weights(words: WordVectors) -> Weights:
    """A head for which feature i shows label i, and the other features show nothing that it knows."""
    directions, _ = words.directions(list(LABELS))
    out = np.zeros((VISUAL, words.dim), np.float32)
    out[: len(LABELS)] = directions
    out[len(LABELS) :] = directions[0] / 10
    return Weights(
        name="devise:test",
        labels=LABELS,
        fingerprint="f1",
        words=words.name,
        directions=directions,
        mean=np.zeros(VISUAL, np.float32),
        hidden=np.eye(VISUAL, dtype=np.float32),
        hidden_bias=np.zeros(VISUAL, np.float32),
        out=out,
        out_bias=np.zeros(words.dim, np.float32),
        looks=np.eye(len(LABELS), VISUAL, dtype=np.float32),
        reach=np.full(len(LABELS), 0.9, np.float32),
        familiar=np.array([0.5, 0.05], np.float32),
        chance=np.array([20, -10], np.float32),
    )


@pytest.fixture(scope="module")
def head(weights: Weights, words: WordVectors) -> Devise:
    return Devise(weights, words)


def look(*strengths: float) -> np.ndarray:
    """The visual embedding of one image, its first features given."""
    return np.array([[*strengths, *[0] * (VISUAL - len(strengths))]], np.float32)


def seen_as(class_: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([[class_]]), np.ones((1, 1), np.float32)


def save(folder: Path, data: bytes) -> FolderStorage:
    storage = FolderStorage(str(folder))
    storage.write(head_key("devise:test", "weights.npz"), data)
    return storage


def test_an_image_of_a_label_is_turned_towards_it_as_far_as_needed(head: Devise, words: WordVectors) -> None:
    joint = head.embed(look(0, 1), *seen_as(PIZZA_CLASS))

    np.testing.assert_allclose(np.linalg.norm(joint, axis=1), 1, atol=1e-5)
    assert joint[0] @ words.direction("elephant") == pytest.approx(0.9, abs=1e-3)


def test_what_conse_has_right_already_is_left_alone(head: Devise, words: WordVectors) -> None:
    conse = Conse(words, open_lexicon()).embed(look(1), *seen_as(PIZZA_CLASS))
    lenient = Devise(replace(head.weights, reach=np.full(len(LABELS), 0.5, np.float32)), words)

    np.testing.assert_allclose(lenient.embed(look(1), *seen_as(PIZZA_CLASS)), conse, atol=1e-5)


def test_a_strange_image_stays_where_conse_puts_it(head: Devise, words: WordVectors) -> None:
    strange = look(0.1, 0, 0, 0, 1)
    conse = Conse(words, open_lexicon()).embed(strange, *seen_as(100))

    np.testing.assert_allclose(head.embed(strange, *seen_as(100)), conse, atol=1e-5)


def test_without_classes_the_layers_answer_alone(head: Devise, words: WordVectors) -> None:
    joint = head.embed(look(0, 0, 1), *NOTHING)

    np.testing.assert_allclose(joint[0], words.direction("grand piano"), atol=1e-5)


def test_relevance_is_high_for_what_an_image_shows_and_low_for_all_that_is_strange(head: Devise) -> None:
    shown = head.relevance(np.concatenate([look(1), look(0, 1), look(0.1, 0, 0, 0, 1)]))

    assert shown.shape == (3, len(LABELS))
    assert shown[0].argmax() == 0
    assert shown[1].argmax() == 1
    assert (shown[:2].max(axis=1) > 0.9).all()
    assert shown[2].max() < 0.1
    assert (shown >= 0).all()
    assert (shown.sum(axis=1) <= 1 + 1e-5).all()


def test_how_long_an_embedding_is_changes_nothing(head: Devise) -> None:
    np.testing.assert_allclose(head.relevance(look(3, 4)), head.relevance(look(0.3, 0.4)), atol=1e-5)


def test_points_are_turned_until_they_are_near_enough_and_no_farther() -> None:
    random = np.random.default_rng(0)
    points, towards = (normalised(random.normal(size=(200, 5)).astype(np.float32)) for _ in range(2))
    least = random.uniform(-1, 1, 200).astype(np.float32)
    before = np.sum(points * towards, axis=1)
    found = turned(points, towards, least)

    np.testing.assert_allclose(np.sum(found * towards, axis=1), np.maximum(before, least), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[before >= least], points[before >= least], atol=1e-3)


def test_a_point_that_conse_knows_nothing_of_can_be_turned() -> None:
    towards = np.array([[0, 1, 0]], np.float32)

    np.testing.assert_allclose(turned(np.zeros((1, 3), np.float32), towards, np.ones(1, np.float32)), towards)


def test_a_head_comes_back_from_the_library_as_it_was(tmp_path: Path, head: Devise, words: WordVectors) -> None:
    opened = open_head("devise:test", words, "f1", save(tmp_path, pack(head.weights)))

    assert isinstance(opened, Devise)
    assert opened.labels == LABELS
    assert opened.sha256 == head.sha256
    np.testing.assert_array_equal(opened.relevance(look(1, 2)), head.relevance(look(1, 2)))


def test_conse_needs_nothing_from_the_library(tmp_path: Path, words: WordVectors) -> None:
    assert open_head("conse", words, "f1", FolderStorage(str(tmp_path / "none"))).name == "conse"


def test_a_head_for_something_else_is_refused(tmp_path: Path, weights: Weights, words: WordVectors) -> None:
    storage = save(tmp_path, pack(weights))
    with pytest.raises(HeadError, match=r"trained with the backbone f1, the library's is f2\. Train it again"):
        open_head("devise:test", words, "f2", storage)
    with pytest.raises(HeadError, match=r"word vectors glove\.6B\.50d, not glove\.other"):
        open_head("devise:test", WordVectors("glove.other", words.matrix, words.vocabulary), "f1", storage)
    changed = WordVectors(words.name, words.matrix[::-1], words.vocabulary)
    with pytest.raises(HeadError, match="trained with other vectors that were also called"):
        open_head("devise:test", changed, "f1", storage)
    with pytest.raises(HeadError, match=r"no head 'devise:other'.*findimg-jobs train"):
        open_head("devise:other", words, "f1", storage)
    save(tmp_path, pack(replace(weights, name="devise:moved")))
    with pytest.raises(HeadError, match="holds the head 'devise:moved' under the name 'devise:test'"):
        open_head("devise:test", words, "f1", storage)


@pytest.mark.parametrize(
    "name", ["devise:", "devise:../up", "devise:a/b", "devise:.hidden", "devise:a b", "devise:a\n"]
)
def test_a_name_that_is_no_safe_file_name_is_refused(tmp_path: Path, words: WordVectors, name: str) -> None:
    with pytest.raises(HeadError, match="is called devise:NAME"):
        open_head(name, words, "f1", FolderStorage(str(tmp_path)))


def squeezed(weights: Weights) -> bytes:
    """The same parts, compressed."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(pack(weights))) as packed,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for member in packed.namelist():
            archive.writestr(member, packed.read(member))
    return buffer.getvalue()


def pickled(weights: Weights) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array([weights.name, None], dtype=object))
    return buffer.getvalue()


HOSTILE: dict[str, Callable[[Weights], bytes]] = {
    "empty": lambda weights: b"",
    "no zip": lambda weights: b"PK\x03\x04" + bytes(1000),
    "cut off": lambda weights: pack(weights)[:-100],
    "objects": pickled,
    "compressed": squeezed,
    "another shape": lambda weights: pack(replace(weights, out=weights.out[:-1])),
    "another type": lambda weights: pack(replace(weights, mean=weights.mean.astype(np.float64))),
    "not a number": lambda weights: pack(replace(weights, reach=weights.reach * np.nan)),
    "no matrix": lambda weights: pack(replace(weights, hidden_bias=np.float32(1))),
    "fewer labels": lambda weights: pack(replace(weights, labels=LABELS[:2])),
    "labels twice": lambda weights: pack(replace(weights, labels=(*LABELS[:2], LABELS[0]))),
    "no labels": lambda weights: pack(replace(weights, labels="pizza")),
    "no width": lambda weights: pack(replace(weights, familiar=np.zeros(2, np.float32))),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_weights_file_that_is_something_else_is_refused(
    tmp_path: Path, weights: Weights, words: WordVectors, kind: str
) -> None:
    storage = save(tmp_path, HOSTILE[kind](weights))
    with pytest.raises(HeadError, match=r"weights\.npz cannot be opened: .*\. Train it again"):
        open_head("devise:test", words, "f1", storage)


def test_random_damage_never_raises_anything_else(weights: Weights) -> None:
    random = np.random.default_rng(0)
    whole = np.frombuffer(pack(weights), np.uint8)
    for _ in range(300):
        damaged = whole.copy()
        damaged[random.integers(0, len(whole), 5)] = random.integers(0, 256, 5)
        try:
            unpack(damaged.tobytes())
        except ValueError:
            continue


def test_a_trained_head_needs_no_tensorflow() -> None:
    code = "import sys, findimg.heads.devise; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
