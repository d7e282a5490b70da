"""Read which pictures have a text in the text store."""

from findimg_jobs.tables.disk_tables import fetch_query
from findimg_jobs.tables.source_records import Failure
from findimg_jobs.text_store.text_shards import CommittedTexts, TextKey


def text_keys(texts: CommittedTexts) -> dict[str, TextKey]:
    """Return where the text of each picture is, by SHA-256."""
    rows = fetch_query("FROM keys", {"keys": texts.keys}).to_pylist()
    return {row["sha256"].hex(): TextKey(*texts.shards[row["shard"]], row["digest"], row["read"]) for row in rows}


def text_failures(texts: CommittedTexts) -> list[Failure]:
    """Return the pictures that cannot be read."""
    return [Failure.of(row) for row in fetch_query("FROM failures", {"failures": texts.failures}).to_pylist()]
