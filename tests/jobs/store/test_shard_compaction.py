import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import findimg_jobs.store.shard_compaction
from findimg.errors import NotPublishedError, StorageError
from findimg.images import ImageFacts
from findimg.storage.base import Storage, open_storage
from findimg.storage.folder import FolderStorage
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.shard_compaction import MANY, compact_shards, is_crowded
from findimg_jobs.store.shard_rows import EmbeddedContent, ShardRow
from findimg_jobs.store.shards import ShardStats, commit_shard, make_shard, read_shards, read_vectors, shard_folder
from findimg_jobs.tables.disk_tables import DiskTable, fetch_query
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, SourceImage

SIZE = 16
DIM = 8


def sha256_of(number: int) -> str:
    return f"{number:064x}"


def uri_of(number: int, copy: bool) -> str:
    return f"/photos/{number:06}{'-copy' if copy else ''}.jpg"


def make_row(number: int, version: str = "1", copy: bool = False) -> ShardRow:
    """Return a made-up image. Each number has different vectors."""
    rng = np.random.default_rng(number)
    content = EmbeddedContent(
        facts=ImageFacts(number + 1, 20, "JPEG", 1234, None),
        visual=rng.standard_normal(DIM).astype(np.float16).astype(np.float32),
        classes=rng.permutation(20).astype(np.uint16),
        probabilities=rng.random(20, np.float32),
    )
    return ShardRow(uri_of(number, copy), version, sha256_of(number), None if copy else content)


def put(storage: Storage, rows: Sequence[ShardRow], failures: Sequence[Failure] = ()) -> str:
    """Commit a shard as a run would."""
    images = tuple(SourceImage(each.uri, each.etag) for each in (*rows, *failures))
    name = make_shard(images, "f").name
    embedded = sum(row.content is not None for row in rows)
    commit_shard(storage, "f", rows, failures, ShardStats(name, len(rows), embedded, len(failures), 0))
    return name


def image_of(number: int, version: str = "1", copy: bool = False) -> SourceImage:
    return SourceImage(uri_of(number, copy), version)


def shards(storage: Storage) -> set[str]:
    return {shard.name for shard in read_shards(storage, "f")}


def vectors(storage: Storage) -> dict[str, bytes]:
    """Return the content of the store as bytes."""
    found = {}
    for name in shards(storage):
        for sha256, content in read_vectors(storage, "f", name):
            assert content.classes is not None
            assert content.probabilities is not None
            arrays = (content.visual, content.classes, content.probabilities)
            found[sha256] = b"".join([str(content.facts.width).encode(), *(array.tobytes() for array in arrays)])
    return found


def tables(known: CommittedImages) -> dict[str, DiskTable]:
    return {"failures": known.failures}


def contents(known: CommittedImages) -> set[str]:
    return {key.sha256 for key in known.select_keys("holds")}


def is_embedded(storage: Storage, *images: SourceImage) -> bool:
    return read_committed(storage, "f").count_embedded(ImageTable.of(images)) == len(images)


def same(one: CommittedImages, two: CommittedImages) -> bool:
    """Return whether two stores hold the same images, whatever their shards."""

    def plain(known: CommittedImages) -> object:
        keys = {(key.uri, key.etag, key.sha256, key.has_vectors) for key in known.select_keys("counts")}
        failures = fetch_query("SELECT uri, version, reason, transient FROM failures WHERE counts", tables(known))
        return keys, contents(known), sorted(map(str, failures.to_pylist()))

    return plain(one) == plain(two)


def test_small_shards_are_copied_together_bit_for_bit(place: str) -> None:
    storage = open_storage(place)
    broken = Failure("/photos/broken.jpg", "1", "It is truncated.", transient=False)
    full = put(storage, [make_row(number) for number in range(1000, 1000 + SIZE)])
    for number in range(MANY):
        put(storage, [make_row(number)])
    put(storage, [make_row(MANY), make_row(0, copy=True)], [broken])
    before, known = vectors(storage), read_committed(storage, "f")
    assert is_crowded(read_committed(storage, "f"), SIZE)
    done = compact_shards(storage, "f", SIZE)
    assert (done.collected, done.rewritten, done.written) == (0, MANY + 1, 5)
    assert vectors(storage) == before
    assert same(read_committed(storage, "f"), known)
    assert full in shards(storage)
    assert len(shards(storage)) == 6
    assert len({entry.key.split("/")[2] for entry in storage.list("embeddings/f")}) == 6
    assert not is_crowded(read_committed(storage, "f"), SIZE)


def test_few_small_shards_are_not_compacted(place: str) -> None:
    storage = open_storage(place)
    names = {put(storage, [make_row(number)]) for number in range(3)}
    assert compact_shards(storage, "f", SIZE).written == 0
    assert shards(storage) == names


def test_unused_shards_are_deleted_but_content_of_copies_stays(place: str) -> None:
    storage = open_storage(place)
    gone = put(storage, [make_row(1), make_row(2)], [Failure("/photos/x.jpg", "1", "Broken.", transient=False)])
    original = put(storage, [make_row(3), make_row(4)])
    copies = put(storage, [make_row(3, copy=True)])
    done = compact_shards(storage, "f", SIZE, [ImageTable.of([image_of(3, copy=True)])])
    assert done.collected == 1
    assert shards(storage) == {original, copies}
    assert gone not in shards(storage)
    assert is_embedded(storage, image_of(3, copy=True))


def test_recent_unused_shards_stay(place: str) -> None:
    storage = open_storage(place)
    put(storage, [make_row(1)])
    assert compact_shards(storage, "f", SIZE, [], grace=3600).collected == 0
    assert compact_shards(storage, "f", SIZE, []).collected == 1
    assert list(storage.list("embeddings")) == []


def test_mostly_unused_shards_shrink(place: str) -> None:
    storage = open_storage(place)
    wanted = set()
    for number in range(MANY + SIZE):
        put(storage, [make_row(number * SIZE + each) for each in range(SIZE)])
        wanted.add(image_of(number * SIZE + 3))
    compact_shards(storage, "f", SIZE, [ImageTable.of(wanted)])
    assert len(shards(storage)) == 5
    assert set(vectors(storage)) == {sha256_of(number * SIZE + 3) for number in range(MANY + SIZE)}


def test_damaged_shard_is_embedded_again_instead_of_copied(place: str) -> None:
    storage = open_storage(place)
    names = [put(storage, [make_row(number)]) for number in range(MANY + 1)]
    storage.write(f"{shard_folder('f', names[0])}/vectors.parquet", b"PAR1")
    with pytest.raises(NotPublishedError, match=r"is missing or damaged: .*Run index again"):
        compact_shards(storage, "f", SIZE)
    assert not is_embedded(storage, image_of(0))
    assert is_embedded(storage, image_of(1))


@pytest.mark.parametrize("dies_at", range(1, 11))
def test_interrupted_compaction_loses_nothing(place: str, dies_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findimg_jobs.store.shard_compaction, "MANY", 2)
    storage = open_storage(place)
    for number in range(3):
        put(storage, [make_row(number), make_row(number, copy=True)])
    before, known = vectors(storage), read_committed(storage, "f")
    left = [dies_at]

    def mortal(method: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object) -> object:
            left[0] -= 1
            if left[0] <= 0:
                raise StorageError("It died.")
            return method(*arguments)

        return wrapped

    with monkeypatch.context() as patch:
        for name in ("write", "delete", "clear"):
            patch.setattr(type(storage), name, mortal(getattr(type(storage), name)))
        with pytest.raises(StorageError, match="It died"):
            compact_shards(storage, "f", SIZE)
    assert same(read_committed(storage, "f"), known)
    assert vectors(storage) == before
    compact_shards(storage, "f", SIZE)
    assert same(read_committed(storage, "f"), known)
    assert vectors(storage) == before


@pytest.mark.slow
@pytest.mark.long
def test_a_year_of_nightly_runs_does_not_slow_the_next(tmp_path: Path) -> None:
    images, churn, size = 2_000, 20, 256
    storage = FolderStorage(str(tmp_path))
    rng = random.Random(1)
    live = list(range(images))
    for start in range(0, images, size):
        put(storage, [make_row(number) for number in live[start : start + size]])
    first = timed(storage)
    most = 0
    for night in range(365):
        rng.shuffle(live)
        fresh = range(images + night * churn, images + (night + 1) * churn)
        live = [*live[churn:], *fresh]
        put(storage, [make_row(number) for number in fresh])
        if is_crowded(read_committed(storage, "f"), size):
            compact_shards(storage, "f", size)
        if night % 7 == 6:
            compact_shards(storage, "f", size, [ImageTable.of(image_of(number) for number in live)])
        most = max(most, len(shards(storage)))
    # Full shards need a fourth of a shard's images each at least; the small ones come on top.
    assert most <= 4 * images / size + MANY + 1
    assert is_embedded(storage, *(image_of(number) for number in live))
    assert len(contents(read_committed(storage, "f"))) <= 4 * images
    last = timed(storage)
    print(f"{most} shards at most; read in {first:.3f} s before the first night, {last:.3f} s after the last")
    assert last < 10 * first + 0.5


def timed(storage: Storage) -> float:
    start = time.perf_counter()
    read_committed(storage, "f")
    return time.perf_counter() - start
