"""Keep a searcher up to date with what the team teaches in the library."""

import logging
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from findimg.errors import StorageError
from findimg.search.image_features import ImageFeatures
from findimg.search.searcher import Searcher
from findimg.search.taught.examples import embed_thumbnail
from findimg.storage.base import Storage
from findimg.taught.events import Example
from findimg.taught.log import TaughtLog

INTERVAL = 2.0  # seconds between two reads of the events
_log = logging.getLogger(__name__)


class TaughtFollower:
    """Follows the events of one library. Several threads may use it at the same time."""

    def __init__(self, storage: Storage, embed: Callable[[bytes], ImageFeatures]):
        """Read nothing yet.

        Args:
            storage: of the library.
            embed: returns the features of an image file by the encoder of the live version, for examples that another
                encoder embedded.
        """
        self.log = TaughtLog(storage)
        self._storage = storage
        self._embed = embed
        self._lock = threading.Lock()
        self._read = float("-inf")  # time of the last read
        self._reported = ""  # the last problem that was logged

    def use_known(self, searcher: Searcher) -> None:
        """Let a searcher answer with the names that were read last, without reading again."""
        state = self.log.state
        if searcher.taught is not state:
            searcher.use_taught(state, self._vector_of)

    def read_now(self, searcher: Searcher) -> None:
        """Read new events at once, and let a searcher answer with them.

        Raises:
            StorageError: the library cannot be reached. What was taught before stays.
        """
        self.log.refresh()
        self.use_known(searcher)

    def keep_current(self, searcher: Searcher, interval: float = INTERVAL) -> None:
        """Let a searcher answer with the names that are taught, which are read at most every `interval` seconds.

        An outage of the library is logged once. What was taught before stays.
        """
        with self._lock:
            is_due = time.monotonic() - self._read > interval
            if is_due:
                self._read = time.monotonic()
        if is_due:
            try:
                self.log.refresh()
                self._reported = ""
            except StorageError as error:
                if str(error) != self._reported:
                    self._reported = str(error)
                    _log.warning("Taught names cannot be read: %s", error)
        self.use_known(searcher)

    def _vector_of(self, example: Example) -> NDArray[np.floating] | None:
        return embed_thumbnail(self._storage, example, self._embed)
