"""Write a segment's text index: captions from the embedding store, written text from the text store, and names."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from findimg.errors import LibraryError
from findimg.index.text_index import ImageText, write_text_index
from findimg.storage.base import Storage
from findimg.text.tokens import words_of_name
from findimg_jobs.segments.version_images import VersionImages
from findimg_jobs.tables.source_records import SourceImage
from findimg_jobs.text_store.text_shards import read_texts, uncommit_texts

_log = logging.getLogger(__name__)


class TextDraft:
    """Collects texts in a file, in any order, so that they are not all in memory."""

    def __init__(self, path: Path):
        """Create the file. It must not exist yet."""
        self._connection = sqlite3.connect(path)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE captions (item INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
            "CREATE TABLE written (sha256 TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID;"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def add_captions(self, items: Iterable[int], captions: Iterable[str | None]) -> None:
        """Add the captions of some items."""
        rows = ((item, text) for item, text in zip(items, captions, strict=True) if text)
        self._connection.executemany("INSERT INTO captions VALUES (?, ?)", rows)

    def add_written(self, storage: Storage, images: VersionImages) -> None:
        """Add what was read in images. A damaged shard is left out, and uncommitted so that it is read again."""
        for (reader, shard), chosen in images.texts_by_shard():
            try:
                rows = [(text.sha256, text.text) for text in read_texts(storage, reader, shard, chosen)]
            except LibraryError as error:
                _log.warning("The text of %d pictures is left out: %s", len(chosen), error)
                uncommit_texts(storage, reader, shard)
                continue
            self._connection.executemany("INSERT INTO written VALUES (?, ?)", rows)

    def write(self, path: Path, images: Iterable[tuple[SourceImage, str]], roots: Sequence[str]) -> None:
        """Write the text index.

        Args:
            path: the index, which does not exist yet.
            images: the images and their SHA-256, in the order of the items.
            roots: the addresses of the sources.
        """
        with closing(self._connection.execute("SELECT item, text FROM captions ORDER BY item")) as captions:
            write_text_index(path, self._rows(captions, images, roots))

    def _rows(
        self,
        captions: Iterator[tuple[int, str]],
        images: Iterable[tuple[SourceImage, str]],
        roots: Sequence[str],
    ) -> Iterator[ImageText]:
        folders = name_roots(roots)
        following = next(captions, None)
        for item, (image, sha256) in enumerate(images):
            caption = ""
            if following and following[0] == item:
                caption, following = following[1], next(captions, None)
            if image.sidecar:
                lines = [*caption.split("\n"), *image.sidecar.captions.split("\n")]
                caption = "\n".join(dict.fromkeys(filter(None, lines)))
            read = self._connection.execute("SELECT text FROM written WHERE sha256 = ?", (sha256,)).fetchone()
            yield ImageText(read[0] if read else "", caption, words_of_name(below_root(image.uri, folders)))


def name_roots(roots: Sequence[str]) -> list[str]:
    """Return the folders below which file and folder names count as text, the longest first.

    The folders above the sources say nothing about an image. Neither does the name of a source if there is only one,
    because all images share it.
    """
    parents = [root.rstrip("/") for root in roots]
    if len(parents) > 1:
        parents = [parent.rpartition("/")[0] for parent in parents]
    return sorted(set(parents), key=lambda parent: (-len(parent), parent))


def below_root(uri: str, folders: Sequence[str]) -> str:
    """Return the part of an image's address below its source, or the file's name if no source contains it."""
    for folder in folders:
        if uri.startswith(f"{folder}/"):
            return uri[len(folder) + 1 :]
    return uri.rpartition("/")[2]
