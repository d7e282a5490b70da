"""Thumbnails of uploaded images, in the sizes that Slack makes."""

import io
import re
import warnings
from urllib.parse import quote

import pillow_heif
from PIL import Image

from findimg_bot.local_slack.model.state import File, Json, Team

_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_HEIC = re.compile(rb".{4}ftyp(?:heic|heix|mif1)", re.DOTALL)
_SQUARE = (64, 80, 160)  # pixels on a side, cropped
_FITTED = (360, 480, 720, 800, 960, 1024)  # pixels of the longer side
SIZES = (*_SQUARE, *_FITTED)


def open_image(data: bytes) -> Image.Image:
    """Return an image, not decoded yet.

    Raises:
        OSError, ValueError, SyntaxError, PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning:
            the data is broken or has too many pixels.
    """
    if _HEIC.match(data):
        return pillow_heif.open_heif(io.BytesIO(data)).to_pillow()
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(data), formats=_FORMATS)


def describe_thumbnails(team: Team, file: File, address: str) -> Json:
    """Return the `thumb_*` fields of an image; none of a file whose size in pixels is unknown.

    Args:
        address: where the workspace serves files.
    """
    if not file.width:
        return {}
    fields: Json = {}
    for size in SIZES:
        # The smallest fitted size is there for every image, the others where the image is larger.
        if size > 360 and size >= max(file.width, file.height):
            break
        fields[f"thumb_{size}"] = f"{address}/files-tmb/{team.id}-{file.id}/{quote(file.name)}_{size}.jpg"
        if size in _FITTED:
            scale = min(1.0, size / max(file.width, file.height))
            fields[f"thumb_{size}_w"] = max(1, round(file.width * scale))
            fields[f"thumb_{size}_h"] = max(1, round(file.height * scale))
    return fields


def thumbnail(data: bytes, size: int) -> bytes:
    """Return a JPEG of an image, as `thumb_<size>` names it.

    Raises:
        As `open_image`.
    """
    image = open_image(data).convert("RGB")
    if size in _SQUARE:
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.resize((size, size), box=(left, top, left + side, top + side))
    else:
        image.thumbnail((size, size))
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()
