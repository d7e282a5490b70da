"""The text store: what was read in pictures, in shards of its own.

A reader is named by the fingerprint of its models and settings. Shards are immutable, like those of the embedding
store: `texts/<reader>/<shard>/lines.parquet`, `failures.jsonl`, and `stats.json`, which is written last and commits the
shard.
"""

import hashlib
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from findimg.errors import LibraryError, ObjectMissingError
from findimg.storage.base import Storage
from findimg_jobs.store.read_in_threads import read_in_threads
from findimg_jobs.store.shards import FAILURES
from findimg_jobs.tables.disk_tables import DiskTable, DiskTableWriter, write_query
from findimg_jobs.tables.source_records import Failure

FOLDER = "texts"
_SHA256 = re.compile("[0-9a-f]{64}")
_SCHEMA = pa.schema(
    [
        ("sha256", pa.string()),
        ("read", pa.bool_()),
        (
            "lines",
            pa.list_(
                pa.struct(
                    [
                        ("text", pa.string()),
                        ("confidence", pa.float32()),
                        ("corners", pa.list_(pa.float32())),
                    ]
                )
            ),
        ),
    ]
)
_PLACE = pa.field("place", pa.int64())
_PLACED_KEYS = pa.schema(
    [("sha256", pa.binary(32)), ("shard", pa.int32()), ("digest", pa.string()), ("read", pa.bool_()), _PLACE]
)
# A look by a new reader does not replace what an older one read, nor an earlier look.
_NEWEST_KEYS = """
WITH ranked AS (
    SELECT *, CASE WHEN read THEN place ELSE -1 - place END AS rank FROM keys
), repeated AS (
    SELECT sha256, max(rank) AS best FROM ranked GROUP BY sha256 HAVING count(*) > 1
)
SELECT sha256, shard, digest, read FROM ranked LEFT JOIN repeated USING (sha256) WHERE coalesce(rank = best, true)
"""
_NEWEST_FAILURES = """
SELECT uri, unnest(arg_max(struct_pack(version := version, reason := reason, transient := transient), place))
FROM failures GROUP BY uri
"""


@dataclass(frozen=True, slots=True)
class ReadLine:
    """One line of text in a picture."""

    text: str  # in Unicode form NFKC, without control characters
    confidence: float  # 0 to 1
    # x and y of the text's four corners, clockwise from the top left of the text, as shares of the upright picture's
    # width and height. Empty for text that is not at one place.
    corners: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureText:
    """What was read in the pictures with one content."""

    sha256: str  # of the image's bytes, hex
    lines: tuple[ReadLine, ...]  # in reading order; empty for a picture without text
    read: bool = True  # whether all of it was read; False if only a quick look found the lines, or nothing

    @property
    def text(self) -> str:
        """The lines, separated by line feeds."""
        return "\n".join(line.text for line in self.lines)


@dataclass(frozen=True, slots=True)
class TextStats:
    """The statistics of one shard of texts."""

    shard: str
    images: int  # pictures that were read or looked at
    with_text: int  # those with at least one line
    failed: int
    seconds: dict[str, float] = field(default_factory=dict)  # by stage, summed over threads


@dataclass(frozen=True, slots=True)
class TextKey:
    """Where a picture's text is stored."""

    reader: str
    shard: str
    digest: str  # hash of the text, empty for a picture without text
    read: bool  # False if the picture was only looked at


@dataclass(frozen=True, slots=True, eq=False)
class CommittedTexts:
    """Everything that was read, without the texts, in files of this machine."""

    shards: tuple[tuple[str, str], ...]  # reader and name of each
    # One row for each picture: its sha256, its shard (position in `shards`), and digest and read as in a TextKey. Of
    # several readings the newest counts.
    keys: DiskTable
    failures: DiskTable  # pictures that cannot be read, one row for each URI, with the columns of FAILURES


def name_text_shard(hashes: Iterable[str], reader: str) -> str:
    """Return the name of the shard for some pictures, by SHA-256. Equal pictures give an equal name."""
    return hashlib.sha256(json.dumps([reader, sorted(hashes)]).encode()).hexdigest()[:24]


def commit_texts(
    storage: Storage, reader: str, texts: Sequence[PictureText], failures: Sequence[Failure], stats: TextStats
) -> None:
    """Write a shard of texts. Its stats.json is written last and commits it.

    Raises:
        StorageError: the library cannot be written. The shard is not committed.
    """
    folder = f"{FOLDER}/{reader}/{stats.shard}"
    storage.delete(f"{folder}/stats.json")
    rows = sorted(texts, key=lambda text: text.sha256)
    table = pa.Table.from_pylist([asdict(row) for row in rows], _SCHEMA)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    storage.write(f"{folder}/lines.parquet", buffer.getvalue())
    storage.write(f"{folder}/failures.jsonl", "".join(json.dumps(f.row()) + "\n" for f in failures).encode())
    keys = [(row.sha256, _digest(row.text), row.read) for row in rows]
    storage.write(f"{folder}/stats.json", json.dumps(asdict(stats) | {"keys": keys}).encode())


def read_committed_texts(storage: Storage, reader: str | None = None) -> CommittedTexts:
    """Return everything that was read.

    Args:
        storage: the library.
        reader: count only what this reader read. None for all. Of several readings of a picture, the newest counts.
    """
    entries = storage.list(FOLDER if reader is None else f"{FOLDER}/{reader}")
    commits = sorted((entry.modified, entry.key.split("/")) for entry in entries if entry.key.endswith("/stats.json"))
    found = tuple((parts[1], parts[2]) for _, parts in commits)  # reader and shard, the oldest first
    keys, failures = DiskTableWriter(_PLACED_KEYS), DiskTableWriter(FAILURES.append(_PLACE))
    places = 0
    for number, shard in enumerate(read_in_threads(lambda each: read_shard_keys(storage, *each), found)):
        shard_keys, shard_failures = shard
        rows = [
            (bytes.fromhex(sha256), number, key.digest, key.read, place)
            for place, (sha256, key) in enumerate(shard_keys.items(), places)
        ]
        places += len(rows)
        keys.add(pa.table(list(zip(*rows, strict=True)) or [()] * len(_PLACED_KEYS), _PLACED_KEYS))
        failed = pa.Table.from_pylist([failure.row() for failure in shard_failures], FAILURES)
        failures.add(failed.append_column(_PLACE, pa.array(range(places, places + len(failed)), pa.int64())))
        places += len(failed)
    return CommittedTexts(
        found,
        write_query(_NEWEST_KEYS, {"keys": keys.finish()}),
        write_query(_NEWEST_FAILURES, {"failures": failures.finish()}),
    )


def read_texts(storage: Storage, reader: str, shard: str, hashes: AbstractSet[str]) -> Iterator[PictureText]:
    """Yield what was read in those pictures of a shard that have one of some SHA-256.

    Raises:
        LibraryError: the shard is damaged.
    """
    key = f"{FOLDER}/{reader}/{shard}/lines.parquet"
    try:
        rows = pq.read_table(io.BytesIO(storage.read(key)), schema=_SCHEMA).to_pylist()
    except (ObjectMissingError, pa.ArrowException) as error:
        raise LibraryError(f"{storage.uri(key)} is missing or damaged: {error}. Read the text again.") from error
    for row in rows:
        if row["sha256"] in hashes:
            lines = (
                ReadLine(line["text"], line["confidence"], tuple(line["corners"] or ())) for line in row["lines"] or ()
            )
            yield PictureText(row["sha256"], tuple(lines), row["read"])


def uncommit_texts(storage: Storage, reader: str, shard: str) -> None:
    """Delete the commit of a shard, so that its pictures are read again."""
    storage.delete(f"{FOLDER}/{reader}/{shard}/stats.json")


def remove_texts(storage: Storage, reader: str, shard: str) -> None:
    """Delete a shard."""
    # A partly deleted shard must not count.
    uncommit_texts(storage, reader, shard)
    storage.clear(f"{FOLDER}/{reader}/{shard}")


def delete_texts(storage: Storage, uris: Collection[str], hashes: AbstractSet[str]) -> int:
    """Delete what was read in some pictures, of every reader, and return the number of their texts.

    Args:
        storage: the library.
        uris: addresses whose failures are deleted.
        hashes: SHA-256 of the pictures.

    Raises:
        LibraryError: a shard is damaged.
        StorageError: the library cannot be read or written.
    """
    deleted = 0
    stats = [entry.key.split("/") for entry in storage.list(FOLDER) if entry.key.endswith("/stats.json")]
    for _, reader, shard, _ in stats:
        keys, failures = read_shard_keys(storage, reader, shard)
        lost = keys.keys() & hashes
        kept_failures = [failure for failure in failures if failure.uri not in uris]
        if not lost and len(kept_failures) == len(failures):
            continue
        deleted += len(lost)
        kept = list(read_texts(storage, reader, shard, keys.keys() - hashes))
        if kept or kept_failures:
            name = name_text_shard([*(text.sha256 for text in kept), *(each.uri for each in kept_failures)], reader)
            count = TextStats(name, len(kept), sum(bool(text.lines) for text in kept), len(kept_failures))
            commit_texts(storage, reader, kept, kept_failures, count)
            if name == shard:
                continue
        remove_texts(storage, reader, shard)
    return deleted


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


def read_shard_keys(storage: Storage, reader: str, shard: str) -> tuple[dict[str, TextKey], list[Failure]]:
    """Return the keys and the failures of a shard. A damaged one has none, so that its pictures are read again."""
    folder = f"{FOLDER}/{reader}/{shard}"
    try:
        stats = json.loads(storage.read(f"{folder}/stats.json"))
        lines = storage.read(f"{folder}/failures.jsonl").splitlines() if stats["failed"] else []
        keys = {sha256: TextKey(reader, shard, digest, read) for sha256, digest, read in stats["keys"]}
        if not all(_SHA256.fullmatch(sha256) for sha256 in keys):
            return {}, []
        return keys, [Failure.of(json.loads(line)) for line in lines]
    except (ValueError, TypeError, KeyError, ObjectMissingError):
        return {}, []
