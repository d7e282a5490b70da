"""XMP sidecars: files beside an image with its captions, `IMG.jpg.xmp` or `IMG.xmp`.

The plan of a run keeps their captions, so that a run reads only new and changed sidecars.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from findimg.errors import StorageError
from findimg.images.captions import SIDECAR_BYTES, read_sidecar
from findimg.storage.base import read_uri
from findimg_jobs.indexing.records import Sidecar, SourceImage

SUFFIX = ".xmp"
_READERS = 16  # sidecars that are read at the same time
_log = logging.getLogger(__name__)


def is_sidecar(name: str) -> bool:
    """Return whether a file with this name may be a sidecar."""
    return name[-len(SUFFIX) :].lower() == SUFFIX


def with_sidecars(images: Iterable[SourceImage], versions: Mapping[str, str]) -> list[SourceImage]:
    """Return images with their sidecars, which are not read yet.

    Args:
        images: as they were listed.
        versions: the version of each file that `is_sidecar` accepts, by its address.
    """
    if not versions:
        return list(images)
    by_image = {uri[: -len(SUFFIX)]: uri for uri in versions}
    found = []
    for image in images:
        folder, slash, name = image.uri.rpartition("/")
        stem = folder + slash + (name.rpartition(".")[0] or name)
        uri = by_image.get(image.uri) or by_image.get(stem)
        found.append(replace(image, sidecar=Sidecar(uri, versions[uri])) if uri else image)
    return found


def read_captions_beside(images: Sequence[SourceImage], before: Iterable[SourceImage]) -> list[SourceImage]:
    """Return images with the captions of their sidecars.

    A sidecar that cannot be read keeps its captions of the run before, and the next run reads it again.

    Args:
        images: with their sidecars.
        before: the images of the live version, whose sidecars were read.
    """
    known = {image.sidecar.uri: image.sidecar for image in before if image.sidecar}
    changed = [image.sidecar for image in images if image.sidecar and known.get(image.sidecar.uri) != image.sidecar]
    with ThreadPoolExecutor(_READERS) as readers:
        fresh = list(readers.map(_read, changed))
    for sidecar in fresh:
        if sidecar.version:
            known[sidecar.uri] = sidecar
        else:
            old = known.get(sidecar.uri, sidecar)
            known[sidecar.uri] = replace(sidecar, captions=old.captions)
    return [replace(image, sidecar=known[image.sidecar.uri]) if image.sidecar else image for image in images]


def _read(sidecar: Sidecar) -> Sidecar:
    """Return a sidecar with its captions, and without a version if it cannot be read."""
    try:
        data = read_uri(sidecar.uri, SIDECAR_BYTES + 1, sidecar.version)
    except StorageError as error:
        _log.warning("The captions in %s are not read: %s", sidecar.uri, error)
        return replace(sidecar, version="")
    return replace(sidecar, captions=read_sidecar(data))
