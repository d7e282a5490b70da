"""Examples for taught names: from indexed images, and from images outside the library."""

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from findimg.errors import FindimgError, ImageError, ObjectMissingError
from findimg.library.layout import taught_thumbnail_key, thumbnail_key
from findimg.search.image_features import ImageFeatures
from findimg.search.searcher import Searcher
from findimg.storage.base import Storage
from findimg.taught.events import Example
from findimg.taught.transfer import LARGEST_THUMBNAIL

_log = logging.getLogger(__name__)


def indexed_example(searcher: Searcher, item: int) -> Example:
    """Return an indexed image as an example, by its item in the catalog."""
    row = searcher.catalog.row(item)
    return _example(row.sha256, searcher.features(item).visual, searcher, row.uri)


def outside_example(searcher: Searcher, sha256: str, features: ImageFeatures) -> Example:
    """Return an image that is not indexed as an example.

    Args:
        searcher: the version whose encoder made the features.
        sha256: of the image file, hex.
        features: of the image.
    """
    return _example(sha256, features.visual, searcher, "")


def embed_thumbnail(
    storage: Storage, example: Example, embed: Callable[[bytes], ImageFeatures]
) -> NDArray[np.floating] | None:
    """Return an example's visual features by another encoder, from its thumbnail.

    The result is None if the example has no thumbnail, or with a warning if the library or the encoder cannot be had.

    Args:
        storage: of the library.
        example: its own features are not used.
        embed: returns the features of an image file.
    """
    for key in (taught_thumbnail_key(example.sha256), thumbnail_key(example.sha256)):
        try:
            return embed(storage.read(key, limit=LARGEST_THUMBNAIL)).visual
        except (ObjectMissingError, ImageError):
            continue
        except FindimgError as error:
            _log.warning("The example %s cannot be embedded: %s", example.sha256, error)
            return None
    return None


def _example(sha256: str, visual: NDArray[np.floating], searcher: Searcher, uri: str) -> Example:
    return Example(sha256, np.asarray(visual, np.float16), searcher.manifest.fingerprint, uri)
