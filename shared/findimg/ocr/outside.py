"""Read the text in a picture from outside of a library."""

from findimg.images import decode
from findimg.ocr.lines import joined
from findimg.ocr.reader import READ_SIDES, TextReader


class OutsideReader:
    """Reads pictures that people send. The models are loaded with the first one."""

    def __init__(self, threads: int | None = None):
        """Load nothing yet.

        Args:
            threads: number of cores to use. None for all of this machine.
        """
        self._threads = threads
        self._reader: TextReader | None = None

    def read(self, data: bytes) -> str:
        """Return the lines of text in a picture, separated by line feeds.

        Args:
            data: the bytes of an image file.

        Raises:
            ImageError: the bytes are not an image that findimg can decode, or the models fail.
            ModelError: the extra `ocr` is not installed.
        """
        self._reader = self._reader or TextReader(self._threads)
        return joined(self._reader.read(decode(data, READ_SIDES).pixels))
