"""The weights of a trained head, and their file format."""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_BYTES = 512 * 2**20  # of a weights file

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The result of a training, and the models that it was trained with.

    Attributes:
        name: for example `devise:pets`.
        labels: the labels, without duplicates. `WordVectors.direction` knows each of them.
        fingerprint: of the encoder that made the visual embeddings.
        words: name of the word vectors.
        directions: float32[labels, dim], the word vectors of the labels, of length 1.
        mean: float32[visual dim], mean of the normalised visual embeddings of the training images.
        hidden, hidden_bias: float32[visual dim, units] and float32[units], the first layer.
        out, out_bias: float32[units, dim] and float32[dim], the second layer.
        centroids: float32[labels, visual dim], of length 1, mean of each label's centred training images.
        target_cosines: float32[labels]. `TrainedHead.embed` turns an image of the label until its cosine to the label's
            direction is at least this.
        membership: float32[2], midpoint and width of a logistic function. Its argument is an image's cosine to the
            label's centroid, its value says how far to turn the image. It is lenient, so that nearly all images of a
            label are turned.
        calibration: float32[2], slope and offset of the log odds that an image shows the label, as a function of the
            same cosine. Half of all images are assumed to show one of the labels.
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
    centroids: Floats
    target_cosines: Floats
    membership: Floats
    calibration: Floats


_METADATA = ("name", "labels", "fingerprint", "words")
# Array in the file by attribute. The names in the file must not change, or existing heads could not be opened.
_ARRAYS = {
    "directions": "directions",
    "mean": "mean",
    "hidden": "hidden",
    "hidden_bias": "hidden_bias",
    "out": "out",
    "out_bias": "out_bias",
    "centroids": "looks",
    "target_cosines": "reach",
    "membership": "familiar",
    "calibration": "chance",
}


def pack(weights: Weights) -> bytes:
    """Return weights as the content of an .npz file. Equal weights give equal bytes."""
    metadata = json.dumps({name: getattr(weights, name) for name in _METADATA})
    arrays = {array: getattr(weights, name) for name, array in _ARRAYS.items()}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, about=np.frombuffer(metadata.encode(), np.uint8), **arrays)
    return buffer.getvalue()


def unpack(data: bytes) -> Weights:
    """Return the weights that `pack` wrote. The data may come from anyone and is checked completely.

    Raises:
        ValueError: `data` is in another format, or its parts do not fit together.
    """
    metadata, arrays = _read(data)
    name, labels, fingerprint, words = metadata
    texts = [name, fingerprint, words, *labels] if isinstance(labels, list) else []
    if not labels or not all(isinstance(text, str) for text in texts) or len(set(labels)) != len(labels):
        raise ValueError("its labels are not a list of different names")
    weights = Weights(name, tuple(labels), fingerprint, words, **arrays)
    _check(weights)
    return weights


def _read(data: bytes) -> tuple[list[Any], dict[str, Floats]]:
    """Return the metadata in the order of `_METADATA`, and the arrays by attribute, unchecked."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # Uncompressed parts cannot be larger than the file.
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("its parts are compressed")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            metadata = json.loads(bytes(file["about"]))
            return [metadata[key] for key in _METADATA], {name: file[array] for name, array in _ARRAYS.items()}
    # Damaged bytes make zipfile, numpy and json raise almost any exception.
    except Exception as error:
        raise ValueError(f"it is not a trained head ({error})") from error


def _check(weights: Weights) -> None:
    """Raise ValueError unless all arrays have the right shape and type and finite values."""
    visual, units, dim = weights.mean.shape[:1], weights.hidden_bias.shape[:1], weights.out_bias.shape[:1]
    labels = (len(weights.labels),)
    shapes = {
        "directions": labels + dim,
        "mean": visual,
        "hidden": visual + units,
        "hidden_bias": units,
        "out": units + dim,
        "out_bias": dim,
        "centroids": labels + visual,
        "target_cosines": labels,
        "membership": (2,),
        "calibration": (2,),
    }
    for name, shape in shapes.items():
        array = getattr(weights, name)
        if array.shape != shape or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(
                f"{_ARRAYS[name]} should be finite float32{list(shape)}, it is {array.dtype}{list(array.shape)}"
            )
    if not weights.membership[1] > 0:
        raise ValueError(
            f"the second number of {_ARRAYS['membership']} should be positive, it is {weights.membership[1]}"
        )
