"""The image encoders by name. Importing this module imports no encoder and no TensorFlow.

To add an encoder of images, write one module in this folder. It holds a subclass of `RegisteredEncoder`, decorated with
`register_encoder`. `vgg16.py` is an example. An image–text model is a subclass of `RegisteredImageTextEncoder`, as in
`onnx_clip.py`. If findimg can get the weights, the class attribute `artefact` is an `Artefact` of the encoder's name,
registered with `register_artefact`. Otherwise `weights_help` says how a person gets them. All modules of this folder
are imported to find the encoders, so import an optional package inside the function that needs it, and give it an extra
in `pyproject.toml`.

No other module needs to know the encoder. Only the default encoder and its int8 form are named elsewhere: in
`findimg_jobs.build_config.build_context`, in `findimg_jobs.training.quantize`, which makes the int8 form, in help
texts, and in `pyproject.toml`. The settings call an encoder a backbone.

An encoder should have portable files, which a version carries to its readers. Without them, a reader that searches with
an image from outside needs the encoder's weights and its runtime, and raises ModelError if it lacks them. Words and
images of the library are found without the encoder. Only an image–text model needs its `text_files` for words: a reader
has no other way to embed a text.

A library may have two models of one encoder, such as two folders of `onnx-clip`. A label tells them apart:
`onnx-clip@siglip2`. The label is part of the encoder's name in the library. It changes nothing about the model.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.discovery import import_modules
from findimg.encoders.base import Features, ImageEncoder, TextEncoder
from findimg.errors import ModelError, SettingsError
from findimg.models.artefacts import Artefact, ArtefactKind
from findimg.models.store import ModelStore
from findimg.storage.folder import hash_file


class RegisteredEncoder(ABC):
    """Base class of the encoders of images: an `ImageEncoder`, and what the registry needs to open it.

    Attributes:
        name, dim, classes: see `ImageEncoder`.
        fingerprint: of an opened encoder, which `open` and `open_portable` set.
        preprocessing: part of the fingerprint. Raise it by one when `preprocess` changes.
        near_duplicates: the cosine of visual features from which on two images are near-duplicates. Libraries of
            image–text models measure their own.
        artefact: where the weights come from. None if the operator must name them.
        weights_kind: of weights that are a folder.
        weights_help: for an encoder without an artefact, one sentence that says how to get the weights.
        memory: bytes that a worker with this encoder needs at most, with the images that it decodes meanwhile. A
            cluster starts no more workers than fit. The default is what VGG16 needs, the largest encoder.
        text_files: see `RegisteredImageTextEncoder`. Empty for an encoder of images only.
    """

    name: str
    dim: int
    classes: int
    fingerprint: str
    preprocessing: int
    near_duplicates: float = 0.97
    artefact: Artefact | None = None
    weights_kind: ArtefactKind | None = None
    weights_help: str = ""
    memory: int = 3_200_000_000
    text_files: tuple[str, ...] = ()

    @classmethod
    @abstractmethod
    def open(cls, weights: Path, fingerprint: str, store: ModelStore, threads: int | None) -> Self:
        """Build the model from its weights.

        Args:
            weights: a file or a folder, not checked yet.
            fingerprint: of the weights and the preprocessing.
            store: where other weights are, and where a converted model can be kept.
            threads: CPU threads for the model. None uses all.

        Raises:
            ModelError: the weights are damaged or belong to another encoder.
        """

    @classmethod
    def open_portable(cls, folder: Path, fingerprint: str, threads: int | None) -> Self:
        """Open the model from a folder with what `portable_files` returned.

        Raises:
            ModelError: the model is damaged, or this encoder has no portable model.
        """
        raise ModelError(f"{cls.name} has no portable model. Open it with its weights.")

    @classmethod
    def open_portable_texts(cls, folder: Path, threads: int | None) -> TextEncoder:
        """Open the text tower from a folder with `text_files`.

        Raises:
            ModelError: the text tower is damaged, or this encoder has none.
        """
        raise ModelError(f"{cls.name} has no text tower. Use an image–text model.")

    @abstractmethod
    def preprocess(self, image: Image.Image) -> NDArray[np.uint8]:
        """See `ImageEncoder`."""

    @abstractmethod
    def embed(self, pixels: NDArray[np.uint8]) -> Features:
        """See `ImageEncoder`."""

    def class_weights(self) -> NDArray[np.float32]:
        """See `ImageEncoder`."""
        others = " or ".join(name for name, each in _registered().items() if each.classes)
        raise ModelError(f"{self.name} has no classes, so it has no class weights. Use {others}.")

    def portable_files(self) -> Mapping[str, bytes | Path]:
        """See `ImageEncoder`. A name is `ENCODER_FILE`, or begins with `MODEL_FOLDER` and a slash.

        Files of other names do not become part of a version, see `findimg.library.carried_encoder`.
        """
        return {}


class RegisteredImageTextEncoder(RegisteredEncoder):
    """Base class of the image–text models: also a `TextEncoder` of the same space.

    Attributes:
        text_files: the portable files of the text tower. Readers that search by words need no others.
        multilingual: see `TextEncoder`.
    """

    multilingual: bool

    @classmethod
    @abstractmethod
    def open_portable_texts(cls, folder: Path, threads: int | None) -> TextEncoder: ...

    @property
    @abstractmethod
    def prompt(self) -> str:
        """See `TextEncoder`."""

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `TextEncoder`."""


_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_Encoder = TypeVar("_Encoder", bound=type[RegisteredEncoder])
_encoders: dict[str, type[RegisteredEncoder]] = {}


def register_encoder(encoder: _Encoder) -> _Encoder:
    """Register an encoder's class under its name."""
    _encoders[encoder.name] = encoder
    return encoder


def backbone_names() -> tuple[str, ...]:
    """Return the names of all encoders."""
    return tuple(_registered())


def near_duplicate_cosine(name: str) -> float:
    """Return the cosine from which on two images are near-duplicates for an encoder, which need not exist any more."""
    return _registered().get(_without_label(name), RegisteredEncoder).near_duplicates


def worker_memory(name: str) -> int:
    """Return the bytes that a worker with an encoder needs, which need not exist any more."""
    return _registered().get(_without_label(name), RegisteredEncoder).memory


def build_encoder(name: str, store: ModelStore, weights: str | None = None, threads: int | None = None) -> ImageEncoder:
    """Build an encoder's model, which takes seconds. Download its weights if they are not on this machine.

    Args:
        name: one of `backbone_names()`, with or without a label.
        store: where weights are looked up and kept.
        weights: a file or s3:// URI to use instead.
        threads: CPU threads for the model. None uses all. All encoders of one process that run in TensorFlow must be
            opened with the same number.

    Raises:
        SettingsError: there is no encoder `name`, or TensorFlow already runs with another number of threads.
        ModelError: the weights are missing, damaged, or belong to another encoder.
    """
    encoder = _find(name)
    path = _weights(encoder, store, weights)
    return encoder.open(path, _fingerprint(encoder, path), store, threads)


def open_portable(name: str, folder: Path, fingerprint: str, threads: int | None = None) -> ImageEncoder:
    """Open an encoder from its portable model, without its weights and without TensorFlow.

    Args:
        name: one of `backbone_names()`, with or without a label.
        folder: has the files that `portable_files` of the encoder returned.
        fingerprint: of the model's encoder.
        threads: CPU threads for the model. None uses all.

    Raises:
        SettingsError: there is no encoder `name`.
        ModelError: the model is damaged, or the encoder has no portable form.
    """
    return _find(name).open_portable(folder, fingerprint, threads)


def text_files(name: str) -> tuple[str, ...]:
    """Return the portable files that `open_portable_texts` needs. Empty for an encoder of images only.

    Raises:
        SettingsError: there is no encoder `name`.
    """
    return _find(name).text_files


def open_portable_texts(name: str, folder: Path, threads: int | None = None) -> TextEncoder:
    """Open only the text tower of an encoder, from a folder with its `text_files`.

    Raises:
        SettingsError: there is no encoder `name`.
        ModelError: the text tower is damaged, or the encoder has none.
    """
    return _find(name).open_portable_texts(folder, threads)


def fingerprint(name: str, store: ModelStore, weights: str | None = None) -> str:
    """Return the fingerprint of the encoder that `build_encoder` opens, without building the model.

    Raises:
        SettingsError: there is no encoder `name`.
        ModelError: the weights are missing.
    """
    encoder = _find(name)
    return _fingerprint(encoder, _weights(encoder, store, weights))


def _without_label(name: str) -> str:
    return name.partition("@")[0]


def _registered() -> dict[str, type[RegisteredEncoder]]:
    import_modules("findimg.encoders")
    return dict(sorted(_encoders.items()))


def _find(name: str) -> type[RegisteredEncoder]:
    encoders = _registered()
    base, at, label = name.partition("@")
    if at and not _LABEL.fullmatch(label):
        raise SettingsError(
            f"The backbone {name!r} has no valid label. After the @, use up to 40 small letters, digits, dots, - and "
            f"_, as in {base}@siglip2."
        )
    try:
        return encoders[base]
    except KeyError as error:
        raise SettingsError(f"There is no backbone {base!r}. Use one of {', '.join(encoders)}.") from error


def _weights(encoder: type[RegisteredEncoder], store: ModelStore, named: str | None) -> Path:
    if named is None and encoder.artefact is None:
        raise ModelError(encoder.weights_help)
    return store.weights(encoder.name, named, encoder.weights_kind)


def _fingerprint(encoder: type[RegisteredEncoder], weights: Path) -> str:
    try:
        digest = _hash_weights(encoder, weights)
    except OSError as error:
        raise ModelError(f"The weights {weights} cannot be read: {error.strerror}.") from error
    return hashlib.sha256(f"{encoder.name} {digest} {encoder.preprocessing}".encode()).hexdigest()[:16]


def _hash_weights(encoder: type[RegisteredEncoder], weights: Path) -> str:
    if (kind := encoder.weights_kind) is None:
        return hash_file(weights)
    for file in kind.files:
        if not (weights / file).is_file():
            raise ModelError(f"{weights} has no {file}. Name a folder with the whole model.")
    files = [*kind.files, *(file for file in kind.optional_files if (weights / file).is_file())]
    return " ".join(f"{file} {hash_file(weights / file)}" for file in files)
