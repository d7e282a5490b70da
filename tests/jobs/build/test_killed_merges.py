"""Kill -9 while segments are merged or compacted: nothing is lost, and nothing can be found twice."""

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest

import findimg_jobs.build.publish
import findimg_jobs.maintenance.prune
import findimg_jobs.segments.segment_builder
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.storage.folder import FolderStorage
from findimg.storage.s3 import S3Storage, shared_client
from findimg.text.vectors import WordVectors
from findimg_jobs.build.build_stage import build_and_publish
from findimg_jobs.build.merge_policies import MergePolicy, SegmentSize, choose_compact_merges, choose_merges
from findimg_jobs.build.part_builder import BuildRequest
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.build_config.build_context import make_build_context
from findimg_jobs.engines.engine import Engine
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.segments.version_images import find_version_images
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.plan import Plan, new_run_id, write_plan
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.source_records import SourceImage
from tests.answers import ask_everything
from tests.benchmarks.made_up import commit_made_up, made_up_images
from tests.conftest import make_once
from tests.opened import all_rows

pytestmark = pytest.mark.long

NIGHTS = 8  # before the one that merges their segments
NEW, GONE = 25, 2  # images of a night
QUERIES = ["dog", "boat -car", "sort:date", "music"]
MERGED_UPLOAD = 5  # number of the file in whose upload the process dies


def keep_all(sizes: Sequence[SegmentSize], largest: int) -> set[int]:
    """Merge nothing."""
    return set()


def night(number: int) -> list[SourceImage]:
    """Return the images that are there in a night."""
    return made_up_images(NEW * (number + 1))[GONE * number :]


def publish_night(config: Settings, number: int, merge_policy: MergePolicy) -> Manifest:
    """Publish the images of a night."""
    library, images = Library(config.library, config.cache), night(number)
    live = library.live_manifest()
    context = make_build_context(config, live, ["s3://made-up"])
    with Engine(config) as engine, hold_lock(library.storage) as lock:
        run = new_run_id()
        write_plan(library.storage, Plan(run, ImageTable.of(images)))
        known = read_committed(library.storage, context.config.fingerprint)
        request = BuildRequest(run, context, find_version_images(images, known), failed=0, merge_policy=merge_policy)
        return build_and_publish(WriteSession(library, lock, engine, StageClock()), [request], live, allow_shrink=True)


def merge(config: Settings) -> Manifest:
    """Publish a night that merges all segments, because it is the ninth one."""
    return publish_night(config, NIGHTS, choose_merges)


def compact(config: Settings) -> Manifest:
    """Merge all segments of the same images, as `findimg-jobs compact` does."""
    return rebuild(config, merge_policy=choose_compact_merges)


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def die_in_merge() -> None:
    """Die when catalog and vectors of the merged segment are written."""
    findimg_jobs.segments.segment_builder.build_index = die


def die_in_upload() -> None:
    """Die when half of a file is uploaded."""
    left = [MERGED_UPLOAD]
    copyfile, upload = shutil.copyfile, S3Storage.upload

    def to_folder(source: Path, target: Path) -> None:
        left[0] -= Path(target).name.startswith(".draft-")
        if left[0]:
            copyfile(source, target)
            return
        data = Path(source).read_bytes()
        Path(target).write_bytes(data[: len(data) // 2])
        die()

    def to_s3(storage: S3Storage, path: Path, key: str) -> None:
        left[0] -= 1
        if left[0]:
            upload(storage, path, key)
            return
        data, name = path.read_bytes(), {"Bucket": storage.bucket, "Key": storage.uri(key).split("/", 3)[3]}
        part = shared_client().create_multipart_upload(**name)["UploadId"]
        shared_client().upload_part(**name, UploadId=part, PartNumber=1, Body=data[: len(data) // 2])
        die()

    shutil.copyfile = to_folder  # type: ignore[assignment]
    S3Storage.upload = to_s3  # type: ignore[method-assign]


def die_before_switch() -> None:
    """Die when the version is complete, before it is live."""
    findimg_jobs.build.publish.set_current = die


def die_after_switch() -> None:
    """Die when the version has just become live."""
    Library.keep_in_cache = die  # type: ignore[method-assign]


def run_doomed(
    work: Callable[[Settings], Manifest], config: Settings, prepare: Callable[[], None], variables: dict[str, str]
) -> None:
    """Do the work in this process, which dies at a moment."""
    os.environ.update(variables)
    prepare()
    work(config)


@pytest.fixture(scope="module")
def nights(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library with one segment of each night."""

    def make(folder: Path) -> None:
        config = Settings(library=str(folder), cache=cache, engine="local")
        fingerprint = make_build_context(config, None, []).config.fingerprint
        commit_made_up(Library(str(folder), cache).storage, fingerprint, night(NIGHTS) + night(0)[: GONE * NIGHTS])
        for number in range(NIGHTS):
            publish_night(config, number, keep_all)

    return make_once(tmp_path_factory, "nights", make)


class Killed(NamedTuple):
    """A job, and what prepares its process to be killed."""

    work: Callable[[Settings], Manifest]
    prepare: Callable[[], None]


@pytest.mark.parametrize(
    ("place", "killed"),
    [
        ("folder", Killed(merge, die_in_merge)),
        ("folder", Killed(merge, die_in_upload)),
        ("folder", Killed(merge, die_before_switch)),
        ("folder", Killed(merge, die_after_switch)),
        ("folder", Killed(compact, die_in_upload)),
        ("s3", Killed(merge, die_in_upload)),
        ("s3", Killed(compact, die_in_merge)),
    ],
    indirect=["place"],
)
def test_killed_merge_loses_nothing_and_is_completed(
    killed: Killed,
    nights: Path,
    place: str,
    cache: Path,
    one_vocabulary: WordVectors,
    tmp_path: Path,
) -> None:
    work, prepare = killed
    config = Settings(library=place, cache=tmp_path / "cache", engine="local")
    copy(nights, place)
    library, words = Library(place, config.cache), one_vocabulary
    before, after = night(NIGHTS - 1), night(NIGHTS if work is merge else NIGHTS - 1)
    queried = [image.uri for image in before[-3:]]
    answers = ask_everything(library, words, QUERIES, queried)
    assert len(library.open().manifest.segments) == NIGHTS
    old = library.find_live_version()

    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    process = context.Process(target=run_doomed, args=(work, config, prepare, variables))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL

    switched = prepare is die_after_switch
    assert (library.find_live_version() != old) == switched
    assert_has(library, after if switched else before)
    if not switched or work is compact:
        assert ask_everything(library, words, QUERIES, queried) == answers

    done = work(config)
    assert len(done.segments) == 1
    assert done.segments[0].images == len(after)
    assert_has(library, after)
    fresh = config.model_copy(update={"library": str(tmp_path / "undisturbed")})
    copy(nights, fresh.library)
    assert done.segments == work(fresh).segments
    expected = ask_everything(Library(fresh.library, cache), words, QUERIES, queried)
    assert ask_everything(library, words, QUERIES, queried) == expected

    # What the killed process left is removed, and nothing else.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(findimg_jobs.maintenance.prune, "HOUR", 0)
        prune(library, 1000, keep=0)
    assert {entry.key.split("/")[1] for entry in library.storage.list("segments")} == {done.segments[0].name}
    assert library.storage.sweep(0) == 0
    assert_has(library, after)


def copy(nights: Path, place: str) -> None:
    source, target = FolderStorage(str(nights)), open_storage(place)
    for entry in source.list():
        target.write(entry.key, source.read(entry.key))


def assert_has(library: Library, images: Sequence[SourceImage]) -> None:
    """Check that the live version is sound, and that each of the images can be found in it once."""
    version = library.open()
    assert verify(library, version.manifest).problems == []
    assert [row.uri for row in all_rows(version)] == [image.uri for image in images]
