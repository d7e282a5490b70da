"""Convert the default backbone to int8: calibrate it on photographs and compare it with float32 on others."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from findimg.encoders.efficientnet_lite0 import EfficientNetLite0
from findimg.encoders.efficientnet_lite0_int8 import EfficientNetLite0Int8
from findimg.encoders.efficientnet_lite0_int8 import quantize as make
from findimg.encoders.registry import build_encoder
from findimg.errors import ImageError, ModelError, SettingsError, StorageError
from findimg.images import LIMIT_BYTES, decode
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.storage.base import read_uri
from findimg.vectors import normalised
from findimg_jobs.listing.sources import list_sources

FLOAT32, INT8 = EfficientNetLite0.name, EfficientNetLite0Int8.name
# Photographs for calibration, and as many for comparison. Mean cosine to float32: 0.9922 with 20, 0.9929 with 100.
_CALIBRATION_IMAGES = 100
_MIN_IMAGES = 20  # for calibration and comparison together


@dataclass(frozen=True, slots=True)
class QuantizeReport:
    """Agreement of int8 with float32 on photographs that were not used for calibration."""

    weights: str
    calibrated_on: int
    compared_on: int
    mean_cosine: float
    least_cosine: float
    same_class: float  # share of images with the same most probable class

    def lines(self) -> Iterator[str]:
        """Yield the report as lines of text for a person."""
        yield (
            f"{self.weights}: calibrated on {self.calibrated_on} photographs. On {self.compared_on} others the cosine "
            f"to float32 has a mean of {self.mean_cosine:.4f} and a minimum of {self.least_cosine:.4f}. "
            f"{self.same_class:.0%} keep their most probable class."
        )
        yield f"Use it with --backbone {INT8} --weights {self.weights} for index and for the bot."


def quantize(settings: Settings, sources: Sequence[str], weights: Path) -> QuantizeReport:
    """Write the weights file of efficientnet-lite0-int8, calibrated on photographs of the sources.

    Args:
        settings: the cache that holds the models.
        weights: the file to write. An existing file is replaced.

    Raises:
        SettingsError: the sources hold too few readable photographs.
        ModelError: the file cannot be written.
    """
    store = ModelStore(settings.cache / "models")
    exact = build_encoder(FLOAT32, store)
    images = _load_images(sources, exact.preprocess)
    calibrating, others = images[::2], images[1::2]
    draft = weights.with_name(f".{weights.name}.draft")
    try:
        weights.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(make(calibrating, store))
        near = build_encoder(INT8, store, str(draft)).embed(others)
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
    return QuantizeReport(
        str(weights),
        len(calibrating),
        len(others),
        round(float(cosines.mean()), 4),
        round(float(cosines.min()), 4),
        round(float(same.mean()), 4),
    )


def _load_images(sources: Sequence[str], preprocess: Callable[[Image.Image], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return preprocessed photographs from all parts of the sources, uint8[n, side, side, 3]."""
    listed = [image.uri for image in list_sources(sources, library="").images]
    images = []
    # A fixed random order, so that the chosen photographs come from the whole list.
    for place in np.random.default_rng(0).permutation(len(listed)).tolist():
        with suppress(ImageError, StorageError):
            images.append(preprocess(decode(read_uri(listed[place], LIMIT_BYTES + 1)).pixels))
        if len(images) == 2 * _CALIBRATION_IMAGES:
            break
    if len(images) < _MIN_IMAGES:
        raise SettingsError(
            f"{', '.join(sources)}: {len(images)} photographs can be read. Calibration needs at least {_MIN_IMAGES}, "
            f"better {2 * _CALIBRATION_IMAGES}. Name folders with more photographs."
        )
    return np.stack(images)
