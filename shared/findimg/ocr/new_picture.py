"""Read the text in a picture from outside of a library."""

from collections.abc import Collection

from findimg.images import decode
from findimg.models.store import ModelStore
from findimg.ocr.lines import joined
from findimg.ocr.reader import READ_SIDES, TextReader
from findimg.ocr.scripts import script_models


class NewPictureReader:
    """Reads pictures that people send. The models are loaded with the first one."""

    def __init__(self, store: ModelStore, scripts: Collection[str] = (), threads: int | None = None):
        """Load nothing yet.

        Args:
            store: has the models of further scripts.
            scripts: the further scripts, keys of `SCRIPTS`.
            threads: number of cores to use. None for all of this machine.
        """
        self._store = store
        self._scripts = scripts
        self._threads = threads
        self._reader: TextReader | None = None

    def read(self, data: bytes) -> str:
        """Return the lines of text in a picture, separated by line feeds.

        Args:
            data: the bytes of an image file.

        Raises:
            ImageError: the bytes are not an image that findimg can decode, or the models fail.
            ModelError: the extra `ocr` is not installed, or the model of a script cannot be had.
            SettingsError: a script is unknown.
        """
        self._reader = self._reader or TextReader(self._threads, script_models(self._scripts, self._store))
        return joined(self._reader.read(decode(data, READ_SIDES).pixels))
