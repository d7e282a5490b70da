"""Measure the cosine from which on two images are near-duplicates for an encoder, on the library's own thumbnails.

Encoders differ in how near they put images that look the same, and how near different ones. For image–text models no
value could be measured, so each library measures its own, once for each encoder:

- Thumbnails are encoded again as JPEG of quality 50. 95 % of them must count as near-duplicates of the originals.
- Different images must not. The cosine is at least half way from the nearest different images to an equal one.
  "Nearest" is the 90 % quantile over the sample of each image's best cosine, so that a few bursts do not count.

On 200 of the 1,400 photographs, chosen twice at random, the first rule gives 0.923 and 0.931 for efficientnet-lite0.
Its value was chosen by hand as 0.92. For efficientnet-lite2 the rule gives 0.929 and
0.935. The value by hand is 0.94, and four wrong pairs have more than 0.92. The second rule gives 0.87 to 0.91, so it
decides only for an encoder that puts all images near each other.
"""

import io
import json
import logging
from collections.abc import Set as AbstractSet

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from findimg.encoders.base import ImageEncoder
from findimg.errors import ObjectMissingError
from findimg.library.layout import encoder_key
from findimg.storage.base import Storage
from findimg.vectors import normalised
from findimg_jobs.store.thumbnails import read_thumbnail

COSINE_FILE = "near_duplicates.json"
LEAST_IMAGES = 100  # in a library that is measured
_SAMPLE = 200  # images at most
_QUALITY = 50
_FOUND = 0.95  # share of the images encoded again that are near-duplicates
_NEAREST = 0.9  # quantile over the images of their cosine to the nearest other image
_HIGHEST = 0.995
_BATCH = 32
_log = logging.getLogger(__name__)


def read_near_duplicate_cosine(storage: Storage, fingerprint: str) -> float | None:
    """Return the cosine that a library measured for an encoder, None if it has not.

    Raises:
        StorageError: the library cannot be read.
    """
    try:
        cosine = json.loads(storage.read(encoder_key(fingerprint, COSINE_FILE)))["cosine"]
    except (ObjectMissingError, ValueError, KeyError, TypeError):
        return None
    return cosine if isinstance(cosine, float) and 0 < cosine < 1 else None


def write_near_duplicate_cosine(storage: Storage, fingerprint: str, cosine: float) -> None:
    """Keep the cosine that a library measured for an encoder."""
    storage.write(encoder_key(fingerprint, COSINE_FILE), json.dumps({"cosine": cosine}).encode())


def measure_near_duplicate_cosine(storage: Storage, encoder: ImageEncoder, contents: AbstractSet[str]) -> float:
    """Return the cosine from which on two images are near-duplicates.

    Args:
        storage: the library, with the thumbnails.
        encoder: the encoder.
        contents: SHA-256 of at least LEAST_IMAGES different images.

    Raises:
        StorageError: the library cannot be read.
    """
    _log.info("Measuring near-duplicates of %s. This is done once.", encoder.name)
    chosen = np.random.default_rng(0).permutation(sorted(contents))[:_SAMPLE].tolist()
    thumbnails = [image for sha256 in chosen if (image := read_thumbnail(storage, sha256))]
    visual = _embed(encoder, thumbnails)
    again = _embed(encoder, [_encoded_again(image) for image in thumbnails])
    return near_duplicate_limit((visual * again).sum(axis=1), visual @ visual.T)


def near_duplicate_limit(again: NDArray[np.float32], pairs: NDArray[np.float32]) -> float:
    """Return the cosine from which on two images are near-duplicates.

    Args:
        again: float32[n], cosines of images to themselves after they were encoded again.
        pairs: float32[n, n], cosines of the images to each other.
    """
    others = np.where(np.eye(len(pairs), dtype=np.bool_), -1, pairs)
    nearest = float(np.quantile(others.max(axis=1), _NEAREST))
    return round(min(_HIGHEST, max(float(np.quantile(again, 1 - _FOUND)), (1 + nearest) / 2)), 4)


def _encoded_again(image: PIL.Image.Image) -> PIL.Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY)
    with PIL.Image.open(file) as opened:
        return opened.convert("RGB")


def _embed(encoder: ImageEncoder, images: list[PIL.Image.Image]) -> NDArray[np.float32]:
    """Return visual embeddings, float32[n, dim], each of length 1."""
    parts = [
        encoder.embed(np.stack([encoder.preprocess(image) for image in images[start : start + _BATCH]])).visual
        for start in range(0, len(images), _BATCH)
    ]
    return normalised(np.concatenate(parts))
