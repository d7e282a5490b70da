import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from findimg.errors import LibraryError, LockedError
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library
from findimg_jobs.maintenance.prune import DAY, HOUR, prune
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store.lock import hold_lock
from tests.opened import open_catalog

Run = Callable[..., RunReport]


@pytest.fixture
def library(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> Library:
    """Return a library with three versions that look two hours old. Each has an image less. A shard has one image."""
    library = Library(str(tmp_path / "library"), cache)
    run(library.uri, pictures, shard_size=1)
    for number in range(2):
        (pictures / f"{number}.png").unlink()
        run(library.uri, pictures, shard_size=1)
    for version in library.versions():
        pretend(library, version, hours=2)
    return library


def pretend(library: Library, version: str, **ago: float) -> None:
    """Make a version look this old. The age is given as for `timedelta`."""
    created = (datetime.now(UTC) - timedelta(**ago)).isoformat(timespec="seconds")
    older = library.manifest(version).model_copy(update={"created": created})
    library.storage.write(f"versions/{version}/manifest.json", older.model_dump_json(by_alias=True).encode())


def age(folder: Path, seconds: float) -> None:
    """Make all files below a folder look this many seconds old."""
    then = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def keys(library: Library, prefix: str) -> set[str]:
    return {entry.key for entry in library.storage.list(prefix)}


def thumbnails(library: Library, version: str) -> set[str]:
    """Return the thumbnails of a version's images."""
    catalog = open_catalog(library.open(version))
    return {thumbnail_key(catalog.row(item).sha256) for item in range(catalog.images)}


def test_old_versions_are_removed_but_never_the_live_one(library: Library) -> None:
    first, middle, last = library.versions()
    library.storage.write("CURRENT", first.encode())  # somebody rolled back
    assert prune(library, 1, keep=1).versions == [middle]
    assert library.versions() == [first, last]
    assert not (Path(library.uri) / "versions" / middle).exists()
    assert library.open().manifest.version == first


def test_versions_younger_than_an_hour_are_kept(library: Library) -> None:
    first, middle, _ = library.versions()
    pretend(library, middle, minutes=59)
    assert prune(library, 1, keep=0).versions == [first]


def test_unused_embeddings_and_thumbnails_are_removed_after_the_grace_period(
    library: Library, pictures: Path, run: Run, draw: Callable[[Path, int], None]
) -> None:
    first, middle, last = library.versions()
    once, still, now = (thumbnails(library, version) for version in (first, middle, last))
    young = prune(library, 1, keep=2)
    assert (young.versions, young.shards, young.thumbnails) == ([first], 0, 0)
    age(Path(library.uri), 8 * DAY)
    assert prune(library, 1, keep=2, grace=9).shards == 0
    old = prune(library, 1, keep=2)
    assert (old.shards, old.thumbnails) == (1, 1)
    assert keys(library, "thumbnails") == still
    assert prune(library, 1, keep=1).lines() == [
        f"Removed version {middle}.",
        "Removed 2 segments and files of versions.",  # its items and near-duplicates. Its segments are in use.
        "Removed 1 shards of embeddings.",
        "Removed 1 thumbnails.",
    ]
    assert keys(library, "thumbnails") == now
    assert not verify(library, library.manifest(last)).problems
    draw(pictures / "0.png", 0)
    assert run(library.uri, pictures, shard_size=1).embedded == 1
    assert keys(library, "thumbnails") < once


def test_used_data_is_kept_and_no_image_is_read_again(
    library: Library, pictures: Path, run: Run, reads: list[str]
) -> None:
    age(Path(library.uri), 100 * DAY)
    prune(library, 1, keep=0)
    assert prune(library, 1, keep=0).lines() == ["There was nothing to remove."]
    reads.clear()
    assert run(library.uri, pictures, shard_size=1).outcome == "unchanged"
    assert reads == []


def test_records_of_broken_images_are_kept(library: Library, pictures: Path, run: Run, reads: list[str]) -> None:
    (pictures / "broken.png").write_bytes(b"no image")
    run(library.uri, pictures, shard_size=1)
    age(Path(library.uri), 8 * DAY)
    prune(library, 1, keep=0)
    reads.clear()
    assert run(library.uri, pictures, shard_size=1).failed == 1
    assert reads == []


def test_plans_and_reports_are_kept_for_90_days_or_while_a_version_uses_them(library: Library) -> None:
    runs = [library.manifest(version).run for version in library.versions()[1:]]
    age(Path(library.uri) / "plans", 89 * DAY)
    age(Path(library.uri) / "runs", 89 * DAY)
    assert prune(library, 1, keep=2).plans == 0
    age(Path(library.uri) / "plans", 91 * DAY)
    age(Path(library.uri) / "runs", 91 * DAY)
    pruned = prune(library, 1, keep=2)
    assert (pruned.plans, pruned.reports) == (1, 1)
    assert keys(library, "plans") == {f"plans/{run}.parquet" for run in runs}
    assert keys(library, "runs") == {f"runs/{run}.json" for run in runs}


def test_remains_of_interrupted_runs_are_removed_after_an_hour(library: Library) -> None:
    folder = Path(library.uri)
    (made,) = (folder / "embeddings").iterdir()
    left = [
        folder / "versions" / "20260101T000000Z-00000000" / "catalog.sqlite",
        made / "0123" / "vectors.parquet",
        folder / "thumbnails" / ".draft-0123456789abcdef",
    ]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert prune(library, 1).drafts == 0
    for path in left:
        os.utime(path, (time.time() - HOUR - 9,) * 2)
    assert prune(library, 1).drafts == 3
    assert not any(path.exists() for path in left)
    assert (made / "classifier.npy").exists()


def test_embeddings_of_unused_weights_are_removed(library: Library) -> None:
    folder = Path(library.uri) / "embeddings"
    (made,) = folder.iterdir()
    made.rename(folder / "earlier")
    library.storage.write(f"embeddings/{made.name}/classifier.npy", b"")
    age(folder, 8 * DAY)
    pruned = prune(library, 1)
    assert pruned.shards == 6
    assert not (folder / "earlier").exists()
    # The live version's own embeddings are gone: nothing else is thrown after them.
    assert pruned.notes == ["6 images are missing from the embedding store, so all thumbnails were kept."]


@pytest.mark.parametrize("damaged", ["manifest", "plan"])
def test_data_is_kept_when_a_manifest_or_plan_is_unreadable(library: Library, damaged: str) -> None:
    first = library.versions()[0]
    if damaged == "plan":
        library.storage.delete(f"plans/{library.manifest(first).run}.parquet")
    else:
        library.storage.write(f"versions/{first}/manifest.json", b"{}")
    age(Path(library.uri), 100 * DAY)
    before = keys(library, "")
    pruned = prune(library, 1, keep=9, grace=0)
    assert keys(library, "") == before
    assert "were kept" in pruned.lines()[-1]


def test_nothing_is_pruned_during_a_run_or_with_a_damaged_current(library: Library) -> None:
    before = keys(library, "")
    with hold_lock(library.storage), pytest.raises(LockedError):
        prune(library, 1, keep=0)
    library.storage.write("CURRENT", b"???")
    with pytest.raises(LibraryError, match="names no version"):
        prune(library, 1, keep=0)
    assert keys(library, "") == before
