"""Read the facts of images, such as captions, that an older release indexed without them: `findimg-jobs read-captions`.

`findimg.images.facts` declares the facts. Here None is a fact that no release has read yet. A file without the fact
has the empty value of its type.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from findimg.errors import ImageError, StorageError
from findimg.images import LIMIT_BYTES, ImageFacts, decode
from findimg.images.decode import ignore_pillow_warnings
from findimg.images.facts import FACT_COLUMNS
from findimg.settings import Settings
from findimg.storage.base import Storage, read_uri
from findimg_jobs.build.rebuild import VersionChange, publish_images
from findimg_jobs.build.write_session import write_to_live
from findimg_jobs.segments.row_dependencies import segments_with
from findimg_jobs.store.plan import read_planned_images
from findimg_jobs.store.shard_rows import holds_vectors, with_facts
from findimg_jobs.store.shards import (
    CommittedShard,
    ShardStats,
    commit_table,
    read_shards,
    read_table,
    uncommit_if_damaged,
)

_READERS = 8  # images that are read at the same time
_EMPTY_VALUES: dict[str, Any] = {"string": "", "binary": b""}  # by `FactColumn.store_type`; 0 for numbers
_EMPTY = {each.name: _EMPTY_VALUES.get(each.store_type, 0) for each in FACT_COLUMNS if each.added}
_NOTHING = ImageFacts(0, 0, "", 0, None, **_EMPTY)  # of a file that is no image any more


@dataclass(frozen=True, slots=True)
class FactReport:
    """Counts of what `read_missing_facts` read."""

    version: str  # the live version, with the facts
    images: int  # images that were read
    captioned: int  # those that have captions
    failed: int  # images that could not be read; the next call reads them again

    def lines(self) -> list[str]:
        """Return the report as lines of text for a person."""
        lines = [f"Read {self.images} images, {self.captioned} of them have captions. Version {self.version} is live."]
        if self.failed:
            lines.append(f"{self.failed} images could not be read. Run again when their source can be reached.")
        return lines


def read_missing_facts(settings: Settings) -> FactReport:
    """Read the facts that images were indexed without, and publish a version that has them.

    Nothing is embedded. A call after an interruption goes on with the shards that are left.

    Raises:
        FindimgError: nothing was published. What was read is kept.
    """
    ignore_pillow_warnings()
    read = failed = 0
    changed: set[str] = set()
    captioned: set[str] = set()
    with write_to_live(settings) as (session, live):
        library = session.library
        for fingerprint in [part.fingerprint for part in live.parts]:
            for shard in read_shards(library.storage, fingerprint):
                found = _read_shard(library.storage, fingerprint, shard)
                read, failed = read + found.read, failed + found.failed
                changed |= found.changed
                captioned |= found.captioned
                session.lock.check()
        if changed:
            holding = {segment.name for segment in segments_with(library, live, (), changed)}
            images = read_planned_images(library.storage, live.run)
            change = VersionChange(live.run, images, allow_shrink=True, rewritten=holding, reread=True)
            live = publish_images(session, settings, live, change)
    return FactReport(live.version, read, len(captioned), failed)


@dataclass(frozen=True, slots=True)
class _ShardFacts:
    """What was read for one shard."""

    read: int
    failed: int
    changed: frozenset[str] = frozenset()  # SHA-256 of images with a fact that the shard lacked
    captioned: frozenset[str] = frozenset()  # SHA-256 of those with captions


def _read_shard(storage: Storage, fingerprint: str, shard: CommittedShard) -> _ShardFacts:
    """Read the facts that a shard lacks, and write the shard again with them."""
    with uncommit_if_damaged(storage, fingerprint, shard.name):
        table = with_facts(read_table(storage, fingerprint, shard.name))
    has_vectors = holds_vectors(table).to_pylist()
    added = table.select([column.name for column in FACT_COLUMNS if column.added]).to_pylist()
    lacking = [row for row, facts in enumerate(added) if has_vectors[row] and None in facts.values()]
    if not lacking:
        return _ShardFacts(0, 0)
    uris, etags = table["uri"].to_pylist(), table["version"].to_pylist()
    with ThreadPoolExecutor(_READERS) as readers:
        answers = readers.map(_read_image, [uris[row] for row in lacking], [etags[row] for row in lacking])
        found = dict(zip(lacking, answers, strict=True))
    hashes, captioned, changed = table["sha256"].to_pylist(), set(), set()
    read = 0
    for row, facts in found.items():
        if facts is None:
            continue
        read += 1
        for name in [name for name, fact in added[row].items() if fact is None]:
            added[row][name] = getattr(facts, name)
            if added[row][name]:
                changed.add(hashes[row])
        if facts.captions:
            captioned.add(hashes[row])
    if read:
        for name in added[0]:
            place = table.schema.get_field_index(name)
            values = pa.array([facts[name] for facts in added], table.schema.field(place).type)
            table = table.set_column(place, name, values)
        stats = ShardStats(shard.name, len(table), sum(has_vectors), len(shard.failures), bytes_read=0)
        commit_table(storage, fingerprint, table, shard.failures, stats)
    return _ShardFacts(read, len(found) - read, frozenset(changed), frozenset(captioned))


def _read_image(uri: str, etag: str) -> ImageFacts | None:
    """Return an image's facts, None if it cannot be read now."""
    try:
        return decode(read_uri(uri, LIMIT_BYTES + 1, etag)).facts
    except ImageError:
        return _NOTHING
    except StorageError:
        return None
