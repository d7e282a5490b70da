"""Quantizing: the embedded default in int8, calibrated on one's own photographs and compared with float32 on others."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.artefacts import ModelStore
from findimg.encoders.efficientnet_lite0 import EfficientNetLite0
from findimg.encoders.efficientnet_lite0_int8 import EfficientNetLite0Int8
from findimg.encoders.efficientnet_lite0_int8 import quantize as make
from findimg.encoders.registry import open_backbone
from findimg.errors import ImageError, ModelError, SettingsError, StorageError
from findimg.images import LIMIT_BYTES, decode
from findimg.settings import Settings
from findimg.storage.base import read_uri
from findimg.text.vectors import normalised
from findimg_jobs.indexing.sources import list_sources

FLOAT32, INT8 = EfficientNetLite0.name, EfficientNetLite0Int8.name
_CALIBRATED_ON = 100  # photographs, and as many to compare with; fewer cost cosine (20: 0.9922, 100: 0.9929)
_LEAST = 20  # photographs in all


@dataclass(frozen=True, slots=True)
class Report:
    """How near int8 comes to float32 on photographs that it was not calibrated on."""

    weights: str
    calibrated_on: int
    compared_on: int
    mean_cosine: float
    least_cosine: float
    same_class: float  # share of images whose likeliest class is the same

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.weights}: calibrated on {self.calibrated_on} photographs. On {self.compared_on} others the cosine "
            f"to float32 is {self.mean_cosine:.4f} in the mean and {self.least_cosine:.4f} at the least, and "
            f"{self.same_class:.0%} have the same likeliest class."
        )
        yield f"Use it with --backbone {INT8} --weights {self.weights}, for index and for the bot."


def quantize(settings: Settings, sources: Sequence[str], weights: Path) -> Report:
    """Makes the weights file of efficientnet-lite0-int8 from photographs that are spread over the sources.

    Args:
        settings: whose cache holds the models.
        weights: the file to write; one that is there is replaced.

    Raises:
        SettingsError: the sources hold too few photographs that can be read.
        ModelError: the file cannot be written.
    """
    store = ModelStore(settings.cache / "models")
    exact = open_backbone(FLOAT32, store)
    squares = _squares(sources, exact.preprocess)
    calibrating, others = squares[::2], squares[1::2]
    draft = weights.with_name(f".{weights.name}.draft")
    try:
        weights.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(make(calibrating, store))
        near = open_backbone(INT8, store, str(draft)).embed(others)
        draft.replace(weights)
    except OSError as error:
        raise ModelError(f"{weights} cannot be written: {error.strerror or error}. Check rights and space.") from error
    finally:
        draft.unlink(missing_ok=True)
    right = exact.embed(others)
    cosines = (normalised(near.visual) * normalised(right.visual)).sum(axis=1)
    assert near.probabilities is not None
    assert right.probabilities is not None
    same = near.probabilities.argmax(axis=1) == right.probabilities.argmax(axis=1)
    return Report(
        str(weights),
        len(calibrating),
        len(others),
        round(float(cosines.mean()), 4),
        round(float(cosines.min()), 4),
        round(float(same.mean()), 4),
    )


def _squares(sources: Sequence[str], preprocess: Callable[[Image.Image], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Photographs for calibrating and comparing, uint8[n, side, side, 3], from all over the sources."""
    images = list_sources(sources, library="").images
    squares = []
    # In an order that is spread over the whole list wherever one stops, and always the same.
    for place in np.random.default_rng(0).permutation(len(images)).tolist():
        with suppress(ImageError, StorageError):
            squares.append(preprocess(decode(read_uri(images[place].uri, LIMIT_BYTES + 1)).pixels))
        if len(squares) == 2 * _CALIBRATED_ON:
            break
    if len(squares) < _LEAST:
        raise SettingsError(
            f"{', '.join(sources)}: {len(squares)} photographs can be read there, and calibrating takes {_LEAST} at "
            f"the least, better {2 * _CALIBRATED_ON}; name folders with more."
        )
    return np.stack(squares)
