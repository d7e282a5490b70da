"""Read thumbnails and facts of images that another encoder has embedded, instead of the images themselves."""

from collections import defaultdict
from collections.abc import Iterable
from threading import Lock

from cachetools import LRUCache

from findimg.errors import NotPublishedError, ObjectMissingError
from findimg.images import Image, ImageFacts
from findimg.storage.base import Storage
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.shards import ImageKey, read_rows
from findimg_jobs.store.thumbnails import read_thumbnail
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import SourceImage

_SHARDS = 4  # whose facts are kept


class StoredThumbnails:
    """Thumbnails and facts of the images that one encoder has embedded. Several threads may use it."""

    def __init__(self, storage: Storage, fingerprint: str):
        """Read which images the encoder has embedded.

        Args:
            storage: the library.
            fingerprint: of the encoder.

        Raises:
            StorageError: the library cannot be read.
        """
        self._storage = storage
        self._fingerprint = fingerprint
        self._committed = read_committed(storage, fingerprint)
        self._holders: dict[tuple[str, str], ImageKey] = {}  # rows with the vectors of images, by (URI, etag)
        self._held: dict[str, list[str]] = {}  # SHA-256 by shard
        self._facts_by_shard: LRUCache[str, dict[str, ImageFacts]] = LRUCache(_SHARDS)  # by shard and SHA-256
        self._lock = Lock()

    def look_up(self, images: Iterable[SourceImage]) -> None:
        """Look up the images that `image` is asked for next."""
        keys = self._committed.keys_of(ImageTable.of(images))
        holders = self._committed.rows_with_vectors(key.sha256 for key in keys.values())
        self._holders = {pair: holders[key.sha256] for pair, key in keys.items()}
        self._held = defaultdict(list)
        for sha256, holder in holders.items():
            self._held[holder.shard].append(sha256)
        self._facts_by_shard.clear()

    def image(self, image: SourceImage) -> Image | None:
        """Return an image with the pixels of its thumbnail, None if it must be read from its source.

        Args:
            image: one of the images that were looked up.

        Raises:
            StorageError: the library cannot be read.
        """
        holder = self._holders.get((image.uri, image.etag))
        if holder is None:
            return None
        pixels = read_thumbnail(self._storage, holder.sha256)
        if pixels is None:
            return None
        try:
            facts = self._facts(holder)
        except (ObjectMissingError, OSError, NotPublishedError):
            return None
        return Image(pixels, holder.sha256, facts)

    def _facts(self, holder: ImageKey) -> ImageFacts:
        with self._lock:
            if holder.shard not in self._facts_by_shard:
                hashes = self._held[holder.shard]
                rows = read_rows(self._storage, self._fingerprint, holder.shard, hashes).facts.to_pylist()
                self._facts_by_shard[holder.shard] = dict(zip(hashes, [ImageFacts(**row) for row in rows], strict=True))
            return self._facts_by_shard[holder.shard][holder.sha256]
