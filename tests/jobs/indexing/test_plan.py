import pytest

from findimg.errors import LibraryError
from findimg.storage.base import open_storage
from findimg_jobs.indexing.plan import last_run, make_plan, read_images, write_plan
from findimg_jobs.indexing.records import Failure, Listing, SourceImage
from findimg_jobs.store.shards import CommittedImages, ImageKey

OLD, NEW, BROKEN, AWAY = (SourceImage(name, "1") for name in ("old", "new", "broken", "away"))
KNOWN = CommittedImages(
    keys={("old", "1"): ImageKey("old", "1", "aa", True, "s")},
    contents={},
    failures={
        ("broken", "1"): Failure("broken", "1", "truncated", transient=False),
        ("away", "1"): Failure("away", "1", "no answer", transient=True),
    },
)


def test_plan_has_only_images_that_are_not_settled() -> None:
    plan = make_plan("r", Listing([AWAY, BROKEN, NEW, OLD], []), KNOWN, "f", shard_size=10)
    assert [shard.images for shard in plan.shards] == [(AWAY, NEW)]


def test_changed_image_is_planned_again() -> None:
    changed = [SourceImage("broken", "2"), SourceImage("old", "2")]
    plan = make_plan("r", Listing(changed, []), KNOWN, "f", shard_size=10)
    assert [shard.images for shard in plan.shards] == [tuple(changed)]


def test_written_plan_names_all_images(place: str) -> None:
    storage = open_storage(place)
    write_plan(storage, make_plan("r", Listing([NEW, OLD], []), KNOWN, "f", shard_size=10))
    assert read_images(storage, "r") == [NEW, OLD]


def test_missing_or_damaged_plan_is_reported(place: str) -> None:
    storage = open_storage(place)
    with pytest.raises(LibraryError, match="plan of run r is missing"):
        read_images(storage, "r")
    storage.write("plans/r.parquet", b"PAR1")
    with pytest.raises(LibraryError, match="plan of run r is damaged: "):
        read_images(storage, "r")


def test_last_run_is_the_newest_planned_run(place: str) -> None:
    storage = open_storage(place)
    assert last_run(storage) is None
    for run in ("20260102T000000Z-a", "20260103T000000Z-b", "20260101T000000Z-c"):
        write_plan(storage, make_plan(run, Listing([NEW], []), KNOWN, "f", shard_size=10))
    assert last_run(storage) == "20260103T000000Z-b"


def test_retry_failed_plans_broken_images() -> None:
    plan = make_plan("r", Listing([AWAY, BROKEN, NEW, OLD], []), KNOWN, "f", shard_size=10, retry_failed=True)
    assert [shard.images for shard in plan.shards] == [(AWAY, BROKEN, NEW)]
