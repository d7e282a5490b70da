"""Compact the text store: delete text that nothing needs, and copy small shards together."""

from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass

from findimg.errors import LibraryError
from findimg.storage.base import Storage
from findimg_jobs.store.shard_compaction import MANY, in_groups
from findimg_jobs.tables.source_records import Failure
from findimg_jobs.text_store.text_shards import (
    FOLDER,
    TextStats,
    commit_texts,
    name_text_shard,
    read_shard_keys,
    read_texts,
    remove_texts,
    uncommit_texts,
)

_SMALL = 256  # pictures of a small shard
_FULL = 4096  # pictures of a shard into which small ones are copied


@dataclass(frozen=True, slots=True)
class _Shard:
    """A committed shard with what is needed of it."""

    reader: str
    name: str
    rows: int  # needed pictures and failures
    is_whole: bool  # all its pictures are needed

    def __len__(self) -> int:
        return self.rows


def compact_text_shards(storage: Storage, wanted: Container[str] | None = None, committed_before: float = 0.0) -> int:
    """Delete the shards that nothing needs, copy many small ones together, and return how many shards fewer there are.

    A new shard is committed before the old ones are deleted, so an interruption loses nothing.

    Args:
        storage: the library.
        wanted: SHA-256 of the pictures that are needed. None for all.
        committed_before: seconds since the epoch. With `wanted`, shards that were committed later stay as they are.

    Raises:
        LibraryError: a shard is damaged. It was uncommitted.
        StorageError: the library cannot be read or written.
    """
    fewer = 0
    small: dict[str, list[_Shard]] = defaultdict(list)
    for shard in _shards(storage, wanted, committed_before):
        if not len(shard):
            remove_texts(storage, shard.reader, shard.name)
            fewer += 1
        elif len(shard) < _SMALL:
            small[shard.reader].append(shard)
    for shards in small.values():
        if len(shards) > MANY:
            for group in in_groups(shards, _FULL):
                _join(storage, group, wanted)
                fewer += len(group) - 1
    return fewer


def _shards(storage: Storage, wanted: Container[str] | None, committed_before: float) -> Iterator[_Shard]:
    """Yield the committed shards, the oldest first."""
    entries = [entry for entry in storage.list(FOLDER) if entry.key.endswith("/stats.json")]
    for entry in sorted(entries, key=lambda entry: (entry.modified, entry.key)):
        _, reader, name, _ = entry.key.split("/")
        keys, failures = read_shard_keys(storage, reader, name)
        if wanted is None or entry.modified > committed_before:
            yield _Shard(reader, name, len(keys) + len(failures), is_whole=True)
        else:
            kept = sum(sha256 in wanted for sha256 in keys)
            # Without the records of broken pictures, the next run tries them again, which costs little.
            yield _Shard(reader, name, kept and kept + len(failures), is_whole=False)


def _join(storage: Storage, group: list[_Shard], wanted: Container[str] | None) -> None:
    """Copy shards of one reader into a new one, and delete them."""
    reader = group[0].reader
    texts = {}
    failures: list[Failure] = []
    for shard in group:
        keys, shard_failures = read_shard_keys(storage, reader, shard.name)
        needed = {sha256 for sha256 in keys if shard.is_whole or wanted is None or sha256 in wanted}
        failures += shard_failures
        try:
            texts.update({text.sha256: text for text in read_texts(storage, reader, shard.name, needed)})
        except LibraryError:
            uncommit_texts(storage, reader, shard.name)
            raise
    name = name_text_shard([*texts, *(failure.uri for failure in failures)], reader)
    with_text = sum(bool(text.lines) for text in texts.values())
    commit_texts(storage, reader, list(texts.values()), failures, TextStats(name, len(texts), with_text, len(failures)))
    for shard in group:
        if shard.name != name:
            remove_texts(storage, reader, shard.name)
