import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import boto3
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import findimg_jobs.indexing.embed_worker
import findimg_jobs.indexing.run
import findimg_jobs.store.shard_compaction
from findimg.errors import (
    HeadError,
    LibraryError,
    LockedError,
    ModelError,
    NotPublishedError,
    SettingsError,
    StorageError,
)
from findimg.images import decode
from findimg.library.catalog_filters import Filters
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.storage.base import Storage, open_storage
from findimg.storage.folder import hash_file
from findimg.storage.s3 import shared_client
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.listing.listing import Listing
from findimg_jobs.listing.sources import list_sources
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.shards import commit_shard
from tests.opened import open_catalog

Run = Callable[..., RunReport]


def indexed(library: str, cache: Path) -> set[str]:
    """Return the file names in the live version."""
    catalog = open_catalog(Library(library, cache).open())
    return {Path(catalog.row(item).uri).name for item in range(catalog.images)}


def counts(report: RunReport) -> tuple[int, int, int, int, int]:
    return report.seen, report.embedded, report.reused, report.removed, report.failed


def upload(folder: Path, place: str) -> None:
    storage = open_storage(place)
    for path in folder.iterdir():
        storage.write(path.name, path.read_bytes())


def test_unchanged_source_costs_nothing(place: str, pictures: Path, run: Run, cache: Path) -> None:
    source, library = f"{place}/source", f"{place}/library"
    upload(pictures, source)
    first = run(library, source)
    assert counts(first) == (6, 6, 0, 0, 0)
    assert indexed(library, cache) == {f"{number}.png" for number in range(6)}
    second = run(library, source)
    assert counts(second) == (6, 0, 6, 0, 0)
    assert second.version == first.version
    assert second.outcome == "unchanged"


def test_new_changed_and_removed_images_are_published(
    place: str, pictures: Path, run: Run, draw: Callable[[Path, int], None], cache: Path
) -> None:
    source, library = f"{place}/source", f"{place}/library"
    upload(pictures, source)
    run(library, source)
    storage = open_storage(source)
    draw(pictures / "6.png", 6)
    draw(pictures / "0.png", 100)
    storage.write("6.png", (pictures / "6.png").read_bytes())
    storage.write("0.png", (pictures / "0.png").read_bytes())
    storage.delete("1.png")
    assert counts(run(library, source)) == (6, 2, 4, 1, 0)
    assert indexed(library, cache) == {"0.png", "2.png", "3.png", "4.png", "5.png", "6.png"}


def test_renamed_image_is_not_embedded_again(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    library = str(tmp_path / "library")
    run(library, pictures)
    (pictures / "0.png").rename(pictures / "renamed.png")
    shutil.copy(pictures / "1.png", pictures / "copied.png")
    assert counts(run(library, pictures)) == (7, 0, 7, 1, 0)
    assert {"renamed.png", "copied.png"} <= indexed(library, cache)


def test_change_of_the_same_size_is_detected(
    tmp_path: Path, pictures: Path, run: Run, draw: Callable[[Path, int], None], cache: Path
) -> None:
    library = str(tmp_path / "library")
    run(library, pictures)
    path = pictures / "0.bmp"
    for seed, mtime in ((100, None), (101, None), (102, 0)):  # the last by a clock that went backwards
        before = path.stat().st_size if path.exists() else None
        draw(path, seed)
        if mtime is not None:
            os.utime(path, ns=(mtime, mtime))
        assert before in (None, path.stat().st_size)
        assert run(library, pictures).embedded == 1
        catalog = open_catalog(Library(library, cache).open())
        assert catalog.row(0).sha256 == hash_file(path)


def test_broken_image_is_reported_but_not_read_again(
    tmp_path: Path, pictures: Path, run: Run, reads: list[str]
) -> None:
    library = str(tmp_path / "library")
    (pictures / "broken.jpg").write_bytes(b"no image")
    assert counts(run(library, pictures)) == (7, 6, 0, 0, 1)
    reads.clear()
    second = run(library, pictures)
    assert counts(second) == (7, 0, 6, 0, 1)
    assert reads == []
    written = json.loads((tmp_path / "library" / "runs" / f"{second.run}.json").read_text())
    assert [Path(failure["uri"]).name for failure in written["failures"]] == ["broken.jpg"]
    assert written["failures"][0]["reason"]


def test_broken_image_is_read_again_on_request_or_change(
    tmp_path: Path, pictures: Path, run: Run, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = str(tmp_path / "library")
    (pictures / "broken.png").write_bytes(b"no image")
    run(library, pictures)
    reads.clear()
    assert counts(run(library, pictures)) == (7, 0, 6, 0, 1)
    assert reads == []
    assert counts(run(library, pictures, retry_failed=True)) == (7, 0, 6, 0, 1)
    assert reads == [str(pictures / "broken.png")]
    # As after an update that reads what could not be read before.
    with monkeypatch.context() as patch:
        patch.setattr(
            findimg_jobs.indexing.embed_worker, "decode", lambda data: decode((pictures / "0.png").read_bytes())
        )
        assert counts(run(library, pictures, retry_failed=True)) == (7, 0, 7, 0, 0)
    shutil.copy(pictures / "1.png", pictures / "broken.png")
    assert counts(run(library, pictures)) == (7, 0, 7, 0, 0)


def test_unreachable_image_is_read_again_until_it_is_known_to_be_broken(
    tmp_path: Path, pictures: Path, run: Run, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = str(tmp_path / "library")
    (pictures / "broken.png").write_bytes(b"no image")
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(findimg_jobs.indexing.embed_worker, "read_uri", unreachable)
            with pytest.raises(NotPublishedError, match="nothing to publish"):
                run(library, pictures)
    assert counts(run(library, pictures)) == (7, 6, 0, 0, 1)
    reads.clear()
    run(library, pictures)
    assert reads == []


def unreachable(uri: str, *_: object) -> bytes:
    raise StorageError(f"{uri} cannot be reached. Try again.")


def test_image_changed_after_listing_is_left_to_the_next_run(
    place: str, pictures: Path, run: Run, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    source, library = f"{place}/source", f"{place}/library"
    upload(pictures, source)
    first, second = (pictures / "0.png").read_bytes(), (pictures / "1.png").read_bytes()

    def change_first(*arguments: str) -> Listing:
        listing = list_sources(*arguments)
        open_storage(source).write("0.png", second)
        return listing

    with monkeypatch.context() as patch:
        patch.setattr(findimg_jobs.indexing.run, "list_sources", change_first)
        report = run(library, source)
    assert counts(report) == (6, 5, 0, 0, 1)
    assert "has changed since it was listed" in report.failures[0].reason
    assert counts(run(library, source)) == (6, 0, 6, 0, 0)
    open_storage(source).write("0.png", first)
    assert counts(run(library, source)) == (6, 1, 5, 0, 0)


def test_restored_image_costs_nothing(
    tmp_path: Path, pictures: Path, run: Run, draw: Callable[[Path, int], None], cache: Path
) -> None:
    library = str(tmp_path / "library")
    before = run(library, pictures)
    path = pictures / "0.png"
    status, data = path.stat(), path.read_bytes()
    draw(path, 100)
    assert counts(run(library, pictures)) == (6, 1, 5, 0, 0)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    restored = run(library, pictures)
    assert (restored.embedded, restored.bytes_read) == (0, 0)
    opened = Library(library, cache)
    files = [opened.manifest(str(report.version)).files for report in (before, restored)]
    assert files[0] == files[1]


def test_image_without_a_camera_date_is_dated_by_its_name_or_its_file(
    place: str, tmp_path: Path, pictures: Path, run: Run, cache: Path
) -> None:
    source, library = f"{place}/source", str(tmp_path / "library")
    details = Image.Exif()
    details.get_ifd(0x8769)[0x9003] = "2023:05:04 03:02:01"
    picture = Image.open(pictures / "0.png")
    picture.save(pictures / "IMG_20200101_camera.jpg", exif=details)
    picture.transpose(Image.Transpose.ROTATE_90).save(pictures / "IMG-20240601-WA0001.jpg")
    upload(pictures, source)
    run(library, source)
    before = datetime.now() - timedelta(minutes=5)
    catalog = open_catalog(Library(library, cache).open())
    rows = {Path(row.uri).name: row for row in catalog.rows(range(catalog.images))}
    camera, name, file = (rows[each] for each in ("IMG_20200101_camera.jpg", "IMG-20240601-WA0001.jpg", "1.png"))
    assert (camera.facts.taken, camera.dated_by) == (datetime(2023, 5, 4, 3, 2, 1), "camera")
    assert (name.facts.taken, name.dated_by) == (datetime(2024, 6, 1), "name")
    assert file.dated_by == "file"
    assert file.facts.taken is not None
    assert before < file.facts.taken < datetime.now() + timedelta(minutes=5)
    assert catalog.dated_by_file(Filters()) == 6


def test_plan_of_an_older_release_without_file_times_is_read(tmp_path: Path, pictures: Path, run: Run) -> None:
    library = tmp_path / "library"
    run(str(library), pictures)
    (plan,) = (library / "plans").iterdir()
    pq.write_table(pq.read_table(plan).drop_columns("modified"), plan)
    (pictures / "0.png").unlink()
    assert counts(run(str(library), pictures)) == (5, 0, 5, 1, 0)


def test_removal_published_while_listing_is_not_undone(
    tmp_path: Path, pictures: Path, run: Run, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    library = str(tmp_path / "library")
    run(library, pictures)

    def meanwhile(*arguments: str) -> Listing:
        listing = list_sources(*arguments)
        (pictures / "0.png").unlink()
        with monkeypatch.context() as patch:
            patch.setattr(findimg_jobs.indexing.run, "list_sources", list_sources)
            run(library, pictures)
        return listing

    monkeypatch.setattr(findimg_jobs.indexing.run, "list_sources", meanwhile)
    run(library, pictures)
    assert indexed(library, cache) == {f"{number}.png" for number in range(1, 6)}


def test_version_of_other_sources_published_while_listing_is_not_undone(
    tmp_path: Path, pictures: Path, run: Run, draw: Callable[[Path, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    library = str(tmp_path / "library")
    run(library, pictures)
    draw(tmp_path / "others" / "9.png", 9)

    def meanwhile(*arguments: str) -> Listing:
        listing = list_sources(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(findimg_jobs.indexing.run, "list_sources", list_sources)
            run(library, pictures, tmp_path / "others")
        return listing

    monkeypatch.setattr(findimg_jobs.indexing.run, "list_sources", meanwhile)
    with pytest.raises(NotPublishedError, match=r"published to .* meanwhile. Run again"):
        run(library, pictures)


def test_run_that_loses_its_lock_stops_embedding(
    tmp_path: Path, pictures: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = str(tmp_path / "library")
    lost = b'{"owner": "b:2", "token": "other", "since": 0, "beat": 0}'

    def lose(storage: Storage, *arguments: object) -> None:
        commit_shard(storage, *arguments)  # type: ignore[arg-type]
        storage.write("LOCK", lost)

    monkeypatch.setattr(findimg_jobs.indexing.embed_worker, "commit_shard", lose)
    with pytest.raises(NotPublishedError, match="lost the library's lock to b:2"):
        run(library, pictures, shard_size=1)
    assert len(list((tmp_path / "library").glob("embeddings/*/*/stats.json"))) == 1
    (report,) = (tmp_path / "library" / "runs").iterdir()
    written = json.loads(report.read_text())
    assert (written["seen"], written["embedded"], written["reused"]) == (6, 1, 0)


def test_damaged_shard_is_embedded_again_by_the_next_run(
    tmp_path: Path, pictures: Path, run: Run, draw: Callable[[Path, int], None]
) -> None:
    library = str(tmp_path / "library")
    run(library, pictures)
    (vectors,) = (tmp_path / "library").glob("embeddings/*/*/vectors.parquet")
    vectors.write_bytes(vectors.read_bytes()[:-50])
    draw(pictures / "6.png", 6)
    shutil.rmtree(tmp_path / "library" / "segments")  # so all segments must be built from the shards again
    with pytest.raises(NotPublishedError, match="missing or damaged"):
        run(library, pictures)
    assert counts(run(library, pictures)) == (7, 6, 1, 0, 0)


def test_library_of_one_image_can_be_updated(tmp_path: Path, run: Run, draw: Callable[[Path, int], None]) -> None:
    draw(tmp_path / "one" / "0.png", 0)
    first = run(str(tmp_path / "library"), tmp_path / "one")
    assert run(str(tmp_path / "library"), tmp_path / "one").version == first.version


def test_missing_plan_of_the_live_version_does_not_stop_a_run(tmp_path: Path, pictures: Path, run: Run) -> None:
    library = tmp_path / "library"
    run(str(library), pictures)
    shutil.rmtree(library / "plans")
    (pictures / "0.png").unlink()
    assert counts(run(str(library), pictures)) == (5, 0, 5, 0, 0)


def test_many_small_shards_are_compacted_before_the_build(
    tmp_path: Path, pictures: Path, run: Run, draw: Callable[[Path, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findimg_jobs.store.shard_compaction, "MANY", 3)
    library = str(tmp_path / "library")
    for number in range(6, 10):
        draw(pictures / f"{number}.png", number)
        run(library, pictures)
    assert len(list((tmp_path / "library").glob("embeddings/*/*/stats.json"))) == 1
    assert counts(run(library, pictures)) == (10, 0, 10, 0, 0)


def test_strict_publishes_nothing_if_an_image_fails(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    library = str(tmp_path / "library")
    (pictures / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(NotPublishedError, match=r"1 image could not be read and --strict"):
        run(library, pictures, strict=True)
    assert Library(library, cache).find_live_version() is None
    (pictures / "broken.jpg").unlink()
    assert counts(run(library, pictures, strict=True)) == (6, 0, 6, 0, 0)


def test_losing_more_than_half_is_refused_unless_allowed(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    library = str(tmp_path / "library")
    before = run(library, pictures)
    for number in range(4):
        (pictures / f"{number}.png").unlink()
    with pytest.raises(NotPublishedError, match=r"would hold 2 images where the live one holds 6.*--allow-shrink"):
        run(library, pictures)
    assert Library(library, cache).find_live_version() == before.version
    assert run(library, pictures, allow_shrink=True).images == 2
    assert indexed(library, cache) == {"4.png", "5.png"}


def test_folder_of_broken_images_publishes_nothing(tmp_path: Path, run: Run, cache: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(NotPublishedError, match="nothing to publish"):
        run(str(tmp_path / "library"), tmp_path / "source")
    assert Library(str(tmp_path / "library"), cache).find_live_version() is None


def test_failed_run_writes_a_report_with_the_reason(tmp_path: Path, pictures: Path, run: Run) -> None:
    (pictures / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(NotPublishedError):
        run(str(tmp_path / "library"), pictures, strict=True)
    (report,) = (tmp_path / "library" / "runs").iterdir()
    written = json.loads(report.read_text())
    assert "--strict" in written["outcome"]
    assert written["version"] is None


@pytest.mark.parametrize(
    ("flags", "error", "sentence"),
    [
        ({"backbone": "resnet"}, SettingsError, "no backbone 'resnet'"),
        ({"words": "glove.none"}, ModelError, "glove.none"),
        ({"visual_dim": "0"}, SettingsError, "must be a positive number or full. Received: '0'"),
        ({"head": "resnet"}, HeadError, "There is no head 'resnet'"),
        ({"weights": "/no/such/file"}, ModelError, "no file '/no/such/file'"),
    ],
)
def test_invalid_setting_is_refused_before_anything_is_written(
    tmp_path: Path, pictures: Path, run: Run, flags: dict[str, str], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        run(str(tmp_path / "library"), pictures, **flags)
    assert not (tmp_path / "library").exists()


def test_unreadable_source_changes_nothing(tmp_path: Path, pictures: Path, run: Run) -> None:
    with pytest.raises(SettingsError):
        run(str(tmp_path / "library"), pictures, "/no/such/place")
    assert not (tmp_path / "library").exists()


def test_encoder_whose_weights_are_missing_is_not_added(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    library = str(tmp_path / "library")
    before = run(library, pictures)
    with pytest.raises(ModelError, match="onnx-clip needs a model"):
        run(library, pictures, backbone="onnx-clip")
    assert Library(library, cache).find_live_version() == before.version


def test_second_writer_is_refused(tmp_path: Path, pictures: Path, run: Run) -> None:
    library = str(tmp_path / "library")
    with hold_lock(open_storage(library)), pytest.raises(LockedError):
        run(library, pictures)


def test_equal_images_give_equal_bytes(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    files = []
    for library in (str(tmp_path / "one"), str(tmp_path / "two")):
        run(library, pictures)
        opened = Library(library, cache)
        files.append(opened.manifest(str(opened.find_live_version())).files)
    assert files[0] == files[1]


def test_merge_reads_no_image(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> None:
    library = str(tmp_path / "library")
    run(library, pictures)
    shutil.rmtree(pictures)
    live = Library(library, cache)
    before = live.manifest(str(live.find_live_version()))
    # As if made by an older findimg: the recipe differs, so all segments are built again.
    older = before.model_copy(update={"recipe": "other"}).model_dump_json(by_alias=True)
    open_storage(library).write(f"versions/{before.version}/manifest.json", older.encode())
    after = rebuild(Settings(library=library, cache=cache))
    assert after.all_files() == before.all_files()
    assert (after.recipe, after.inputs) == (before.recipe, before.inputs)


def test_large_library_gets_a_projected_index(
    tmp_path: Path, pictures: Path, run: Run, draw: Callable[[Path, int], None], cache: Path
) -> None:
    library = str(tmp_path / "library")
    run(library, pictures, visual_dim="2")
    assert Library(library, cache).open().manifest.visual.dim == 1280
    for number in range(6, 20):
        draw(pictures / f"{number}.png", number)
    run(library, pictures)
    manifest = Library(library, cache).open().manifest
    assert (manifest.visual_dim, manifest.visual.dim) == ("2", 2)
    assert len(manifest.coherence) == 2
    assert "projection.npy" in manifest.files
    assert rebuild(Settings(library=library, cache=cache, visual_dim="full")).visual.dim == 1280


def test_merge_before_the_first_run_is_refused(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(LibraryError, match="Run findimg-jobs index first"):
        rebuild(Settings(library=str(tmp_path), cache=cache))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_incomplete_live_version_is_published_again(
    tmp_path: Path, pictures: Path, run: Run, cache: Path, reads: list[str], damage: Callable[[Path], object]
) -> None:
    library = Library(str(tmp_path / "library"), cache)
    run(library.uri, pictures)
    damaged = library.find_live_version()
    version = library.open()
    damage(version.folder(version.manifest.segments[0]) / "visual.f16")
    reads.clear()
    assert run(library.uri, pictures).outcome == "published"
    assert library.open().manifest.version != damaged
    assert reads == []


def test_images_of_an_unreadable_folder_are_kept(
    tmp_path: Path, run: Run, draw: Callable[[Path, int], None], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, library = tmp_path / "source", str(tmp_path / "library")
    for number in range(4):
        draw(source / f"album{number % 2}" / f"{number}.png", number)
    run(library, source)
    scandir = os.scandir

    def refuse(path: str = ".") -> object:
        if path == str(source / "album1"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    draw(source / "album0" / "new.png", 9)
    report = run(library, source)
    assert counts(report) == (6, 1, 4, 0, 1)
    assert indexed(library, cache) == {"0.png", "1.png", "2.png", "3.png", "new.png"}
    monkeypatch.undo()
    (source / "album1" / "1.png").unlink()
    run(library, source)
    assert "1.png" not in indexed(library, cache)


@pytest.fixture
def disks(tmp_path: Path, draw: Callable[[Path, int], None]) -> Path:
    """Return a folder with two disks of four and two images."""
    for number in range(6):
        draw(tmp_path / "source" / ("disk1" if number < 4 else "disk2/2024") / f"{number}.png", number)
    return tmp_path / "source"


def test_images_of_a_disk_that_is_not_mounted_are_kept(
    tmp_path: Path, disks: Path, run: Run, draw: Callable[[Path, int], None], cache: Path
) -> None:
    library = str(tmp_path / "library")
    run(library, disks)
    (disks / "disk2").rename(tmp_path / "unmounted")
    (disks / "disk2").mkdir()
    draw(disks / "disk1" / "new.png", 9)
    for new in (1, 0):  # the second run knows it, too
        report = run(library, disks)
        assert counts(report) == (8, new, 7 - new, 0, 1)
        assert indexed(library, cache) == {f"{number}.png" for number in range(6)} | {"new.png"}
        (failure,) = report.failures
        assert (failure.uri, failure.reason.partition(".")[0]) == (
            str(disks / "disk2"),
            "The folder lost all its images, probably because its disk is not mounted",
        )
    assert counts(run(library, disks, allow_shrink=True)) == (5, 0, 5, 2, 0)
    (disks / "disk2").rmdir()
    (tmp_path / "unmounted").rename(disks / "disk2")
    assert counts(run(library, disks)) == (7, 0, 7, 0, 0)


def test_images_behind_a_link_to_nothing_are_kept(tmp_path: Path, disks: Path, run: Run, cache: Path) -> None:
    library = str(tmp_path / "library")
    (disks / "disk2").rename(tmp_path / "stick")
    (disks / "disk2").symlink_to(tmp_path / "stick")
    run(library, disks)
    (tmp_path / "stick").rename(tmp_path / "unplugged")
    assert counts(run(library, disks)) == (7, 0, 6, 0, 1)
    (disks / "disk2").unlink()
    assert counts(run(library, disks)) == (4, 0, 4, 2, 0)


def test_deleted_and_moved_folders_are_no_missing_disks(
    tmp_path: Path, disks: Path, run: Run, draw: Callable[[Path, int], None]
) -> None:
    library = str(tmp_path / "library")
    draw(disks / "inbox" / "7.png", 7)
    draw(disks / "inbox" / "8.png", 8)
    run(library, disks)
    (disks / "inbox" / "7.png").unlink()
    (disks / "inbox" / "8.png").unlink()
    assert counts(run(library, disks)) == (6, 0, 6, 2, 0)
    (disks / "disk2").rename(disks / "renamed")
    (disks / "disk2").mkdir()
    assert counts(run(library, disks)) == (6, 0, 6, 2, 0)
    shutil.rmtree(disks / "renamed")
    assert counts(run(library, disks)) == (4, 0, 4, 2, 0)


def test_missing_folder_of_a_list_keeps_its_images(tmp_path: Path, disks: Path, cache: Path) -> None:
    settings = Settings(library=str(tmp_path / "library"), cache=cache, engine="local")
    listed = [str(disks / name) for name in ("disk1/0.png", "disk1/1.png", "disk1/2.png", "disk2")]
    index(settings, listed, IndexOptions(from_list=True))
    (disks / "disk1/0.png").unlink()
    (disks / "disk2").rename(tmp_path / "unmounted")
    report = index(settings, listed, IndexOptions(from_list=True))
    assert counts(report) == (6, 0, 4, 1, 2)
    assert {failure.reason for failure in report.failures} == {"The file or folder does not exist."}
    assert indexed(settings.library, cache) == {"1.png", "2.png", "4.png", "5.png"}


def test_source_that_became_empty_is_refused_unless_allowed(
    place: str, pictures: Path, run: Run, draw: Callable[[Path, int], None], cache: Path
) -> None:
    first, second, library = f"{place}/a", f"{place}/b", f"{place}/library"
    upload(pictures, first)
    open_storage(second).write("x.png", (pictures / "0.png").read_bytes())
    version = run(library, first, second).version
    open_storage(second).write("notes.txt", b"x")
    open_storage(second).delete("x.png")
    with pytest.raises(NotPublishedError, match=r"/b has no image any more, but the library holds 1 of its images"):
        run(library, first, second)
    assert Library(library, cache).find_live_version() == version
    assert run(library, first, second, allow_shrink=True).images == 6


def test_missing_source_is_an_empty_one_with_allow_shrink(tmp_path: Path, pictures: Path, run: Run) -> None:
    library = str(tmp_path / "library")
    gone = tmp_path / "gone"
    gone.mkdir()
    (gone / "x.png").write_bytes((pictures / "0.png").read_bytes())
    run(library, pictures, gone)
    (gone / "x.png").unlink()
    gone.rmdir()
    with pytest.raises(SettingsError, match="gone' does not exist"):
        run(library, pictures, gone)
    assert run(library, pictures, gone, allow_shrink=True).removed == 1


def test_archived_image_is_kept_if_it_was_embedded_before(s3: str, pictures: Path, run: Run, cache: Path) -> None:
    client, bucket = boto3.client("s3"), s3.removeprefix("s3://")
    for number in range(3):
        body = (pictures / f"{number}.png").read_bytes()
        client.put_object(Bucket=bucket, Key=f"photos/{number}.png", Body=body)
    run(f"{s3}/library", f"{s3}/photos")
    for number in (1, 4):
        body = (pictures / f"{number}.png").read_bytes()
        client.put_object(Bucket=bucket, Key=f"photos/{number}.png", Body=body, StorageClass="GLACIER")
    report = run(f"{s3}/library", f"{s3}/photos")
    assert counts(report) == (3, 0, 3, 0, 0)
    assert report.skipped == {"archived in S3": 1}
    assert indexed(f"{s3}/library", cache) == {"0.png", "1.png", "2.png"}


def test_objects_without_an_extension_are_opened_once(s3: str, pictures: Path, run: Run, cache: Path) -> None:
    client, bucket = boto3.client("s3"), s3.removeprefix("s3://")
    client.put_object(Bucket=bucket, Key="photos/holiday", Body=(pictures / "0.png").read_bytes())
    client.put_object(Bucket=bucket, Key="photos/notes", Body=b"text")
    run(f"{s3}/library", f"{s3}/photos")
    opened: list[str] = []
    shared_client().meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: opened.append(params["Key"])
    )
    report = run(f"{s3}/library", f"{s3}/photos")
    assert (report.images, report.skipped) == (1, {"not an image: no extension": 1})
    assert not [key for key in opened if key.startswith("photos/")]
    (remembered,) = open_storage(f"{s3}/library").list("nameless")
    assert b"holiday" not in open_storage(f"{s3}/library").read(remembered.key), "names are hashed"
    client.put_object(Bucket=bucket, Key="library/" + remembered.key, Body=b"damaged")
    assert run(f"{s3}/library", f"{s3}/photos").images == 1
    assert {"photos/holiday", "photos/notes"} <= set(opened)


def test_equal_failures_have_equal_reasons(tmp_path: Path, pictures: Path, run: Run, reads: list[str]) -> None:
    for number in range(5):
        (pictures / f"broken{number}.jpg").write_bytes(b"x")
    report = run(str(tmp_path / "library"), pictures)
    ((reason, count, uri),) = report.top_errors()
    assert count == 5
    assert uri == f"{pictures}/broken0.jpg"
    assert str(tmp_path) not in reason


def test_jpeg_without_its_end_is_indexed_and_reported(tmp_path: Path, run: Run) -> None:
    (tmp_path / "source").mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "source" / "a.jpg")
    data = (tmp_path / "source" / "a.jpg").read_bytes()
    (tmp_path / "source" / "cut.jpg").write_bytes(data[:-2])
    report = run(str(tmp_path / "library"), tmp_path / "source")
    assert (report.images, report.failed, report.incomplete) == (2, 0, 1)
    assert any(
        line.startswith("1 image is incomplete: the end of the file is missing. It is indexed.")
        for line in report.lines()
    )


@pytest.mark.parametrize("manifest", [b'{"schema": 3}', b"\xff{", b""])
def test_unreadable_live_version_does_not_prevent_a_new_one(
    tmp_path: Path, pictures: Path, run: Run, cache: Path, manifest: bytes
) -> None:
    library = Library(str(tmp_path / "library"), cache)
    first = run(library.uri, pictures)
    library.storage.write(f"versions/{first.version}/manifest.json", manifest)
    with pytest.raises(LibraryError, match=r"Update findimg, or publish again with index\."):
        library.open()
    second = run(library.uri, pictures)
    assert (second.outcome, second.embedded) == ("published", 0)
    assert library.open().manifest.images == first.images
    assert library.storage.read(f"versions/{first.version}/manifest.json") == manifest
