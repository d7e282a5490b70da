"""The vectors of texts that people search for."""

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from threading import Lock

import numpy as np
from cachetools import LRUCache, cachedmethod
from numpy.typing import NDArray

from findimg.encoders.base import TextEncoder, embed_prompts
from findimg.library.carried_encoder import open_text_encoder
from findimg.library.library import Version
from findimg.models.store import ModelStore

_KEPT = 4096  # texts, about 2 KB each


class TextVectors:
    """A text tower that is opened when the first text comes, with a cache. Several threads may use it."""

    def __init__(self, open_encoder: Callable[[], TextEncoder]):
        """Open nothing yet.

        Args:
            open_encoder: opens the text tower.
        """
        self._open_encoder = open_encoder
        self._encoder: TextEncoder | None = None
        self._vectors: LRUCache[object, NDArray[np.float32]] = LRUCache(_KEPT)
        self._lock = Lock()
        self._opening = Lock()

    @property
    def encoder(self) -> TextEncoder:
        """Return the text tower.

        Raises:
            FindimgError: it cannot be opened.
        """
        with self._opening:
            if self._encoder is None:
                self._encoder = self._open_encoder()
            return self._encoder

    @cachedmethod(attrgetter("_vectors"), lock=attrgetter("_lock"))
    def __call__(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a text, float32[dim] of length 1, which must not be changed.

        Raises:
            FindimgError: the text tower cannot be opened, or cannot compute the text.
        """
        vector: NDArray[np.float32] = embed_prompts(self.encoder, [text])[0]
        return vector


def text_vectors(version: Version, store: ModelStore, threads: int | None = None) -> TextVectors:
    """Return the text tower of a version's encoder, which is opened when the first text comes.

    Args:
        version: any version. If it has no text tower, the result must not be called.
        store: where a model's files are kept together.
        threads: texts computed at the same time. None is one per core.
    """
    return TextVectors(partial(open_text_encoder, version, store, threads))
