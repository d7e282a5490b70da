"""Images that another encoder of the library has embedded: what it recorded about each, and its thumbnail."""

from collections import defaultdict
from threading import Lock

from findimg.errors import NotPublishedError, ObjectMissingError
from findimg.images import Image
from findimg.storage.base import Storage
from findimg_jobs.indexing.records import SourceImage
from findimg_jobs.store.shards import ImageKey, read_committed, read_rows
from findimg_jobs.store.thumbnails import read_thumbnail

_SHARDS = 4  # whose records are kept


class DescribedImages:
    """The images of one encoder. Several threads may use it."""

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
        committed = read_committed(storage, fingerprint)
        self._keys, self._contents = committed.keys, committed.contents
        self._held: dict[str, list[str]] = defaultdict(list)  # SHA-256 by shard
        for sha256, key in committed.contents.items():
            self._held[key.shard].append(sha256)
        self._records: dict[str, dict[str, dict[str, object]]] = {}  # by shard and SHA-256
        self._lock = Lock()

    def image(self, image: SourceImage) -> Image | None:
        """Return an image with the pixels of its thumbnail, None if it must be read from its source.

        Raises:
            StorageError: the library cannot be read.
        """
        key = self._keys.get((image.uri, image.version))
        holder = key and self._contents.get(key.sha256)
        if holder is None:
            return None
        pixels = read_thumbnail(self._storage, holder.sha256)
        if pixels is None:
            return None
        try:
            record = self._record(holder)
        except (ObjectMissingError, OSError, NotPublishedError):
            return None
        return Image(pixels=pixels, sha256=holder.sha256, **record)  # type: ignore[arg-type]

    def _record(self, holder: ImageKey) -> dict[str, object]:
        """Return what is known about an image besides its pixels, as `Image` names it."""
        with self._lock:
            if holder.shard not in self._records:
                hashes = self._held[holder.shard]
                rows = read_rows(self._storage, self._fingerprint, holder.shard, hashes).metadata.to_pylist()
                while len(self._records) >= _SHARDS:
                    del self._records[next(iter(self._records))]
                self._records[holder.shard] = dict(zip(hashes, rows, strict=True))
            return self._records[holder.shard][holder.sha256]
