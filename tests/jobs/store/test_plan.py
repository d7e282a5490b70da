import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from findimg.errors import LibraryError
from findimg.storage.base import open_storage
from findimg_jobs.keys.image_table import ImageTable
from findimg_jobs.keys.listing import Listing
from findimg_jobs.keys.records import Failure, SourceImage
from findimg_jobs.store.committed import CommittedImages, read_committed
from findimg_jobs.store.plan import last_run, make_plan, read_images, write_plan
from findimg_jobs.store.shards import Content, EmbeddedImage, Stats, commit_shard, shard_folder

OLD, NEW, BROKEN, AWAY = (SourceImage(name, "1") for name in ("old", "new", "broken", "away"))


@pytest.fixture
def known(tmp_path: Path) -> CommittedImages:
    storage = open_storage(tmp_path / "known")
    content = Content(30, 20, "PNG", 99, None, np.ones(8, np.float32))
    failures = [
        Failure("broken", "1", "truncated", transient=False),
        Failure("away", "1", "no answer", transient=True),
    ]
    commit_shard(storage, "f", [EmbeddedImage("old", "1", "aa" * 32, content)], failures, Stats("s", 1, 1, 2, 0))
    return read_committed(storage, "f")


def listing(*images: SourceImage) -> Listing:
    return Listing(ImageTable.of(images))


def test_plan_has_only_images_that_are_not_settled(known: CommittedImages) -> None:
    plan = make_plan("r", listing(AWAY, BROKEN, NEW, OLD), known, "f", shard_size=10)
    assert [shard.images for shard in plan.shards] == [(AWAY, NEW)]


def test_changed_image_is_planned_again(known: CommittedImages) -> None:
    changed = [SourceImage("broken", "2"), SourceImage("old", "2")]
    plan = make_plan("r", listing(*changed), known, "f", shard_size=10)
    assert [shard.images for shard in plan.shards] == [tuple(changed)]


def test_written_plan_names_all_images(place: str, known: CommittedImages) -> None:
    storage = open_storage(place)
    write_plan(storage, make_plan("r", listing(NEW, OLD), known, "f", shard_size=10))
    assert list(read_images(storage, "r")) == [NEW, OLD]


def test_missing_or_damaged_plan_is_reported(place: str) -> None:
    storage = open_storage(place)
    with pytest.raises(LibraryError, match="plan of run r is missing"):
        read_images(storage, "r")
    storage.write("plans/r.parquet", b"PAR1")
    with pytest.raises(LibraryError, match="plan of run r is damaged: "):
        read_images(storage, "r")


def test_last_run_is_the_newest_planned_run(place: str, known: CommittedImages) -> None:
    storage = open_storage(place)
    assert last_run(storage) is None
    for run in ("20260102T000000Z-a", "20260103T000000Z-b", "20260101T000000Z-c"):
        write_plan(storage, make_plan(run, listing(NEW), known, "f", shard_size=10))
    assert last_run(storage) == "20260103T000000Z-b"


def test_planning_makes_no_python_object_for_each_image(tmp_path: Path) -> None:
    storage, count = open_storage(tmp_path), 60_000
    images = [SourceImage(f"/photos/{number // 500}/{number:08}.jpg", "1-1") for number in range(count)]
    for start in range(0, count, 500):
        keys = [
            (image.uri, image.version, f"{number:064x}", True)
            for number, image in enumerate(images[start : start + 500], start)
        ]
        commit = json.dumps({"failed": 0, "keys": keys}).encode()
        storage.write(f"{shard_folder('f', f'{start:024}')}/stats.json", commit)
    listed = listing(*images, NEW)
    del images
    tracemalloc.start()
    try:
        plan = make_plan("r", listed, read_committed(storage, "f"), "f", shard_size=10)
        write_plan(storage, plan)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [shard.images for shard in plan.shards] == [(NEW,)]
    assert most < 200 * count, f"{most / count:.0f} bytes for each image"


def test_retry_failed_plans_broken_images(known: CommittedImages) -> None:
    plan = make_plan("r", listing(AWAY, BROKEN, NEW, OLD), known, "f", shard_size=10, retry_failed=True)
    assert [shard.images for shard in plan.shards] == [(AWAY, BROKEN, NEW)]
