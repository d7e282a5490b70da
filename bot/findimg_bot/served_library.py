"""Keeps the published version of a library open, and replaces it when a new one is published."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from findimg.encoders.base import ImageEncoder
from findimg.errors import FindimgError, QueryError
from findimg.images import decode, thumbnail
from findimg.library.carried_encoder import open_encoders, used_parts
from findimg.library.channels import (
    NO_CHANNELS,
    NOTHING_HIDDEN,
    SLACK_PREFIX,
    Channels,
    HiddenPictures,
    PicturePlace,
    hidden_items,
    items_by_channel,
)
from findimg.library.library import Library, Version
from findimg.models.store import ModelStore
from findimg.ocr.new_picture import NewPictureReader
from findimg.search.image_features import ImageFeatures, embed_image
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.search.sentences.text_vectors import TextVectors, text_vectors
from findimg.search.taught.examples import outside_example
from findimg.search.taught.follower import TaughtFollower
from findimg.settings import Settings
from findimg.taught.events import Example
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

_VIEWS = 16  # of one version that stay open
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _OpenVersion:
    searcher: Searcher
    texts: TextVectors  # of the version's encoder
    channels: dict[str, NDArray[np.int64]]  # items of each Slack channel
    hidden_pictures: dict[PicturePlace, NDArray[np.int64]] = field(default_factory=dict)  # items of each
    # By which images are left out: those of channels, and single pictures. The view that was used last comes last.
    views: dict[tuple[Channels, HiddenPictures], "_View"] = field(default_factory=dict)
    queries: int = 0  # running on it
    replaced: bool = False  # then the last query closes it


@dataclass(slots=True)
class _View:
    """A version without some images from Slack."""

    searcher: Searcher | None  # None if no image is left
    queries: int = 0  # running on it


class NoVisibleImageError(QueryError):
    """The person may see none of the library's images."""


class ServedLibrary:
    """Lends each query one version until the query ends. Safe to use from several threads."""

    def __init__(
        self,
        settings: Settings,
        threads: int | None = None,
        hidden: Callable[[], HiddenPictures] = lambda: NOTHING_HIDDEN,
    ):
        """Open nothing yet: each part is opened when it is first needed.

        Args:
            threads: number of CPU threads for the encoder; None uses all.
            hidden: returns the pictures from Slack that nobody may see, for example because they were deleted since
                the version was published.
        """
        self._settings = settings
        self._hidden = hidden
        self._threads = threads
        self._models = ModelStore(settings.cache / "models")
        self._words: dict[str, WordVectors] = {}
        self._opened: _OpenVersion | None = None
        self._encoders: dict[str, ImageEncoder] = {}  # of the live version, by fingerprint
        self._texts: dict[str, TextVectors] = {}  # of the live version's encoder, by its fingerprint
        reads = settings.read_text != "off"
        self._text_reader = NewPictureReader(self._models, settings.scripts, threads) if reads else None
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._opening_view = threading.Lock()

    @cached_property
    def library(self) -> Library:
        """The library that the settings name.

        Raises:
            LibraryError: the settings name no library.
        """
        return Library(self._settings.library, self._settings.cache)

    @cached_property
    def taught(self) -> TaughtFollower:
        """What the team taught in the library."""
        return TaughtFollower(self.library.storage, self.embed)

    def refresh_taught(self) -> None:
        """Answer with what the team has taught by now. While the library cannot be read, the last state stays."""
        with self.lend_everything() as searcher:
            self.taught.keep_current(searcher, interval=0)

    def channels(self) -> Channels:
        """Return the ids of the Slack channels of which the live version has images. Not everybody may see these."""
        with self._lend_version() as opened:
            return frozenset(opened.channels)

    def slack_channels(self) -> set[PicturePlace]:
        """Return the Slack channels of which the live version has images."""
        with self._lend_version() as opened:
            uris = (opened.searcher.catalog.row(int(items[0])).uri for items in opened.channels.values())
            return {PicturePlace(*uri.removeprefix(SLACK_PREFIX).split("/")[:2]) for uri in uris}

    def slack_pictures(self, team: str) -> set[PicturePlace]:
        """Return the images of a Slack workspace that the live version has."""
        with self._lend_version() as opened:
            start = f"{SLACK_PREFIX}{team}/"
            paths = (uri.removeprefix(start).split("/") for _, uri in opened.searcher.catalog.starting_with(start))
            return {PicturePlace(team, path[0], path[1]) for path in paths if len(path) > 2}

    @property
    def version(self) -> str | None:
        """Name of the open version, None before the first one is opened."""
        opened = self._opened
        return opened.searcher.manifest.version if opened else None

    @contextmanager
    def lend(self, visible: Channels = NO_CHANNELS) -> Iterator[Searcher]:
        """Lend the live version to one query. It stays open until the query ends.

        Args:
            visible: the Slack channels whose images the query may see. The version is without the images of all other
                channels, as if they were deleted.

        Raises:
            QueryError: there is no image that the query may see.
            FindimgError: no version is published, or it cannot be opened.
        """
        with self._lend_version() as opened:
            hidden = frozenset(opened.channels) - visible
            pictures = self._hidden_pictures(opened) if opened.channels else NOTHING_HIDDEN
            if not hidden and not pictures:
                yield opened.searcher
                return
            key = hidden, pictures
            with self._opening_view:
                view = opened.views.pop(key, None) or self._open_view(opened, hidden, pictures)
                opened.views[key] = view
                view.queries += 1
                idle = [name for name, each in opened.views.items() if not each.queries]
                for name in idle[: len(opened.views) - _VIEWS]:
                    _close_view(opened.views.pop(name))
            try:
                if view.searcher is None:
                    raise NoVisibleImageError("There are no images here that you may see.")
                self.taught.use_known(view.searcher)
                yield view.searcher
            finally:
                with self._opening_view:
                    view.queries -= 1

    @contextmanager
    def lend_everything(self) -> Iterator[Searcher]:
        """Lend the whole live version, for work of the operator and of the bot itself. Errors as of `lend`."""
        with self._lend_version() as opened:
            yield opened.searcher

    def _hidden_pictures(self, opened: _OpenVersion) -> HiddenPictures:
        """Return the hidden pictures that the version has."""
        hidden = self._hidden()
        for place in hidden - opened.hidden_pictures.keys():
            addresses = place.addresses(opened.channels)
            found = (item for each in addresses for item, _ in opened.searcher.catalog.starting_with(f"{each}/"))
            opened.hidden_pictures[place] = np.fromiter(found, np.int64)
        return frozenset(place for place in hidden if len(opened.hidden_pictures[place]))

    def _open_view(self, opened: _OpenVersion, hidden: Channels, pictures: HiddenPictures) -> _View:
        items = hidden_items(
            [*(opened.channels[name] for name in hidden), *(opened.hidden_pictures[place] for place in pictures)]
        )
        searcher = opened.searcher
        if len(items) == searcher.manifest.images:
            return _View(None)
        return _View(Searcher(searcher.version, searcher.words, text_vectors=opened.texts, hidden=items))

    @contextmanager
    def _lend_version(self) -> Iterator[_OpenVersion]:
        if self._opened is None:
            self.refresh(warm=False)
        with self._lock:
            opened = self._opened
            if opened is None:
                raise self.library.not_published()
            opened.queries += 1
        try:
            yield opened
        finally:
            with self._lock:
                opened.queries -= 1
                last = opened.replaced and not opened.queries
            if last:
                self._close(opened)

    def refresh(self, warm: bool = True) -> bool:
        """Open the version that CURRENT names, if it is not open yet, in place of the old one.

        Queries that are running finish with the old version.

        Args:
            warm: whether to run one query first, so that the first question does not wait for lazy loading.

        Returns:
            Whether the version changed.

        Raises:
            FindimgError: the new version cannot be opened. The old one stays live.
        """
        with self._opening:
            name = self.library.find_live_version()
            if name is None or name == self.version:
                return False
            version = self.library.open(name)
            texts = self._open_texts(version)
            searcher = Searcher(version, self.words(version.manifest.words), text_vectors=texts)
            opened = _OpenVersion(searcher, texts, items_by_channel(searcher.catalog.starting_with(SLACK_PREFIX)))
            self.taught.keep_current(opened.searcher, interval=0)
            if warm:
                _warm(opened.searcher)
            with self._lock:
                old, self._opened = self._opened, opened
                if old:
                    old.replaced = True
                unused = old if old and not old.queries else None
            if unused:
                self._close(unused)
            _log.info("Version %s is live, with %d images.", name, version.manifest.images)
            return True

    def embed(self, data: bytes) -> ImageFeatures:
        """Return the features of an image from outside, by the library's encoder, which is loaded once.

        They have the image's text if the setting `read_text` is not off.

        Args:
            data: the bytes of an image file.

        Raises:
            ImageError: the bytes are not an image that findimg can decode.
            FindimgError: the encoder's weights are missing, or differ from those of the library.
        """
        image = decode(data)
        with self.lend_everything() as searcher:
            features = embed_image(image, searcher.manifest, self._open_encoders(searcher.version))
        return replace(features, text=self._text_reader.read(data)) if self._text_reader else features

    def outside_example(self, data: bytes) -> tuple[Example, bytes]:
        """Return an image from outside as an example for a name, and its thumbnail as a JPEG. Errors as of `embed`."""
        image = decode(data)
        with self.lend_everything() as searcher:
            features = embed_image(image, searcher.manifest, self._open_encoders(searcher.version))
            return outside_example(searcher, image.sha256, features), thumbnail(image)

    def warm_encoder(self) -> None:
        """Load the encoder and run it once, so that the first question and the first uploaded image do not wait.

        Raises:
            FindimgError: the encoder's weights are missing.
        """
        with self.lend_everything() as searcher:
            encoders = self._open_encoders(searcher.version)
            if searcher.knows_words:
                searcher.find(parse("dog"), 1)
        for encoder in encoders:
            encoder.embed(encoder.preprocess(PIL.Image.new("RGB", (320, 240)))[None])

    def words(self, name: str | None = None) -> WordVectors:
        """Return word vectors: those named, else those of the settings, of the live version, or the default.

        Raises:
            FindimgError: the vectors are not on this machine.
        """
        if name is None and not self._settings.words and self._settings.library:
            with self.lend_everything() as searcher:
                return searcher.words
        name = name or self._settings.words or EMBEDDED
        if name not in self._words:
            self._words = {name: open_words(name, self._models.words(name))}
        return self._words[name]

    def close(self) -> None:
        """Close the version. No query may run any more."""
        if self._opened:
            _close_version(self._opened)
            self._opened = None

    def _open_encoders(self, version: Version) -> tuple[ImageEncoder, ...]:
        # Compare fingerprints, because new weights keep the encoder's name.
        wanted = [part.fingerprint for part in used_parts(version.manifest)]
        if not self._encoders.keys() >= set(wanted):
            opened = open_encoders(version, self._models, self._settings.weights or None, self._threads)
            self._encoders = {encoder.fingerprint: encoder for encoder in opened}
            return opened
        return tuple(self._encoders[fingerprint] for fingerprint in wanted)

    def _open_texts(self, version: Version) -> TextVectors:
        """Return the text tower of a version, with the texts that it has computed for former versions."""
        fingerprint = version.manifest.for_words.fingerprint
        if fingerprint not in self._texts:
            self._texts = {fingerprint: text_vectors(version, self._models, self._threads)}
        return self._texts[fingerprint]

    def _close(self, old: _OpenVersion) -> None:
        _close_version(old)
        try:
            self.library.drop_cached(keep=[str(self.version)])
        except FindimgError as error:
            _log.warning("An old version could not be removed from the cache: %s", error)


def _close_version(version: _OpenVersion) -> None:
    for view in version.views.values():
        _close_view(view)
    version.searcher.close()


def _close_view(view: _View) -> None:
    if view.searcher:
        view.searcher.close()


def _warm(searcher: Searcher) -> None:
    """Run one query of each kind, which loads everything that is loaded lazily."""
    if searcher.knows_words:
        searcher.find(parse("dog"), 1)
    seen = searcher.features(0)
    searcher.similar(seen, parse("", image=True), 1)
    if searcher.knows_words:
        searcher.tags(seen, 1)
