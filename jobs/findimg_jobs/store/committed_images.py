"""What is committed to the embedding store: which images are embedded, which failed, and where vectors are.

The keys of all shards are read into files of this machine, so a library of any size needs the same memory. In SQL, the
column `version` is an etag. `CommittedImages.to_embed` decides which images are new.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from findimg.storage.base import Storage
from findimg_jobs.store.shards import FAILURES, KEYS, ImageKey, read_shards
from findimg_jobs.tables.disk_tables import AnyTable, DiskTable, DiskTableWriter, fetch_number, fetch_query, write_query
from findimg_jobs.tables.image_table import ImageTable, uri_table
from findimg_jobs.tables.source_records import Failure

PREFIX = 16  # first bytes of a SHA-256, enough to tell any two contents apart
# `place` numbers the rows and the failures of all shards, in the order of the names of the shards.
_PLACE = [pa.field("shard", pa.int32()), pa.field("place", pa.int64())]
# An image's last row counts. A content's vectors are taken from its first row that has some. An image whose content has
# no vectors in any shard must be embedded again.
_DECIDE_KEYS = """
WITH repeated AS (
    SELECT uri, version, max(place) AS last_place FROM keys GROUP BY uri, version HAVING count(*) > 1
), twice AS (
    SELECT sha256, min(place) AS first_place, arg_min(shard, place) AS first_shard
    FROM keys WHERE embedded GROUP BY sha256 HAVING count(*) > 1
), original AS (
    SELECT sha256, arg_min(shard, place) AS original_shard
    FROM (SELECT sha256, shard, place FROM keys WHERE embedded) AS embedded
    SEMI JOIN (SELECT sha256 FROM keys WHERE NOT embedded) AS copy USING (sha256) GROUP BY sha256
)
SELECT
    uri, version, sha256, embedded, shard,
    CASE WHEN embedded THEN coalesce(first_shard, shard) ELSE original_shard END AS holder,
    embedded AND coalesce(place = first_place, true) AS holds,
    holder IS NOT NULL AND coalesce(place = last_place, true) AS counts
FROM keys
LEFT JOIN repeated USING (uri, version) LEFT JOIN twice USING (sha256) LEFT JOIN original USING (sha256)
"""
# Of two attempts, a permanent failure counts. Of several permanent ones the last counts.
_DECIDE_FAILURES = """
SELECT
    uri, version, reason, transient, shard,
    row_number() OVER (
        PARTITION BY uri, version ORDER BY transient, CASE WHEN transient THEN place ELSE -place END
    ) = 1 AS counts
FROM failures
"""
_EMBEDDED = "(SELECT uri, version FROM keys WHERE counts)"


class KnownContents:
    """The SHA-256 of embedded contents, PREFIX bytes of each, so that workers can hold those of a large library."""

    def __init__(self, prefixes: NDArray[np.bytes_]):
        """Wrap sorted prefixes, S<PREFIX>[contents]."""
        self._prefixes = prefixes

    def __len__(self) -> int:
        """Return the number of contents."""
        return len(self._prefixes)

    def __contains__(self, sha256: object) -> bool:
        """Return whether a content is embedded."""
        try:
            # NumPy leaves out zero bytes at the end of a value.
            prefix = bytes.fromhex(str(sha256)[: 2 * PREFIX]).rstrip(b"\0")
        except ValueError:
            return False
        place = int(np.searchsorted(self._prefixes, prefix))
        return place < len(self._prefixes) and bool(self._prefixes[place] == prefix)


NO_CONTENTS = KnownContents(np.empty(0, f"S{PREFIX}"))


@dataclass(frozen=True, slots=True, eq=False)
class CommittedImages:
    """All committed images of one fingerprint, without vectors."""

    shards: tuple[str, ...]  # names, in ascending order
    modified: tuple[float, ...]  # time of each shard's commit, seconds since the epoch
    # One row for each row of a shard. Its columns are those of KEYS, and:
    #   shard: position in `shards`.
    #   holder: position in `shards` of the shard that has the content's vectors.
    #   holds: whether this row has these vectors.
    #   counts: whether the image is embedded, and this is the last row of its URI and etag.
    keys: DiskTable
    # One row for each failed attempt. Its columns are those of FAILURES, shard, and counts: true for one attempt of
    # each URI and etag, a permanent failure if there is one.
    failures: DiskTable

    def select_embedded(self, images: ImageTable) -> ImageTable:
        """Return those images whose vectors are committed."""
        query = f"FROM images SEMI JOIN {_EMBEDDED} USING (uri, version)"
        return ImageTable.select(query, images=images, keys=self.keys)

    def to_embed(self, images: ImageTable, retry_failed: bool = False) -> ImageTable:
        """Return the new images: those whose URI and etag no committed row with an embedding has.

        An image that failed is new if its failure is transient, or with `retry_failed`.

        Args:
            images: the images of a plan.
            retry_failed: also return images that failed permanently.
        """
        tried = "false" if retry_failed else "counts AND NOT transient"
        query = (
            f"FROM images ANTI JOIN {_EMBEDDED} USING (uri, version)"
            f" ANTI JOIN (SELECT uri, version FROM failures WHERE {tried}) USING (uri, version)"
        )
        return ImageTable.select(query, images=images, keys=self.keys, failures=self.failures)

    def count_embedded(self, images: ImageTable) -> int:
        """Return the number of images whose vectors are committed."""
        query = f"SELECT count(*) FROM images SEMI JOIN {_EMBEDDED} USING (uri, version)"
        return fetch_number(query, {"images": images.file, "keys": self.keys})

    def failures_among(self, images: ImageTable) -> list[Failure]:
        """Return the failures of those images that are not embedded, in URI order."""
        query = (
            "SELECT uri, version, reason, transient FROM (FROM failures WHERE counts)"
            f" SEMI JOIN images USING (uri, version) ANTI JOIN {_EMBEDDED} USING (uri, version) ORDER BY uri, version"
        )
        tables = {"failures": self.failures, "images": images.file, "keys": self.keys}
        return [Failure.of(row) for row in fetch_query(query, tables).to_pylist()]

    def count_missing(self, images: Sequence[ImageTable]) -> int:
        """Return the number of images in some tables that are neither embedded nor failed."""
        tables = {f"images_{number}": each.file for number, each in enumerate(images)}
        if not tables:
            return 0
        query = (
            f"SELECT count(*) FROM ({' UNION '.join(f'SELECT uri, version FROM {name}' for name in tables)})"
            f" ANTI JOIN {_EMBEDDED} USING (uri, version) ANTI JOIN failures USING (uri, version)"
        )
        return fetch_number(query, {**tables, "keys": self.keys, "failures": self.failures})

    def is_empty(self) -> bool:
        """Return whether no image is embedded and none has failed."""
        return not len(self.failures) and not fetch_number(
            "SELECT count(*) FROM keys WHERE counts", {"keys": self.keys}
        )

    def keys_of(self, images: ImageTable) -> dict[tuple[str, str], ImageKey]:
        """Return the keys of those images that are embedded, by (URI, etag). All of them must fit into memory."""
        query = "FROM (FROM keys WHERE counts) SEMI JOIN images USING (uri, version)"
        found = image_keys(fetch_query(query, {"keys": self.keys, "images": images.file}), self.shards)
        return {(key.uri, key.etag): key for key in found}

    def rows_with_vectors(self, hashes: Iterable[str]) -> dict[str, ImageKey]:
        """Return the rows with the vectors of some contents, by SHA-256. All of them must fit into memory."""
        query = "FROM (FROM keys WHERE holds) SEMI JOIN wanted USING (sha256)"
        found = image_keys(fetch_query(query, {"keys": self.keys, "wanted": sha256_table(hashes)}), self.shards)
        return {key.sha256: key for key in found}

    def select_keys(self, condition: str, **tables: AnyTable) -> list[ImageKey]:
        """Return the rows of shards that meet a condition. All of them must fit into memory.

        Args:
            condition: SQL about the columns of `keys`.
            tables: the tables that the condition names.
        """
        return image_keys(fetch_query(f"FROM keys WHERE {condition}", {"keys": self.keys, **tables}), self.shards)

    def shards_with_failures(self, uris: Iterable[str]) -> set[str]:
        """Return the shards that record a failure of some addresses."""
        query = "SELECT DISTINCT shard FROM failures SEMI JOIN uris USING (uri)"
        found = fetch_query(query, {"failures": self.failures, "uris": uri_table(uris)})
        return {self.shards[number] for number in found[0].to_pylist()}

    def known_contents(self) -> KnownContents:
        """Return all contents that have vectors."""
        query = f"SELECT sha256[:{PREFIX}] AS prefix FROM keys WHERE holds ORDER BY prefix"
        ordered = write_query(query, {"keys": self.keys})
        prefixes = np.empty(len(ordered), f"S{PREFIX}")
        start = 0
        for batch in ordered.batches():
            joined = batch["prefix"].cast(pa.binary(PREFIX))
            stop = start + len(joined)
            prefixes[start:stop] = np.frombuffer(b"".join(joined.to_pylist()), prefixes.dtype)
            start = stop
        return KnownContents(prefixes)


def read_committed(storage: Storage, fingerprint: str) -> CommittedImages:
    """Return all committed images of a fingerprint. A shard without stats.json is ignored.

    Raises:
        NotPublishedError: the temporary folder has no room.
        StorageError: the library cannot be read.
    """
    shards: list[str] = []
    modified: list[float] = []
    keys, failures = (DiskTableWriter(pa.schema([*columns, *_PLACE])) for columns in (KEYS, FAILURES))
    places = 0
    for shard in read_shards(storage, fingerprint):
        number = len(shards)
        shards.append(shard.name)
        modified.append(shard.modified)
        for writer, table in ((keys, shard.key_table), (failures, shard.failure_table)):
            numbers = pa.array(np.full(len(table), number, np.int32))
            places_of = pa.array(np.arange(places, places + len(table)))
            writer.add(table.append_column("shard", numbers).append_column("place", places_of))
            places += len(table)
    return CommittedImages(
        tuple(shards),
        tuple(modified),
        write_query(_DECIDE_KEYS, {"keys": keys.finish()}),
        write_query(_DECIDE_FAILURES, {"failures": failures.finish()}),
    )


def sha256_table(hashes: Iterable[str]) -> pa.Table:
    """Return some SHA-256 as a table in memory. What is none, for example in a damaged catalog, is left out."""
    valid = sorted({sha256 for sha256 in hashes if re.fullmatch("[0-9a-f]{64}", sha256)})
    return pa.table({"sha256": pa.array(map(bytes.fromhex, valid), pa.binary(32))})


def image_keys(rows: pa.Table, shards: Sequence[str]) -> list[ImageKey]:
    """Return rows of `CommittedImages.keys`.

    Args:
        rows: the rows.
        shards: the names of all shards.
    """
    return [
        ImageKey(row["uri"], row["version"], row["sha256"].hex(), row["embedded"], shards[row["shard"]])
        for row in rows.to_pylist()
    ]
