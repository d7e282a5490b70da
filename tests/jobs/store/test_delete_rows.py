"""Test that deleting rows of the embedding store deletes these rows only."""

import random
from pathlib import Path

import numpy as np
import pytest

from findimg.errors import NotPublishedError
from findimg.images import ImageFacts
from findimg.storage.base import Storage, open_storage
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.delete_rows import delete_rows
from findimg_jobs.store.shard_rows import EmbeddedContent, ShardRow
from findimg_jobs.store.shards import ShardStats, commit_shard, make_shard, read_shards, read_vectors
from findimg_jobs.tables.source_records import Failure, SourceImage


def row(uri: str, content: int, vectors: bool = True, version: str = "1") -> ShardRow:
    """Return an image with made-up content. Each number has different vectors."""
    visual = np.random.default_rng(content).standard_normal(8).astype(np.float16).astype(np.float32)
    made = EmbeddedContent(ImageFacts(content + 1, 20, "PNG", 99, None), visual) if vectors else None
    return ShardRow(uri, version, f"{content:064x}", made)


def put(storage: Storage, *rows: ShardRow, failures: tuple[Failure, ...] = ()) -> None:
    """Commit a shard as a run would."""
    images = tuple(SourceImage(each.uri, each.etag) for each in (*rows, *failures))
    name = make_shard(images, "f").name
    commit_shard(storage, "f", rows, failures, ShardStats(name, len(rows), 0, len(failures), 0))


def held(storage: Storage) -> dict[str, tuple[str, list[float]]]:
    """Return the hash of the content and the vectors by URI."""
    vectors = {
        sha256: content.visual.tolist()
        for shard in read_shards(storage, "f")
        for sha256, content in read_vectors(storage, "f", shard.name)
    }
    return {key.uri: (key.sha256, vectors[key.sha256]) for key in read_committed(storage, "f").select_keys("counts")}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(tmp_path / "library")


def erased(storage: Storage, *uris: str, hashes: frozenset[str] = frozenset()) -> int:
    return delete_rows(storage, "f", read_committed(storage, "f"), frozenset(uris), hashes)


def text_of(storage: Storage) -> bytes:
    return b"".join(storage.read(entry.key) for entry in storage.list())


def test_all_versions_of_an_image_are_deleted(storage: Storage) -> None:
    put(storage, row("a", 1), row("b", 2), row("c", 3))
    put(storage, row("a", 4, version="2"))
    before = held(storage)
    assert erased(storage, "a") == 2
    assert held(storage) == {uri: before[uri] for uri in ("b", "c")}
    assert len(list(read_shards(storage, "f"))) == 1


def test_copy_takes_over_the_vectors(storage: Storage) -> None:
    put(storage, row("a", 1), row("b", 2))
    put(storage, row("copy", 1, vectors=False), row("z", 3))
    before = held(storage)
    assert erased(storage, "a") == 1
    assert held(storage) == {uri: before[uri] for uri in ("b", "copy", "z")}


def test_copy_in_any_shard_takes_over_the_vectors(storage: Storage) -> None:
    put(storage, row("a", 1), row("copy", 1, vectors=False))
    put(storage, row("b", 2))
    put(storage, row("other", 2, vectors=False))
    before = held(storage)
    assert erased(storage, "a", "b") == 2
    assert held(storage) == {uri: before[uri] for uri in ("copy", "other")}


def test_shards_that_become_equal_lose_no_vectors(storage: Storage) -> None:
    put(storage, row("a", 1), row("b", 2, vectors=False), row("c", 3))
    put(storage, row("b", 2), row("c", 3, vectors=False))
    before = held(storage)
    erased(storage, "a")
    assert held(storage) == {uri: before[uri] for uri in ("b", "c")}


def test_content_is_deleted_under_every_name(storage: Storage) -> None:
    put(storage, row("old-name", 1), row("b", 2))
    put(storage, row("a", 1, vectors=False))
    assert erased(storage, "a", hashes=frozenset({f"{1:064x}"})) == 2
    assert held(storage).keys() == {"b"}
    assert f"{1:064x}".encode() not in text_of(storage)


def test_only_the_failures_of_the_image_are_deleted(storage: Storage) -> None:
    failures = tuple(Failure(uri, "1", "broken", transient=False) for uri in ("a", "d"))
    put(storage, row("b", 2), failures=failures)
    assert erased(storage, "a") == 0
    assert [each.uri for shard in read_shards(storage, "f") for each in shard.failures] == ["d"]
    assert held(storage).keys() == {"b"}


def test_deleting_nothing_writes_nothing(storage: Storage) -> None:
    put(storage, row("b", 2))
    before = [(entry.key, entry.etag) for entry in storage.list()]
    assert erased(storage, "a") == 0
    assert [(entry.key, entry.etag) for entry in storage.list()] == before


def test_damaged_shard_is_named(storage: Storage) -> None:
    put(storage, row("a", 1), row("b", 2))
    (shard,) = read_shards(storage, "f")
    storage.write(f"embeddings/f/{shard.name}/vectors.parquet", b"PAR1")
    with pytest.raises(NotPublishedError, match=f"{shard.name}.*damaged"):
        erased(storage, "a")


@pytest.mark.parametrize("seed", range(20))
def test_other_images_keep_their_vectors_after_any_deletion(storage: Storage, seed: int) -> None:
    rng = random.Random(seed)
    has: set[int] = set()
    for _ in range(rng.randint(1, 5)):
        rows = {}
        for _ in range(rng.randint(1, 4)):
            content = rng.randint(0, 3)
            uri = f"{rng.choice('abcdef')}{content}"
            rows[uri] = row(uri, content, vectors=content not in has or rng.random() < 0.2)
            has.add(content)
        put(storage, *rows.values())
    before = held(storage)
    # Shards with equal names overwrite each other here, which costs a run nothing but work.
    going = set(rng.sample(sorted(before), len(before) // 2))
    gone = frozenset(before[uri][0] for uri in going) - {before[uri][0] for uri in before.keys() - going}
    erased(storage, *going, hashes=gone)
    assert held(storage) == {uri: before[uri] for uri in before.keys() - going}
    text = text_of(storage)
    assert not any(sha256.encode() in text for sha256 in gone)
