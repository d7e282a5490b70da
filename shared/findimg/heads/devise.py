"""The trained head: a team's own labels, learnt from visual embeddings; words it was not trained on stay with `conse`.

Nothing here needs TensorFlow: a trained head is a few matrices, and `findimg_jobs.training.train` makes them.
"""

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
import numpy.typing as npt

from findimg.errors import HeadError, ObjectMissingError
from findimg.heads import conse as heads
from findimg.heads.conse import Conse, Head
from findimg.library.library import Version
from findimg.storage.base import Storage
from findimg.storage.folder import FolderStorage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import WordVectors, normalised

PREFIX = "devise:"
HEAD_FILE = "head.npz"  # in a version: the head it was built with, whatever was trained under its name since
RELEVANCE_FILE = "labels.f16"  # in a version: float16[labels, images], `Devise.relevance` of every image
LARGEST = 512 * 2**20  # bytes of a weights file
SHARPNESS = 0.05  # how much nearer, as a cosine, one label must be than another to be e times as likely
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SAME = 1e-3  # what a label's direction may differ by between two machines

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """All that training gives, and what it was trained with.

    Attributes:
        name: `devise:pets`.
        labels: what it was trained on, each once, as `WordVectors.direction` understands it.
        fingerprint: of the backbone whose visual embeddings it reads.
        words: name of the word vectors.
        directions: float32[labels, dim], where the labels point.
        mean: float32[visual], mean of the training images' embeddings, each of length 1.
        hidden, hidden_bias: float32[visual, units] and float32[units], the first layer.
        out, out_bias: float32[units, dim] and float32[dim], the second.
        looks: float32[labels, visual], of length 1: the mean look of each label's training images.
        reach: float32[labels], how near to a label's direction its images must come, as a cosine; see `Devise`.
        familiar: float32[2], the cosine to a label's mean look at which an image is half one of it, and the cosine that
            makes it e times as sure; lenient, so that hardly one of the label's own is left out.
        chance: float32[2], slope and offset of the log odds that an image shows the label, by that cosine, when half of
            all images show one of the labels.
    """

    name: str
    labels: tuple[str, ...]
    fingerprint: str
    words: str
    directions: Floats
    mean: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    out_bias: Floats
    looks: Floats
    reach: Floats
    familiar: Floats
    chance: Floats


_ABOUT = ("name", "labels", "fingerprint", "words")
_ARRAYS = tuple(field.name for field in fields(Weights) if field.name not in _ABOUT)


class Devise:
    """A head that learnt labels from images.

    Two layers map the visual embedding to a point among words. An image that looks like one of its label's is then
    turned from the point that `conse` gives it towards the label's direction: as far as needed to come before the other
    labels' images, and no farther, because every step takes it away from the other words that are right for it. A
    backbone without classes has no `conse`; there the layers' own point is the answer.

    Source: Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, 2013, for the layers; with cosine loss.
    """

    def __init__(self, weights: Weights, words: WordVectors):
        self.name = weights.name
        self.dim = words.dim
        self.labels = weights.labels
        self.weights = weights
        self._conse = Conse(words, open_lexicon())

    def embed(self, visual: Floats, classes: npt.NDArray[np.integer], probabilities: Floats) -> Floats:
        """See `Head.embed`; `classes` and `probabilities` are [n, 0] for a backbone that names no classes."""
        centred, points = self._points(visual)
        if not classes.shape[1]:
            return points
        best = np.argmax(points @ self.weights.directions.T, axis=1)
        at, width = self.weights.familiar
        sure = _logistic((self._nearness(centred, best) - at) / width)
        conse = self._conse.embed(visual, classes, probabilities)
        return turned(conse, self.weights.directions[best], sure * self.weights.reach[best])

    def relevance(self, visual: Floats) -> Floats:
        """Says how likely images show each label, float32[n, labels], 0 to 1; a row adds up to 1 at the most.

        Calibrated for a collection of which half shows one of the labels.

        Args:
            visual: float32[n, visual dimension].
        """
        centred, points = self._points(visual)
        cosines = points @ self.weights.directions.T
        likely = np.exp((cosines - cosines.max(axis=1, keepdims=True)) / SHARPNESS)
        slope, offset = self.weights.chance
        chance = _logistic(slope * self._nearness(centred, np.argmax(cosines, axis=1)) + offset)
        return np.asarray(likely / likely.sum(axis=1, keepdims=True) * chance[:, None], dtype=np.float32)

    def nearness(self, visual: Floats) -> Floats:
        """Returns the cosine of each image to the mean look of the label that it comes nearest to, float32[n]."""
        centred, points = self._points(visual)
        return self._nearness(centred, np.argmax(points @ self.weights.directions.T, axis=1))

    @cached_property
    def sha256(self) -> str:
        """What tells this head from another one trained under the same name, in hex."""
        return hashlib.sha256(pack(self.weights)).hexdigest()

    def _points(self, visual: Floats) -> tuple[Floats, Floats]:
        """The centred looks, and what the two layers make of them, both of length 1."""
        centred = centre(visual, self.weights.mean)
        units = np.maximum(scaled(centred) @ self.weights.hidden + self.weights.hidden_bias, 0)
        return centred, normalised(units @ self.weights.out + self.weights.out_bias)

    def _nearness(self, centred: Floats, labels: npt.NDArray[np.integer]) -> Floats:
        return np.asarray(np.einsum("nd,nd->n", centred, self.weights.looks[labels]), dtype=np.float32)


def centre(visual: Floats, mean: Floats) -> Floats:
    """Returns embeddings as this head looks at them: their direction seen from `mean`, float32[n, dim] of length 1."""
    return normalised(normalised(visual) - mean)


def scaled(centred: Floats) -> Floats:
    """Returns the first layer's input, float32[n, dim]: features of about 1 each, as its initial weights expect."""
    return np.asarray(centred * np.sqrt(centred.shape[1]), dtype=np.float32)


def turned(points: Floats, towards: Floats, least: Floats) -> Floats:
    """Turns points towards others until the cosine between them is at least `least`; nearer ones stay.

    Args:
        points: float32[n, dim], of length 1 or zero.
        towards: float32[n, dim], of length 1.
        least: float32[n], cosines, at most 1.

    Returns:
        float32[n, dim], of length 1.
    """
    cosine = np.einsum("nd,nd->n", points, towards)
    aside = normalised(points - cosine[:, None] * towards)
    near = np.clip(np.maximum(cosine, least), -1, 1)[:, None]
    return normalised(np.asarray(near * towards + np.sqrt(1 - near**2) * aside, dtype=np.float32))


def head_name(text: str) -> str:
    """Returns the name of a trained head, checked.

    Raises:
        HeadError: it is none.
    """
    if not text.startswith(PREFIX) or not _NAME.fullmatch(text.removeprefix(PREFIX)):
        raise HeadError(
            f"A trained head is called {PREFIX}NAME, and NAME has letters, digits, dots, dashes and underscores, "
            f"64 at the most. Received: {text!r}."
        )
    return text


def head_key(name: str, file: str) -> str:
    """Where a file of a trained head, `weights.npz` or `report.json`, lies in a library.

    Raises:
        HeadError: `name` is no name of a trained head.
    """
    return f"heads/{head_name(name).removeprefix(PREFIX)}/{file}"


def open_head(name: str, words: WordVectors, fingerprint: str, storage: Storage) -> Head:
    """Opens a head by its name: `conse`, or one that was trained in this library.

    Args:
        fingerprint: of the library's backbone.
        storage: the library.

    Raises:
        HeadError: there is no such head, or it was trained with another backbone or other word vectors.
    """
    if not name.startswith(PREFIX):
        return heads.open_head(name, words)
    return _open(name, words, fingerprint, storage, head_key(name, "weights.npz"))


def open_version_head(version: Version, words: WordVectors) -> Head:
    """Opens the head that a version was built with.

    Raises:
        HeadError: it is damaged, or `words` are not the version's.
    """
    manifest = version.manifest
    if not manifest.head.startswith(PREFIX):
        return heads.open_head(manifest.head, words)
    return _open(manifest.head, words, manifest.fingerprint, FolderStorage(str(version.folder)), HEAD_FILE)


def pack(weights: Weights) -> bytes:
    """Writes weights as a .npz; equal weights give equal bytes."""
    about = json.dumps({name: getattr(weights, name) for name in _ABOUT})
    arrays = {name: getattr(weights, name) for name in _ARRAYS}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, about=np.frombuffer(about.encode(), np.uint8), **arrays)
    return buffer.getvalue()


def unpack(data: bytes) -> Weights:
    """Reads what `pack` wrote, and trusts nothing in it.

    Raises:
        ValueError: it is something else, or its parts do not fit together.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # What is not compressed cannot be larger inside than outside.
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("its parts are compressed")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            about = json.loads(bytes(file["about"]))
            arrays = {name: file[name] for name in _ARRAYS}
        name, labels, fingerprint, words = (about[key] for key in _ABOUT)
    # Strange bytes make zipfile, numpy and json raise almost anything.
    except Exception as error:
        raise ValueError(f"it is no trained head ({error})") from error
    texts = [name, fingerprint, words, *labels] if isinstance(labels, list) else []
    if not labels or not all(isinstance(text, str) for text in texts) or len(set(labels)) != len(labels):
        raise ValueError("its labels are no list of different names")
    weights = Weights(name, tuple(labels), fingerprint, words, **arrays)
    visual, units, dim = weights.mean.shape[:1], weights.hidden_bias.shape[:1], weights.out_bias.shape[:1]
    count = (len(labels),)
    shapes = {
        "directions": count + dim,
        "mean": visual,
        "hidden": visual + units,
        "hidden_bias": units,
        "out": units + dim,
        "out_bias": dim,
        "looks": count + visual,
        "reach": count,
        "familiar": (2,),
        "chance": (2,),
    }
    for part, shape in shapes.items():
        array = arrays[part]
        if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(f"{part} should be finite float32{list(shape)}, it is {array.dtype}{list(array.shape)}")
    if not weights.familiar[1] > 0:
        raise ValueError(f"the second number of familiar should be positive, it is {weights.familiar[1]}")
    return weights


def _open(name: str, words: WordVectors, fingerprint: str, storage: Storage, key: str) -> Devise:
    again = f"Train it again: findimg-jobs train LABELLED --head {name}."
    try:
        data = storage.read(key, limit=LARGEST + 1)
    except ObjectMissingError as error:
        raise HeadError(
            f"There is no head {name!r} in {storage.root}; use conse, or findimg-jobs train LABELLED --head {name}."
        ) from error
    if len(data) > LARGEST:
        raise HeadError(f"{storage.uri(key)} has more than {LARGEST // 2**20} MB, so it is no trained head. {again}")
    try:
        weights = unpack(data)
    except ValueError as error:
        raise HeadError(f"{storage.uri(key)} cannot be opened: {error}. {again}") from error
    if weights.name != name:
        raise HeadError(f"{storage.uri(key)} holds the head {weights.name!r} under the name {name!r}. {again}")
    if weights.fingerprint != fingerprint:
        trained = f"The head {name} was trained with the backbone {weights.fingerprint}"
        raise HeadError(f"{trained}, the library's is {fingerprint}. {again}")
    directions, _ = words.directions(list(weights.labels))
    if weights.words != words.name or directions.shape != weights.directions.shape:
        raise HeadError(f"The head {name} was trained with the word vectors {weights.words}, not {words.name}. {again}")
    if not np.allclose(directions, weights.directions, atol=_SAME):
        raise HeadError(f"The head {name} was trained with other vectors that were also called {words.name}. {again}")
    return Devise(weights, words)


def _logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))), dtype=np.float32)
