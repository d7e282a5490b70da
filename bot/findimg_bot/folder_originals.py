"""Reads the original images of folder sources, for the page of `findimg-bot try`."""

from pathlib import PurePosixPath

from findimg.errors import FindimgError
from findimg.images import LIMIT_BYTES, decode
from findimg.storage.base import is_path, read_uri
from findimg_bot.served_library import ServedLibrary


class FolderOriginals:
    """Reads the indexed images of folder sources, and nothing else."""

    def __init__(self, served_library: ServedLibrary):
        self._served_library = served_library

    def read(self, path: str) -> bytes | None:
        """Return an image by its path below its source, None where no such image is indexed or readable.

        An indexed file may have been replaced since, so it must still be an image.
        """
        if ".." in PurePosixPath(path).parts:
            return None
        uri = self._uri(path)
        if uri is None:
            self._served_library.refresh(warm=False)  # the image may be in a version that was published since
            uri = self._uri(path)
        if uri is None:
            return None
        try:
            data = read_uri(uri, LIMIT_BYTES + 1)
            decode(data)
        except FindimgError:
            return None
        return data

    def _uri(self, path: str) -> str | None:
        with self._served_library.lend_everything() as searcher:
            sources = [source for source in searcher.manifest.sources if is_folder(source)]
            uris = [f"{source.rstrip('/')}/{path}" for source in sources]
            return next((uri for uri in uris if searcher.catalog.item(uri) is not None), None)


def is_folder(source: str) -> bool:
    """Return whether a source is a folder of this machine."""
    return is_path(source)
