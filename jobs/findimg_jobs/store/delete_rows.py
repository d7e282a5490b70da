"""Erasing: the embedding store loses rows before their time, and nothing else."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import pyarrow as pa

from findimg.storage.base import Storage
from findimg_jobs.indexing.sources import SourceImage
from findimg_jobs.store.shards import (
    CommittedShard,
    ImageKey,
    Stats,
    commit_table,
    holds_vectors,
    name_shard,
    read_table,
    remove_shard,
    uncommit_if_damaged,
)


def delete_rows(
    storage: Storage,
    fingerprint: str,
    shards: Sequence[CommittedShard],
    uris: AbstractSet[str],
    hashes: AbstractSet[str],
) -> int:
    """Removes every row of some images, whatever their version; returns how many rows.

    Vectors that another image's row points to are handed over to it. What stays of a shard is committed before the
    shard is removed: interrupted at any moment, it costs at most that the next run embeds a copy again.

    Args:
        shards: all committed ones.
        uris: of these images.
        hashes: SHA-256 of content whose rows go as well, whatever their URI.

    Raises:
        NotPublishedError: a shard is damaged.
        StorageError: the library cannot be read or written.
    """
    keys = [key for shard in shards for key in shard.keys]
    heirs = {key.sha256: key for key in keys if key.uri not in uris and key.sha256 not in hashes}
    held = {key.sha256 for key in keys if key.embedded and key.uri not in uris}
    names = {shard.name for shard in shards}
    erased = 0
    for shard in shards:
        going = sum(key.uri in uris or key.sha256 in hashes for key in shard.keys)
        failures = [failure for failure in shard.failures if failure.uri not in uris]
        if not going and len(failures) == len(shard.failures):
            continue
        erased += going
        table = _kept(_read(storage, fingerprint, shard.name), uris, hashes, heirs, held)
        pairs = list(zip(table["uri"].to_pylist(), table["version"].to_pylist(), strict=True))
        pairs += [(failure.uri, failure.version) for failure in failures]
        name = name_shard(tuple(SourceImage(*pair) for pair in set(pairs)), fingerprint).name
        # Another shard may hold the same images: whichever of them has an image's vectors, one shard has them all.
        if name != shard.name and name in names:
            table = _once(pa.concat_tables([table, _read(storage, fingerprint, name)], promote_options="default"))
        if pairs:
            embedded = sum(holds_vectors(table).to_pylist())
            stats = Stats(name, len(table), embedded, len(failures), bytes_read=0)
            commit_table(storage, fingerprint, table, failures, stats)
            names.add(name)
        if not pairs or name != shard.name:
            remove_shard(storage, fingerprint, shard.name)
            names.remove(shard.name)
    return erased


def _read(storage: Storage, fingerprint: str, shard: str) -> pa.Table:
    with uncommit_if_damaged(storage, fingerprint, shard):
        return read_table(storage, fingerprint, shard)


def _kept(
    table: pa.Table, uris: AbstractSet[str], hashes: AbstractSet[str], heirs: dict[str, ImageKey], held: set[str]
) -> pa.Table:
    """The rows that stay; what goes and holds vectors that an heir has nowhere else becomes the heir's row."""
    rows, names = [], []
    told = [table[name].to_pylist() for name in ("uri", "version", "sha256")]
    for row, (uri, version, sha256, embedded) in enumerate(zip(*told, holds_vectors(table).to_pylist(), strict=True)):
        if uri not in uris and sha256 not in hashes:
            rows.append(row)
            names.append((uri, version))
        elif embedded and sha256 in heirs and sha256 not in held:
            held.add(sha256)
            rows.append(row)
            names.append((heirs[sha256].uri, heirs[sha256].version))
    kept = table.take(pa.array(rows, pa.int64()))
    for column, name in enumerate(("uri", "version")):
        values = pa.array([each[column] for each in names], pa.string())
        kept = kept.set_column(kept.column_names.index(name), name, values)
    return _once(kept)


def _once(table: pa.Table) -> pa.Table:
    """Of rows of the same image one, the one with vectors if there is one; in the order of a shard."""
    chosen: dict[tuple[str, str], int] = {}
    embedded = holds_vectors(table).to_pylist()
    pairs = zip(table["uri"].to_pylist(), table["version"].to_pylist(), strict=True)
    for row, pair in enumerate(pairs):
        if pair not in chosen or (embedded[row] and not embedded[chosen[pair]]):
            chosen[pair] = row
    return table.take(pa.array([chosen[pair] for pair in sorted(chosen)], pa.int64()))
