"""Read the thumbnails that a library keeps."""

import io

import PIL.Image

from findimg.errors import ObjectMissingError
from findimg.library.layout import thumbnail_key
from findimg.storage.base import Storage


def read_thumbnail(storage: Storage, sha256: str) -> PIL.Image.Image | None:
    """Return the thumbnail of a content in RGB, None if it is missing or damaged.

    Raises:
        StorageError: the library cannot be read.
    """
    try:
        with PIL.Image.open(io.BytesIO(storage.read(thumbnail_key(sha256))), formats=("JPEG",)) as thumbnail:
            return thumbnail.convert("RGB")
    except (ObjectMissingError, OSError, PIL.Image.DecompressionBombError):
        return None
