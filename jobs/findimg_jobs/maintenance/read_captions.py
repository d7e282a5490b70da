"""Read the captions of images that an older release indexed without them."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from findimg.errors import ImageError, StorageError
from findimg.images import LIMIT_BYTES, decode
from findimg.images.decode import ignore_pillow_warnings
from findimg.settings import Settings
from findimg.storage.base import Storage, read_uri
from findimg_jobs.build.rebuild import VersionChange, publish_images
from findimg_jobs.build.reuse import segments_with
from findimg_jobs.build.write_session import write_to_live
from findimg_jobs.store.plan import read_images
from findimg_jobs.store.shards import (
    CommittedShard,
    Stats,
    commit_table,
    holds_vectors,
    read_shards,
    read_table,
    uncommit_if_damaged,
    with_metadata,
)

_READERS = 8  # images that are read at the same time


@dataclass(frozen=True, slots=True)
class CaptionReport:
    """Counts of what `read_missing_captions` read."""

    version: str  # the live version, with the captions
    images: int  # images that were read
    captioned: int  # those that have captions
    failed: int  # images that could not be read; the next call reads them again

    def lines(self) -> list[str]:
        """Return the report as lines of text for a person."""
        lines = [f"Read {self.images} images, {self.captioned} of them have captions. Version {self.version} is live."]
        if self.failed:
            lines.append(f"{self.failed} images could not be read. Run again when their source can be reached.")
        return lines


def read_missing_captions(settings: Settings) -> CaptionReport:
    """Read the captions of all images that were indexed without them, and publish a version that has them.

    Nothing is embedded. A call after an interruption goes on with the shards that are left.

    Raises:
        FindimgError: nothing was published. What was read is kept.
    """
    ignore_pillow_warnings()
    read = failed = 0
    captioned: set[str] = set()
    with write_to_live(settings) as (session, live):
        library = session.library
        for fingerprint in [part.fingerprint for part in live.parts]:
            for shard in read_shards(library.storage, fingerprint):
                found = _read_shard(library.storage, fingerprint, shard)
                read, failed = read + found.read, failed + found.failed
                captioned |= found.captioned
                session.lock.check()
        if captioned:
            holding = {segment.name for segment in segments_with(library, live, (), captioned)}
            images = read_images(library.storage, live.run)
            change = VersionChange(live.run, images, allow_shrink=True, rewritten=holding)
            live = publish_images(session, settings, live, change)
    return CaptionReport(live.version, read, len(captioned), failed)


@dataclass(frozen=True, slots=True)
class _ShardCaptions:
    """What was read for one shard."""

    read: int
    failed: int
    captioned: frozenset[str]  # SHA-256 of images with captions


def _read_shard(storage: Storage, fingerprint: str, shard: CommittedShard) -> _ShardCaptions:
    """Read the captions that a shard lacks, and write the shard again with them."""
    with uncommit_if_damaged(storage, fingerprint, shard.name):
        table = with_metadata(read_table(storage, fingerprint, shard.name))
    captions: list[str | None] = table["captions"].to_pylist()
    has_vectors = holds_vectors(table).to_pylist()
    missing = [row for row, text in enumerate(captions) if text is None and has_vectors[row]]
    if not missing:
        return _ShardCaptions(0, 0, frozenset())
    uris, versions = table["uri"].to_pylist(), table["version"].to_pylist()
    with ThreadPoolExecutor(_READERS) as readers:
        found: Sequence[str | None] = list(
            readers.map(_read_image, [uris[row] for row in missing], [versions[row] for row in missing])
        )
    for row, text in zip(missing, found, strict=True):
        captions[row] = text
    read = sum(text is not None for text in found)
    if read:
        column = table.column_names.index("captions")
        table = table.set_column(column, "captions", pa.array(captions, pa.string()))
        stats = Stats(shard.name, len(table), sum(has_vectors), len(shard.failures), bytes_read=0)
        commit_table(storage, fingerprint, table, shard.failures, stats)
    hashes = table["sha256"].to_pylist()
    captioned = frozenset(hashes[row] for row, text in zip(missing, found, strict=True) if text)
    return _ShardCaptions(read, len(found) - read, captioned)


def _read_image(uri: str, version: str) -> str | None:
    """Return an image's captions, None if it cannot be read now."""
    try:
        return decode(read_uri(uri, LIMIT_BYTES + 1, version)).captions
    except ImageError:
        return ""
    except StorageError:
        return None
