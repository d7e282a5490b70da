"""The features of one image, with which it is searched for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from findimg.encoders.base import ImageEncoder
from findimg.errors import LibraryError
from findimg.images import Image
from findimg.library.carried_encoder import used_parts
from findimg.library.manifest import Manifest
from findimg.search.scoring import best_first


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """The output of a library's encoders for one image."""

    visual: NDArray[np.float32]  # float32[dim], by the encoder that finds images by image
    # By the encoder that finds images by words: int[m], most probable first. Empty for an encoder without classes.
    classes: NDArray[np.integer]
    probabilities: NDArray[np.float32]  # float32[m]
    for_words: NDArray[np.float32] | None = None  # float32[dim], by the encoder for words if it is another one
    made_by: tuple[str, ...] = ()  # fingerprints of these encoders, in their order. Empty for an indexed image.
    text: str = ""  # lines that were read in it, separated by line feeds


def embed_image(image: Image, manifest: Manifest, encoders: Sequence[ImageEncoder], top: int = 20) -> ImageFeatures:
    """Return the features of an image that is not indexed.

    Args:
        image: the decoded image.
        manifest: of the version that is searched.
        encoders: the version's encoders, as `open_encoders` returns them.
        top: number of most probable classes to keep.

    Raises:
        LibraryError: one of `encoders` is another one, or has other weights.
    """
    parts = used_parts(manifest)
    for part, encoder in zip(parts, encoders, strict=True):
        if encoder.fingerprint != part.fingerprint:
            raise LibraryError(
                f"The library was made with {part.backbone} {part.fingerprint}. This encoder is {encoder.name} "
                f"{encoder.fingerprint}. Use the same --weights as for index."
            )
    encoded = [encoder.embed(encoder.preprocess(image.pixels)[None]) for encoder in encoders]
    visual, by_words = encoded[0].visual[0], encoded[-1]
    for_words = by_words.visual[0] if len(encoded) > 1 else None
    made_by = tuple(part.fingerprint for part in parts)
    if by_words.probabilities is None:
        return ImageFeatures(visual, np.empty(0, np.int64), np.empty(0, np.float32), for_words, made_by)
    order = best_first(by_words.probabilities[0])[:top]
    return ImageFeatures(visual, order, by_words.probabilities[0][order], for_words, made_by)


def fits(features: ImageFeatures, manifest: Manifest, to_words: bool = False) -> bool:
    """Return whether a version's encoders made some features. A bot keeps those of uploaded images for days.

    Args:
        features: of an image.
        manifest: of the version.
        to_words: whether they are compared with words, not with images.
    """
    parts = used_parts(manifest)
    vectors = (features.visual, features.for_words)[: len(parts)]
    if not to_words:
        parts, vectors = parts[:1], vectors[:1]
    made_by = features.made_by if to_words else features.made_by[:1]
    is_known = made_by in ((), tuple(part.fingerprint for part in parts))
    return is_known and all(
        vector is not None and vector.shape == (part.dim,) for part, vector in zip(parts, vectors, strict=True)
    )
