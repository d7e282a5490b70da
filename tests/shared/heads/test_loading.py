from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from findimg.errors import HeadError
from findimg.heads.loading import head_key, open_head
from findimg.heads.trained_head import TrainedHead
from findimg.heads.weights import Weights, pack
from findimg.storage.folder import FolderStorage
from findimg.text.vectors import WordVectors


def save(folder: Path, weights: Weights) -> FolderStorage:
    """Store weights under the name `devise:test`."""
    storage = FolderStorage(str(folder))
    storage.write(head_key("devise:test", "weights.npz"), pack(weights))
    return storage


def test_stored_head_opens_with_equal_weights(tmp_path: Path, weights: Weights, words: WordVectors) -> None:
    opened = open_head("devise:test", words, "f1", save(tmp_path, weights))

    assert isinstance(opened, TrainedHead)
    assert opened.labels == weights.labels
    assert opened.sha256 == TrainedHead(weights, words).sha256
    images = np.random.default_rng(0).random((3, len(weights.mean)), np.float32)
    np.testing.assert_array_equal(opened.relevance(images), TrainedHead(weights, words).relevance(images))


def test_conse_needs_no_library(tmp_path: Path, words: WordVectors) -> None:
    head = open_head("conse", words, "f1", FolderStorage(str(tmp_path / "none")))

    assert (head.name, head.dim) == ("conse", words.dim)


def test_unknown_head_is_rejected(tmp_path: Path, weights: Weights, words: WordVectors) -> None:
    storage = save(tmp_path, weights)
    with pytest.raises(HeadError, match=r"no head 'clip'\. Use conse, or train one with findimg-jobs train"):
        open_head("clip", words, "f1", storage)
    with pytest.raises(HeadError, match=r"no head 'devise:other'.*findimg-jobs train"):
        open_head("devise:other", words, "f1", storage)


def test_head_of_another_encoder_is_rejected(tmp_path: Path, weights: Weights, words: WordVectors) -> None:
    with pytest.raises(HeadError, match=r"trained with the encoder f1\. The library uses f2\. Train it again"):
        open_head("devise:test", words, "f2", save(tmp_path, weights))


def test_head_of_other_word_vectors_is_rejected(tmp_path: Path, weights: Weights, words: WordVectors) -> None:
    storage = save(tmp_path, weights)
    with pytest.raises(HeadError, match=r"word vectors glove\.6B\.50d\. The library uses glove\.other\."):
        open_head("devise:test", WordVectors("glove.other", words.matrix, words.vocabulary), "f1", storage)
    changed = WordVectors(words.name, words.matrix[::-1], words.vocabulary)
    with pytest.raises(HeadError, match=r"different vectors of the same name, glove\.6B\.50d"):
        open_head("devise:test", changed, "f1", storage)


def test_head_stored_under_another_name_is_rejected(tmp_path: Path, weights: Weights, words: WordVectors) -> None:
    storage = save(tmp_path, replace(weights, name="devise:moved"))
    with pytest.raises(HeadError, match="contains the head 'devise:moved' instead of 'devise:test'"):
        open_head("devise:test", words, "f1", storage)


def test_damaged_weights_file_is_rejected(tmp_path: Path, weights: Weights, words: WordVectors) -> None:
    storage = FolderStorage(str(tmp_path))
    storage.write(head_key("devise:test", "weights.npz"), pack(weights)[:-100])
    with pytest.raises(HeadError, match=r"weights\.npz cannot be opened: it is not a trained head.*Train it again"):
        open_head("devise:test", words, "f1", storage)


@pytest.mark.parametrize(
    "name", ["devise:", "devise:../up", "devise:a/b", "devise:.hidden", "devise:a b", "devise:a\n"]
)
def test_unsafe_head_name_is_rejected(tmp_path: Path, words: WordVectors, name: str) -> None:
    with pytest.raises(HeadError, match="is called devise:NAME"):
        open_head(name, words, "f1", FolderStorage(str(tmp_path)))
