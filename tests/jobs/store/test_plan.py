import errno
import hashlib
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from findimg.errors import LibraryError
from findimg.images import ImageFacts
from findimg.storage.base import open_storage
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.plan import Plan, last_run, read_plan, read_planned_images, write_plan
from findimg_jobs.store.planned_shards import PlannedShards
from findimg_jobs.store.shard_rows import EmbeddedContent, ShardRow
from findimg_jobs.store.shards import ShardStats, commit_shard, shard_folder
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import Failure, FolderIdentity, SourceImage

OLD, NEW, BROKEN, AWAY = (SourceImage(name, "1") for name in ("old", "new", "broken", "away"))


@pytest.fixture
def known(tmp_path: Path) -> CommittedImages:
    storage = open_storage(tmp_path / "known")
    content = EmbeddedContent(ImageFacts(30, 20, "PNG", 99, None), np.ones(8, np.float32))
    failures = [
        Failure("broken", "1", "truncated", transient=False),
        Failure("away", "1", "no answer", transient=True),
    ]
    commit_shard(storage, "f", [ShardRow("old", "1", "aa" * 32, content)], failures, ShardStats("s", 1, 1, 2, 0))
    return read_committed(storage, "f")


def table(*images: SourceImage) -> ImageTable:
    return ImageTable.of(images)


def test_only_images_that_are_not_settled_are_embedded(known: CommittedImages) -> None:
    assert list(known.to_embed(table(AWAY, BROKEN, NEW, OLD))) == [AWAY, NEW]


def test_changed_image_is_embedded_again(known: CommittedImages) -> None:
    changed = [SourceImage("broken", "2"), SourceImage("old", "2")]
    assert list(known.to_embed(table(*changed))) == changed


def test_written_plan_is_read_back(place: str, known: CommittedImages) -> None:
    storage = open_storage(place)
    folders = {"/photos": FolderIdentity(7, mounted=True)}
    image = SourceImage("/photos/new", "1", 5.0)
    write_plan(storage, Plan("r", table(image, OLD), folders | {"/empty": FolderIdentity(8, mounted=False)}))
    plan = read_plan(storage, "r")
    assert (list(plan.images), plan.folders) == ([image, OLD], folders)
    plan = read_plan(storage, "r", known)
    assert (list(plan.images), plan.folders) == ([OLD], folders)


def test_missing_or_damaged_plan_is_reported(place: str) -> None:
    storage = open_storage(place)
    with pytest.raises(LibraryError, match="plan of run r is missing"):
        read_planned_images(storage, "r")
    storage.write("plans/r.parquet", b"PAR1")
    with pytest.raises(LibraryError, match="plan of run r is damaged: "):
        read_planned_images(storage, "r")


@pytest.mark.parametrize("with_committed", [False, True])
def test_damaged_row_of_a_plan_is_reported(tmp_path: Path, with_committed: bool) -> None:
    storage = open_storage(tmp_path)
    images = [SourceImage(f"/photos/{hashlib.sha256(bytes([n % 256])).hexdigest()}{n}", "1") for n in range(5000)]
    write_plan(storage, Plan("r", table(*images)))
    content = EmbeddedContent(ImageFacts(30, 20, "PNG", 99, None), np.ones(8, np.float32))
    rows = [ShardRow(image.uri, "1", f"{number:064x}", content) for number, image in enumerate(images)]
    commit_shard(storage, "f", rows, [], ShardStats("s", len(rows), len(rows), 0, 0))
    path = tmp_path / "plans" / "r.parquet"
    written = path.read_bytes()
    path.write_bytes(written[:100] + bytes(5000) + written[5100:])
    with pytest.raises(LibraryError, match="plan of run r is damaged: "):
        read_plan(storage, "r", read_committed(storage, "f") if with_committed else None)


def test_full_temporary_folder_is_no_damaged_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(tmp_path)
    write_plan(storage, Plan("r", table(NEW)))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(storage), "fetch", full)
    with pytest.raises(OSError, match="No space left"):
        read_plan(storage, "r")


def test_last_run_is_the_newest_planned_run(place: str, known: CommittedImages) -> None:
    storage = open_storage(place)
    assert last_run(storage) is None
    for run in ("20260102T000000Z-a", "20260103T000000Z-b", "20260101T000000Z-c"):
        write_plan(storage, Plan(run, table(NEW)))
    assert last_run(storage) == "20260103T000000Z-b"


def test_planning_makes_no_python_object_for_each_image(tmp_path: Path) -> None:
    storage, count = open_storage(tmp_path), 60_000
    images = [SourceImage(f"/photos/{number // 500}/{number:08}.jpg", "1-1") for number in range(count)]
    for start in range(0, count, 500):
        keys = [
            (image.uri, image.etag, f"{number:064x}", True)
            for number, image in enumerate(images[start : start + 500], start)
        ]
        commit = json.dumps({"failed": 0, "keys": keys}).encode()
        storage.write(f"{shard_folder('f', f'{start:024}')}/stats.json", commit)
    listed = table(*images, NEW)
    del images
    tracemalloc.start()
    try:
        write_plan(storage, Plan("r", listed))
        to_embed = read_committed(storage, "f").to_embed(read_plan(storage, "r").images)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert list(to_embed) == [NEW]
    assert most < 200 * count, f"{most / count:.0f} bytes for each image"


def test_first_run_makes_python_objects_of_one_shard_at_a_time(tmp_path: Path) -> None:
    count = 60_000
    listed = ImageTable.of(SourceImage(f"/photos/{n // 500}/{n:08}.jpg", "1-1") for n in range(count))
    tracemalloc.start()
    try:
        to_embed = read_committed(open_storage(tmp_path), "f").to_embed(listed)
        done = sum(len(shard.images) for shard in PlannedShards(to_embed, "f", size=500))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert done == count
    assert most < 120 * count, f"{most / count:.0f} bytes for each image"


def test_retry_failed_embeds_broken_images(known: CommittedImages) -> None:
    assert list(known.to_embed(table(AWAY, BROKEN, NEW, OLD), retry_failed=True)) == [AWAY, BROKEN, NEW]
