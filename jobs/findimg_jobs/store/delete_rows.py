"""Delete single rows of the embedding store."""

from collections.abc import Set as AbstractSet

import pyarrow as pa

from findimg.storage.base import Storage
from findimg_jobs.store.committed_images import CommittedImages, sha256_table
from findimg_jobs.store.shard_rows import holds_vectors
from findimg_jobs.store.shards import (
    ImageKey,
    ShardStats,
    commit_table,
    make_shard,
    read_shard,
    read_table,
    remove_shard,
    uncommit_if_damaged,
)
from findimg_jobs.tables.image_table import uri_table
from findimg_jobs.tables.source_records import SourceImage


def delete_rows(
    storage: Storage,
    fingerprint: str,
    committed: CommittedImages,
    uris: AbstractSet[str],
    hashes: AbstractSet[str],
) -> int:
    """Delete every row of some images, of any version, and return the number of rows.

    If a row of another image refers to deleted vectors, that row takes them over. The rest of a shard is committed
    before the shard is deleted. After an interruption the next run embeds at most a copy again.

    Args:
        storage: the library.
        fingerprint: names the embeddings.
        committed: everything committed.
        uris: the images.
        hashes: SHA-256 of content whose rows are deleted under all URIs.

    Raises:
        NotPublishedError: a shard is damaged.
        StorageError: the library cannot be read or written.
    """
    tables = {"uris": uri_table(uris), "hashes": sha256_table(hashes)}
    lost = committed.select_keys("uri IN (FROM uris) OR sha256 IN (FROM hashes)", **tables)
    contents = sha256_table(key.sha256 for key in lost)
    related = committed.select_keys("sha256 IN (FROM contents)", contents=contents)
    new_owners = {key.sha256: key for key in related if key.uri not in uris and key.sha256 not in hashes}
    stored = {key.sha256 for key in related if key.has_vectors and key.uri not in uris}
    names = set(committed.shards)
    for shard in sorted({key.shard for key in lost} | committed.shards_with_failures(uris)):
        committed_shard = read_shard(storage, fingerprint, shard)
        failures = [each for each in committed_shard.failures if each.uri not in uris] if committed_shard else []
        table = _kept(_read(storage, fingerprint, shard), uris, hashes, new_owners, stored)
        pairs = list(zip(table["uri"].to_pylist(), table["version"].to_pylist(), strict=True))
        pairs += [(failure.uri, failure.etag) for failure in failures]
        name = make_shard(tuple(SourceImage(*pair) for pair in set(pairs)), fingerprint).name
        # Another shard may hold the same images. Then merge both, so that one shard has all their vectors.
        if name != shard and name in names:
            table = _one_row_per_image(
                pa.concat_tables([table, _read(storage, fingerprint, name)], promote_options="default")
            )
        if pairs:
            embedded = sum(holds_vectors(table).to_pylist())
            stats = ShardStats(name, len(table), embedded, len(failures), bytes_read=0)
            commit_table(storage, fingerprint, table, failures, stats)
            names.add(name)
        if not pairs or name != shard:
            remove_shard(storage, fingerprint, shard)
            names.remove(shard)
    return len(lost)


def _read(storage: Storage, fingerprint: str, shard: str) -> pa.Table:
    with uncommit_if_damaged(storage, fingerprint, shard):
        return read_table(storage, fingerprint, shard)


def _kept(
    table: pa.Table, uris: AbstractSet[str], hashes: AbstractSet[str], new_owners: dict[str, ImageKey], stored: set[str]
) -> pa.Table:
    """Return the rows that stay. If another image needs the vectors of a deleted row, it gets the row."""
    rows, names = [], []
    columns = [table[name].to_pylist() for name in ("uri", "version", "sha256")]
    for row, (uri, version, sha256, embedded) in enumerate(
        zip(*columns, holds_vectors(table).to_pylist(), strict=True)
    ):
        if uri not in uris and sha256 not in hashes:
            rows.append(row)
            names.append((uri, version))
        elif embedded and sha256 in new_owners and sha256 not in stored:
            stored.add(sha256)
            rows.append(row)
            names.append((new_owners[sha256].uri, new_owners[sha256].etag))
    kept = table.take(pa.array(rows, pa.int64()))
    for column, name in enumerate(("uri", "version")):
        values = pa.array([each[column] for each in names], pa.string())
        kept = kept.set_column(kept.column_names.index(name), name, values)
    return _one_row_per_image(kept)


def _one_row_per_image(table: pa.Table) -> pa.Table:
    """Return one row per image, with vectors if one of its rows has them, in the order of a shard."""
    chosen: dict[tuple[str, str], int] = {}
    embedded = holds_vectors(table).to_pylist()
    pairs = zip(table["uri"].to_pylist(), table["version"].to_pylist(), strict=True)
    for row, pair in enumerate(pairs):
        if pair not in chosen or (embedded[row] and not embedded[chosen[pair]]):
            chosen[pair] = row
    return table.take(pa.array([chosen[pair] for pair in sorted(chosen)], pa.int64()))
