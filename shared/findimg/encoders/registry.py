"""The CNNs that embed pixels. Importing this imports no TensorFlow; opening one of the VGGs does."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from findimg.encoders.base import Features, ImageEncoder
from findimg.encoders.efficientnet_lite0 import EfficientNetLite0
from findimg.encoders.efficientnet_lite0_int8 import EfficientNetLite0Int8
from findimg.encoders.vgg16 import Vgg16
from findimg.encoders.vgg16_gap import Vgg16Gap
from findimg.errors import ModelError, SettingsError

if TYPE_CHECKING:
    from findimg.encoders.artefacts import ModelStore

__all__ = ["BACKBONES", "Features", "ImageEncoder", "fingerprint", "open_backbone"]

_Kind: TypeAlias = type[EfficientNetLite0] | type[Vgg16] | type[Vgg16Gap]
_REGISTRY: dict[str, _Kind] = {
    backbone.name: backbone for backbone in (EfficientNetLite0, EfficientNetLite0Int8, Vgg16, Vgg16Gap)
}
BACKBONES = tuple(_REGISTRY)


def open_backbone(
    name: str, store: "ModelStore", weights: str | None = None, threads: int | None = None
) -> ImageEncoder:
    """Builds a backbone's model, which takes seconds; downloads its weights when they are not on this machine.

    Args:
        name: one of BACKBONES.
        store: where weights are looked up and kept.
        weights: a file or s3:// URI to take instead.
        threads: how many CPU threads the model may use; None is all. The VGGs of one process, which run in TensorFlow,
            must all be opened with the same number.

    Raises:
        SettingsError: no such backbone, or TensorFlow already runs with another number of threads.
        ModelError: the weights are missing, damaged or not the backbone's.
    """
    kind = _kind(name)
    path = store.weights(name, weights)
    return kind(path, _fingerprint(name, path), threads, store)


def fingerprint(name: str, store: "ModelStore", weights: str | None = None) -> str:
    """Returns the fingerprint that `open_backbone` with the same arguments gives, without building the model.

    Raises:
        SettingsError: no such backbone.
        ModelError: the weights are missing.
    """
    _kind(name)
    return _fingerprint(name, store.weights(name, weights))


def _kind(name: str) -> _Kind:
    try:
        return _REGISTRY[name]
    except KeyError as error:
        raise SettingsError(f"There is no backbone {name!r}; use one of {', '.join(BACKBONES)}.") from error


def _fingerprint(name: str, weights: Path) -> str:
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"The weights {weights} cannot be read: {error.strerror}.") from error
    return hashlib.sha256(f"{name} {digest} {_REGISTRY[name].preprocessing}".encode()).hexdigest()[:16]
