"""The public interface: open a library, and search it.

Everything here is available from `findimg` itself.
"""

import getpass
import os
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from findimg.api_results import Hit, Hits, RelatedWord, Tag, TaughtName
from findimg.encoders.base import ImageEncoder
from findimg.errors import QueryError
from findimg.images import LIMIT_BYTES, decode, thumbnail
from findimg.library.carried_encoder import open_encoders
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.ocr.new_picture import NewPictureReader
from findimg.plugins import PATIENCE, AddReport, find_add
from findimg.search.answers.results import Answer
from findimg.search.image_features import ImageFeatures, embed_image
from findimg.search.query import Query, parse
from findimg.search.ranking import MAX_HITS
from findimg.search.searcher import Searcher
from findimg.search.sentences.text_vectors import text_vectors
from findimg.search.taught.examples import indexed_example, outside_example
from findimg.search.taught.follower import TaughtFollower
from findimg.settings import load_settings
from findimg.storage.base import is_path, read_uri
from findimg.taught.events import Example
from findimg.taught.log import TaughtLog
from findimg.taught.teaching import Lesson, TeachReport, add_lesson, erase_examples, find_name, remove_name
from findimg.taught.transfer import export_names
from findimg.text.vectors import open_words


class OpenedLibrary:
    """The published version of a library, opened for searching.

    It is a context manager, and several threads may use it at the same time. It keeps answering from the version that
    was published when it was opened, or by its last `add`.
    """

    def __init__(self, library: Library, cache: Path):
        self._library = library
        self._cache = cache
        self._models = ModelStore(cache / "models")
        self._searcher = self._open_live()
        self._storage = library.storage
        self._follower = TaughtFollower(
            library.storage, lambda data: embed_image(decode(data), self._searcher.manifest, self._encoders)
        )

    def _open_live(self) -> Searcher:
        version = self._library.open()
        words = version.manifest.words
        vectors = open_words(words, self._models.words(words))
        return Searcher(version, vectors, text_vectors=text_vectors(version, self._models))

    def _current_searcher(self) -> Searcher:
        """Return the searcher, with what the team has taught by now."""
        self._follower.keep_current(self._searcher)
        return self._searcher

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Return the number of images in the library."""
        return self._searcher.manifest.images

    def close(self) -> None:
        """Close the library's files. The library must not be used afterwards."""
        self._searcher.close()

    def search(self, text: str, k: int = 10, skip: int = 0) -> Hits:
        """Return the images that fit a query, best first.

        Args:
            text: a query as in Slack, for example `cat sofa`, `"fire engine" -dog` or `beach after:2024-06-01`.
            k: the most images to return, 1 to 1000.
            skip: number of hits to leave out at the start, for paging.

        Raises:
            QueryError: the query cannot be parsed, or all its words are unknown.
        """
        _check_page(k, skip)
        query = parse(text, today=date.today())
        searcher = self._current_searcher()
        if query.like is None:
            return _hits(searcher.find(query, k, skip))
        item, features = searcher.look_up(query.like)
        return _hits(searcher.similar(features, query, k, excluded=item, skip=skip))

    def similar(self, image: str | os.PathLike[str], k: int = 10, skip: int = 0) -> Hits:
        """Return the images that look most like an image, best first.

        Args:
            image: path or s3:// address of an image file. An image of the library is left out of its own results.
            k: the most images to return, 1 to 1000.
            skip: number of hits to leave out at the start, for paging.

        Raises:
            ImageError: the file is not an image that findimg reads.
            SettingsError: the address is not valid.
            StorageError: the file cannot be read.
            ModelError: the library does not carry its image encoder, and the encoder is not installed.
        """
        _check_page(k, skip)
        searcher = self._current_searcher()
        item, features = self._features(searcher, image)
        return _hits(searcher.similar(features, Query(""), k, excluded=item, skip=skip))

    def tags(self, image: str | os.PathLike[str], k: int = 10) -> list[Tag]:
        """Return words for what an image shows, best first.

        Args:
            image: path or s3:// address of an image file, in the library or not.
            k: the most words to return, 1 to 1000.

        Raises:
            ImageError: the file is not an image that findimg reads.
            SettingsError: the address is not valid.
            StorageError: the file cannot be read.
            ModelError: the library does not carry its image encoder, and the encoder is not installed.
            QueryError: the library's encoder has no classes, so it cannot tag.
        """
        _check_page(k)
        searcher = self._current_searcher()
        _, features = self._features(searcher, image)
        return [Tag(tag.word, tag.score) for tag in searcher.tags(features, k)]

    def text(self, image: str | os.PathLike[str]) -> str:
        """Return the text in an image, one line below the other. Empty if there is none.

        The text of an image of the library is what was read when it was indexed. Another image is read now.

        Args:
            image: path or s3:// address of an image file, in the library or not.

        Raises:
            ImageError: the file is not an image that findimg reads.
            SettingsError: the address is not valid.
            StorageError: the file cannot be read.
            ModelError: the image is not in the library, and the extra `ocr` is not installed.
        """
        uri = _absolute(image)
        searcher = self._current_searcher()
        item = searcher.catalog.item(uri)
        if item is not None:
            return searcher.written(item)
        return self._text_reader.read(read_uri(uri, LIMIT_BYTES + 1))

    def words(self, word: str, k: int = 10) -> list[RelatedWord]:
        """Return the words with the most similar meaning, the word itself first.

        Args:
            word: one word.
            k: the most words to return, 1 to 1000.

        Raises:
            QueryError: the word is unknown. The message names similar spellings.
        """
        _check_page(k)
        return [RelatedWord(found, distance) for found, distance in self._current_searcher().words.nearest(word, k)]

    def add(self, images: Iterable[str | os.PathLike[str]], wait: float = PATIENCE) -> AddReport:
        """Add new or changed images to the library, publish the result, and search in it from now on.

        Images must be inside the library's sources, where the next run of `findimg-jobs index` finds them. The extra
        `jobs` must be installed. Several callers wait for each other. A run of `index` keeps them waiting
        only while it publishes.

        Args:
            images: paths and s3:// addresses.
            wait: seconds to wait for another run that writes to the library.

        Raises:
            LibraryError: the extra `jobs` is missing, or an image is in no source of the library or was forgotten.
            SettingsError: an image does not exist.
            StorageError: an image cannot be read, or the library cannot be written.
            FindimgError: no image could be added, or another run is still writing.
        """
        add = find_add()
        settings = load_settings(library=self._library.uri, cache=self._cache)
        report = add(settings, [_absolute(image) for image in images], wait)
        # Other threads may still use the former searcher. Its files are closed with its last reference.
        self._searcher = self._open_live()
        return report

    def teach(
        self,
        name: str,
        like: Iterable[str | os.PathLike[str]] = (),
        unlike: Iterable[str | os.PathLike[str]] = (),
        *,
        by: str = "",
    ) -> TaughtName:
        """Teach a name with example images, for everybody who searches this library.

        Args:
            name: a word or phrase of at most 60 characters and 6 words. A search for it uses the examples from now on.
            like: paths and s3:// addresses of images that show it, in the library or not.
            unlike: images that do not show it.
            by: who teaches. The default is `terminal/<user>`.

        Raises:
            QueryError: the name is not valid, an image is given as both, or there are too many names or examples.
            ImageError: a file is not an image that findimg reads.
            StorageError: a file cannot be read, or the library cannot be written.
            ModelError: an image is not indexed, and the library does not carry its image encoder.
        """
        thumbnails: dict[str, bytes] = {}
        lesson = Lesson(
            name,
            [self._example(image, thumbnails) for image in like],
            [self._example(image, thumbnails) for image in unlike],
            thumbnails,
        )
        report = self.teach_lesson(lesson, by)
        return next(each for each in self.taught() if each.name == report.name)

    def teach_lesson(self, lesson: Lesson, by: str = "") -> TeachReport:
        """Teach a name with examples that are embedded already, and return what changed. Errors as of `teach`."""
        report = add_lesson(self._storage, self.taught_log, by or local_person(), lesson)
        self._follower.use_known(self._searcher)
        return report

    def untaught(self, name: str, *, by: str = "") -> int:
        """Take a taught name back, with all its examples, and return their number.

        Args:
            name: as a person would search for it.
            by: who does it. The default is `terminal/<user>`.

        Raises:
            QueryError: nobody taught the name.
            StorageError: the library cannot be written.
        """
        removed = remove_name(self.taught_log, by or local_person(), name)
        self._follower.use_known(self._searcher)
        return removed

    def erase_taught(self, person: str) -> int:
        """Delete everything that a person taught, so that nothing of it is left, and return the number of examples.

        Args:
            person: as `TaughtName.by` names one.

        Raises:
            StorageError: the library cannot be written.
        """
        erased = erase_examples(self._storage, self.taught_log, people=[person])
        self._follower.use_known(self._searcher)
        return erased

    def taught(self, name: str = "") -> list[TaughtName]:
        """Return the names that the team taught, the oldest first.

        Args:
            name: return only this name. The default is all.

        Raises:
            QueryError: nobody taught `name`.
            StorageError: the library cannot be read.
        """
        self._follower.read_now(self._searcher)
        state = self.taught_log.state
        names = [find_name(state, name)] if name else state.names.values()
        return [
            TaughtName(
                each.name,
                sum(example.shows for example in each.taught),
                sum(not example.shows for example in each.taught),
                each.people,
            )
            for each in names
        ]

    def export_taught(self) -> str:
        """Return all taught names with their examples as JSON, which `findimg-jobs teach --import` reads.

        Raises:
            StorageError: the library cannot be read.
        """
        return export_names(self.taught_log.refresh(), self._storage)

    @property
    def taught_log(self) -> TaughtLog:
        """Return the events that people taught, for export and audit."""
        return self._follower.log

    def _example(self, image: str | os.PathLike[str], thumbnails: dict[str, bytes]) -> Example:
        """Return an image as an example. The thumbnail of one that is not indexed is added to `thumbnails`."""
        uri = _absolute(image)
        searcher = self._current_searcher()
        item = searcher.catalog.item(uri)
        if item is not None:
            return indexed_example(searcher, item)
        decoded = decode(read_uri(uri, LIMIT_BYTES + 1))
        thumbnails[decoded.sha256] = thumbnail(decoded)
        return outside_example(searcher, decoded.sha256, embed_image(decoded, searcher.manifest, self._encoders))

    def _features(self, searcher: Searcher, image: str | os.PathLike[str]) -> tuple[int | None, ImageFeatures]:
        """Return an image's item in the searcher's version, None if it is not in it, and its features."""
        uri = _absolute(image)
        item = searcher.catalog.item(uri)
        if item is not None:
            return item, searcher.features(item)
        return None, embed_image(decode(read_uri(uri, LIMIT_BYTES + 1)), searcher.manifest, self._encoders)

    @cached_property
    def _text_reader(self) -> NewPictureReader:
        return NewPictureReader(self._models, load_settings().scripts)

    @cached_property
    def _encoders(self) -> tuple[ImageEncoder, ...]:
        return open_encoders(self._searcher.version, self._models)


def open(uri: str | os.PathLike[str], *, cache: str | os.PathLike[str] | None = None) -> OpenedLibrary:
    """Open the published version of a library.

    Args:
        uri: the library, a folder or `s3://bucket/prefix`.
        cache: a folder for models and for copies of libraries in S3. None takes the setting `cache`, which is
            FINDIMG_CACHE, else the key in findimg.toml, else the user's cache folder.

    Raises:
        SettingsError: the address or the setting is not valid.
        LibraryError: nothing is published at `uri`, or the library is damaged.
        StorageError: the library cannot be reached.
        ModelError: the library's word vectors are not on this machine.
    """
    folder = load_settings().cache if cache is None else Path(cache)
    return OpenedLibrary(Library(os.fspath(uri), folder), folder)


def local_person() -> str:
    """Return who teaches from this machine, as events name a person: `terminal/<user>`."""
    try:
        return f"terminal/{getpass.getuser()}"
    except (KeyError, OSError):
        return f"terminal/{os.getuid()}"  # in a container a user may have no name


def _absolute(image: str | os.PathLike[str]) -> str:
    """Return the address of an image as the library would write it."""
    uri = os.fspath(image)
    return os.path.abspath(os.path.expanduser(uri)) if is_path(uri) else uri


def _check_page(k: int, skip: int = 0) -> None:
    if not 1 <= k <= MAX_HITS:
        raise QueryError(f"k must be from 1 to {MAX_HITS}. Received: {k}.")
    if skip < 0:
        raise QueryError(f"skip must be 0 or more. Received: {skip}.")


def _hits(answer: Answer) -> Hits:
    hits = (
        Hit(
            uri=hit.uri,
            score=hit.score,
            width=hit.width,
            height=hit.height,
            sha256=hit.sha256,
            taken=hit.taken,
            copies=hit.copies,
            near_duplicates=hit.near_duplicates,
            dated_by=hit.dated_by,
            matched=str(hit.matched) if hit.matched else None,
        )
        for hit in answer.hits
    )
    return Hits(hits, answer.note, answer.total)
