"""Open heads by name, from a library or from a version."""

import re

import numpy as np

from findimg.errors import HeadError, ObjectMissingError
from findimg.heads.base import Head
from findimg.heads.conse import Conse
from findimg.heads.trained_head import TrainedHead
from findimg.heads.weights import MAX_BYTES, Weights, unpack
from findimg.library.layout import HEAD_FILE
from findimg.library.library import Version
from findimg.storage.base import Storage, open_storage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors

TRAINED_PREFIX = "devise:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TOLERANCE = 1e-3  # largest difference of a label's direction between two machines


def head_name(text: str) -> str:
    """Return the name of a trained head after checking it.

    Raises:
        HeadError: it is not a valid name.
    """
    if not text.startswith(TRAINED_PREFIX) or not _NAME.fullmatch(text.removeprefix(TRAINED_PREFIX)):
        raise HeadError(
            f"A trained head is called {TRAINED_PREFIX}NAME. NAME has 1 to 64 letters, digits, dots, dashes and "
            f"underscores, and begins with a letter or a digit. Received: {text!r}."
        )
    return text


def head_key(name: str, file: str) -> str:
    """Return the key in a library of a trained head's file, `weights.npz` or `report.json`.

    Raises:
        HeadError: `name` is not the name of a trained head.
    """
    return f"heads/{head_name(name).removeprefix(TRAINED_PREFIX)}/{file}"


def open_head(name: str, words: WordVectors, fingerprint: str, storage: Storage) -> Head:
    """Open `conse`, or a head that was trained in a library.

    Args:
        name: the head.
        words: the library's word vectors.
        fingerprint: of the library's encoder.
        storage: the library.

    Raises:
        HeadError: there is no such head, or it was trained with another encoder or other word vectors.
    """
    if name.startswith(TRAINED_PREFIX):
        return _open_trained(name, words, fingerprint, storage, head_key(name, "weights.npz"))
    return _open_untrained(name, words)


def open_version_head(version: Version, words: WordVectors) -> Head:
    """Open the head that a version was built with.

    Raises:
        HeadError: its file is damaged, or `words` are not the version's word vectors.
    """
    manifest = version.manifest
    if manifest.head.startswith(TRAINED_PREFIX):
        storage = open_storage(version.root.absolute())
        return _open_trained(manifest.head, words, manifest.fingerprint, storage, manifest.file_key(HEAD_FILE))
    return _open_untrained(manifest.head, words)


def _open_untrained(name: str, words: WordVectors) -> Conse:
    if name != Conse.name:
        raise HeadError(
            f"There is no head {name!r}. Use {Conse.name}, or train one with findimg-jobs train LABELLED --head "
            f"{TRAINED_PREFIX}NAME."
        )
    return Conse(words, open_lexicon())


def _open_trained(name: str, words: WordVectors, fingerprint: str, storage: Storage, key: str) -> TrainedHead:
    train_again = f"Train it again: findimg-jobs train LABELLED --head {name}."
    try:
        data = storage.read(key, limit=MAX_BYTES + 1)
    except ObjectMissingError as error:
        raise HeadError(
            f"There is no head {name!r} in {storage.root}. Use {Conse.name}, or train it with findimg-jobs train "
            f"LABELLED --head {name}."
        ) from error
    if len(data) > MAX_BYTES:
        raise HeadError(
            f"{storage.uri(key)} is not a trained head, because it is larger than {MAX_BYTES // 2**20} MB. "
            f"{train_again}"
        )
    try:
        weights = unpack(data)
    except ValueError as error:
        raise HeadError(f"{storage.uri(key)} cannot be opened: {error}. {train_again}") from error
    if weights.name != name:
        raise HeadError(f"{storage.uri(key)} contains the head {weights.name!r} instead of {name!r}. {train_again}")
    _check_models(weights, words, fingerprint, train_again)
    return TrainedHead(weights, words)


def _check_models(weights: Weights, words: WordVectors, fingerprint: str, train_again: str) -> None:
    """Raise HeadError if a head was trained with another encoder or other word vectors."""
    if weights.fingerprint != fingerprint:
        raise HeadError(
            f"The head {weights.name} was trained with the encoder {weights.fingerprint}. The library uses "
            f"{fingerprint}. {train_again}"
        )
    directions, _ = words.directions(list(weights.labels))
    if weights.words != words.name or directions.shape != weights.directions.shape:
        raise HeadError(
            f"The head {weights.name} was trained with the word vectors {weights.words}. The library uses "
            f"{words.name}. {train_again}"
        )
    if not np.allclose(directions, weights.directions, atol=_TOLERANCE):
        raise HeadError(
            f"The head {weights.name} was trained with different vectors of the same name, {words.name}. {train_again}"
        )
