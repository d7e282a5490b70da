"""Test Ray with images that kill workers and with broken workers. tests/e2e/test_two_nodes.py has more tests."""

import os
import signal
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import ray

from findimg.encoders.registry import fingerprint
from findimg.errors import NotPublishedError, SettingsError, StorageError
from findimg.models.store import ModelStore
from findimg.storage.base import open_storage
from findimg_jobs.engines import ray_shard_queue
from findimg_jobs.engines.ray_cluster import run_on_ray
from findimg_jobs.indexing.embed_worker import Embedder, EmbedTask
from findimg_jobs.listing.sources import list_sources
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.planned_shards import PlannedShards
from findimg_jobs.store.shards import Shard, ShardStats

pytestmark = pytest.mark.slow


class FatalEmbedder(Embedder):
    """An embedder that dies at the image `3.png`, like a decoder with a bug."""

    def work(self, shard: Shard) -> ShardStats:
        if any(image.uri.endswith("/3.png") for image in shard.images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().work(shard)


class StillbornEmbedder(Embedder):
    """An embedder that dies before it is ready."""

    def __init__(self, task: EmbedTask, threads: int | None):
        raise MemoryError("no room for the model")


class HomelessEmbedder(Embedder):
    """An embedder that cannot write to the library."""

    def work(self, shard: Shard) -> ShardStats:
        raise StorageError("The disk is full.")


class TaskOf(EmbedTask):
    """The usual task with another worker."""

    worker: type[Embedder] = Embedder

    def open(self, threads: int | None = None) -> Embedder:
        return self.worker(self, threads)


class FatalTask(TaskOf):
    worker = FatalEmbedder


class StillbornTask(TaskOf):
    worker = StillbornEmbedder


class HomelessTask(TaskOf):
    worker = HomelessEmbedder


@pytest.fixture(autouse=True)
def workers_know_these_classes() -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def work(tmp_path: Path, cache: Path) -> EmbedTask:
    models = cache / "models"
    made = fingerprint("efficientnet-lite0", ModelStore(models))
    return EmbedTask("efficientnet-lite0", "", models, str(tmp_path / "library"), made, frozenset())


def shards_of(folder: Path, work: EmbedTask, size: int) -> PlannedShards:
    return PlannedShards(list_sources([str(folder)], work.library).images, work.fingerprint, size)


def changed(work: EmbedTask, kind: type[TaskOf]) -> EmbedTask:
    """Return a task with another worker."""
    return kind(*(getattr(work, field.name) for field in fields(EmbedTask)))


def embedded(work: EmbedTask) -> list[str]:
    """Return the names of all committed images. An image that was committed twice is there twice."""
    storage = open_storage(work.library)
    return sorted(Path(key.uri).name for key in read_committed(storage, work.fingerprint).select_keys("counts"))


@pytest.mark.long
def test_image_that_kills_workers_fails_alone(pictures: Path, work: EmbedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_shard_queue, "ATTEMPTS", 2)
    shards = shards_of(pictures, work, size=6)
    done = list(run_on_ray(shards, changed(work, FatalTask), ""))
    assert sum(stats.embedded for stats in done) == 5
    assert embedded(work) == ["0.png", "1.png", "2.png", "4.png", "5.png"]
    (failure,) = read_committed(open_storage(work.library), work.fingerprint).failures_among(shards.images)
    assert failure.uri.endswith("/3.png")
    assert "died 2 times" in failure.reason


@pytest.mark.long
def test_workers_that_cannot_start_end_the_run(pictures: Path, work: EmbedTask) -> None:
    with pytest.raises(NotPublishedError, match="No worker can be started"):
        list(run_on_ray(shards_of(pictures, work, size=6), changed(work, StillbornTask), ""))


def test_unwritable_library_ends_the_run(pictures: Path, work: EmbedTask) -> None:
    with pytest.raises(StorageError, match="disk is full"):
        list(run_on_ray(shards_of(pictures, work, size=6), changed(work, HomelessTask), ""))


def test_unreachable_cluster_is_reported(pictures: Path, work: EmbedTask) -> None:
    with pytest.raises(SettingsError, match=r"No Ray cluster can be reached at 127\.0\.0\.1:1"):
        list(run_on_ray(shards_of(pictures, work, size=6), work, "127.0.0.1:1"))
