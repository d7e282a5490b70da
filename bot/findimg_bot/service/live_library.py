"""The live library: the version that CURRENT names, kept open, and exchanged when another one is published."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import PIL.Image

from findimg.encoders.artefacts import ModelStore
from findimg.encoders.base import ImageEncoder
from findimg.errors import FindimgError, LibraryError
from findimg.images import decode
from findimg.library.encoder import open_encoder
from findimg.library.library import Library, Version
from findimg.search.query import parse
from findimg.search.searcher import ImageFeatures, Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Opened:
    searcher: Searcher
    queries: int = 0  # that are being answered by it
    replaced: bool = False  # closed by the last of them


class LiveLibrary:
    """Gives every query one version for as long as it takes; may be used from several threads."""

    def __init__(self, settings: Settings, threads: int | None = None):
        """Names the library; each part is opened when it is first needed.

        Args:
            threads: how many CPU threads the backbone may use; None is all.
        """
        self._settings = settings
        self._threads = threads
        self._models = ModelStore(settings.cache / "models")
        self._words: dict[str, WordVectors] = {}
        self._live: _Opened | None = None
        self._seeing: ImageEncoder | None = None
        self._seeing_for = ""  # fingerprint in the manifest of the version that it was opened for
        self._lock = threading.Lock()
        self._opening = threading.Lock()

    @cached_property
    def library(self) -> Library:
        """The library that the settings name.

        Raises:
            LibraryError: they name none.
        """
        return Library(self._settings.library, self._settings.cache)

    @property
    def version(self) -> str | None:
        """The version that is open, None before the first."""
        live = self._live
        return live.searcher.manifest.version if live else None

    @contextmanager
    def lease(self) -> Iterator[Searcher]:
        """The live version for one query: it stays open, and the same, until the query ends.

        Raises:
            FindimgError: nothing is published, or it cannot be opened.
        """
        if self._live is None:
            self.refresh(warm=False)
        with self._lock:
            live = self._live
            if live is None:
                raise LibraryError(f"Nothing is published in {self.library.uri}; run findimg-jobs index first.")
            live.queries += 1
        try:
            yield live.searcher
        finally:
            with self._lock:
                live.queries -= 1
                last = live.replaced and not live.queries
            if last:
                self._close(live)

    def refresh(self, warm: bool = True) -> bool:
        """Opens the version that CURRENT names, if it is another one, and exchanges it for the old.

        Queries go on with the old version meanwhile, and those that have begun end with it.

        Args:
            warm: whether to ask it once first, so that the first question need not wait for what is made lazily.

        Returns:
            Whether it was another one.

        Raises:
            FindimgError: it cannot be opened; the old one stays.
        """
        with self._opening:
            name = self.library.current()
            if name is None or name == self.version:
                return False
            version = self.library.open(name)
            opened = _Opened(Searcher(version, self.words(version.manifest.words)))
            if warm:
                _warm(opened.searcher)
            with self._lock:
                old, self._live = self._live, opened
                if old:
                    old.replaced = True
                unused = old if old and not old.queries else None
            if unused:
                self._close(unused)
            _log.info("Version %s is live, with %d images.", name, version.manifest.images)
            return True

    def see(self, data: bytes) -> ImageFeatures:
        """Embeds an image from outside with the library's backbone, which is loaded once.

        Raises:
            ImageError: these bytes are no image that findimg reads.
            FindimgError: the backbone's weights are missing, or not those that the library was made with.
        """
        image = decode(data)
        with self.lease() as searcher:
            return searcher.see(image, self._backbone(searcher.version))

    def warm_backbone(self) -> None:
        """Loads the backbone and traces it, so that the first uploaded image need not wait.

        Raises:
            FindimgError: its weights are missing.
        """
        with self.lease() as searcher:
            backbone = self._backbone(searcher.version)
        backbone.embed(backbone.preprocess(PIL.Image.new("RGB", (320, 240)))[None])

    def words(self, name: str | None = None) -> WordVectors:
        """Word vectors: those named, else those that the settings name, else the live version's, else the default.

        Raises:
            FindimgError: they are not on this machine.
        """
        if name is None and not self._settings.words and self._settings.library:
            with self.lease() as searcher:
                return searcher.words
        name = name or self._settings.words or EMBEDDED
        if name not in self._words:
            self._words = {name: open_words(name, self._models.words(name))}
        return self._words[name]

    def close(self) -> None:
        """Closes what is open; nothing may be asked any more."""
        if self._live:
            self._live.searcher.close()
            self._live = None

    def _backbone(self, version: Version) -> ImageEncoder:
        if self._seeing is None or self._seeing_for != version.manifest.fingerprint:
            self._seeing = open_encoder(version, self._models, self._settings.weights or None, self._threads)
            self._seeing_for = version.manifest.fingerprint
        return self._seeing

    def _close(self, old: _Opened) -> None:
        old.searcher.close()
        try:
            self.library.drop_cached(before=str(self.version))
        except FindimgError as error:
            _log.warning("An old version stays in the cache: %s", error)


def _warm(searcher: Searcher) -> None:
    """Asks once for all that a first question would have to wait for: what is made lazily, pages from disk."""
    if searcher.manifest.joint:
        searcher.find(parse("dog"), 1)
    seen = searcher.seen(0)
    searcher.similar(seen, parse("", image=True), 1)
    if searcher.manifest.joint:
        searcher.tags(seen, 1)
