"""Test Ray with images that kill workers and with broken workers. tests/e2e/test_two_nodes.py has more tests."""

import os
import signal
import sys
from pathlib import Path

import pytest
import ray

from findimg.encoders.registry import fingerprint
from findimg.errors import NotPublishedError, SettingsError, StorageError
from findimg.models.store import ModelStore
from findimg.storage.base import open_storage
from findimg_jobs.engines import cluster
from findimg_jobs.engines.cluster import embed_on_ray
from findimg_jobs.indexing.embed import Embedder, EmbedTask
from findimg_jobs.indexing.sources import list_sources
from findimg_jobs.store.shards import Shard, Stats, make_shards, read_committed

pytestmark = pytest.mark.slow


class FatalEmbedder(Embedder):
    """An embedder that dies at the image `3.png`, like a decoder with a bug."""

    def embed(self, shard: Shard) -> Stats:
        if any(image.uri.endswith("/3.png") for image in shard.images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(shard)


class StillbornEmbedder(Embedder):
    """An embedder that dies before it is ready."""

    def __init__(self, work: EmbedTask, threads: int):
        raise MemoryError("no room for the model")


class HomelessEmbedder(Embedder):
    """An embedder that cannot write to the library."""

    def embed(self, shard: Shard) -> Stats:
        raise StorageError("The disk is full.")


@pytest.fixture(autouse=True)
def workers_know_these_classes() -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def work(tmp_path: Path, cache: Path) -> EmbedTask:
    models = cache / "models"
    made = fingerprint("efficientnet-lite0", ModelStore(models))
    return EmbedTask("efficientnet-lite0", "", models, str(tmp_path / "library"), made, frozenset())


def shards_of(folder: Path, work: EmbedTask, size: int) -> list[Shard]:
    return make_shards(list_sources([str(folder)], work.library).images, work.fingerprint, size)


def embedded(work: EmbedTask) -> list[str]:
    """Return the names of all committed images. An image that was committed twice is there twice."""
    storage = open_storage(work.library)
    return sorted(Path(uri).name for uri, _ in read_committed(storage, work.fingerprint).keys)


@pytest.mark.long
def test_image_that_kills_workers_fails_alone(pictures: Path, work: EmbedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "Embedder", FatalEmbedder)
    monkeypatch.setattr(cluster, "ATTEMPTS", 2)
    shards = shards_of(pictures, work, size=6)
    done = list(embed_on_ray(shards, work, ""))
    assert sum(stats.embedded for stats in done) == 5
    assert embedded(work) == ["0.png", "1.png", "2.png", "4.png", "5.png"]
    (failure,) = read_committed(open_storage(work.library), work.fingerprint).failures_among(shards[0].images)
    assert failure.uri.endswith("/3.png")
    assert "died 2 times" in failure.reason


@pytest.mark.long
def test_workers_that_cannot_start_end_the_run(
    pictures: Path, work: EmbedTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "Embedder", StillbornEmbedder)
    with pytest.raises(NotPublishedError, match="No worker can be started"):
        list(embed_on_ray(shards_of(pictures, work, size=6), work, ""))


def test_unwritable_library_ends_the_run(pictures: Path, work: EmbedTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "Embedder", HomelessEmbedder)
    with pytest.raises(StorageError, match="disk is full"):
        list(embed_on_ray(shards_of(pictures, work, size=6), work, ""))


def test_unreachable_cluster_is_reported(pictures: Path, work: EmbedTask) -> None:
    with pytest.raises(SettingsError, match=r"No Ray cluster can be reached at 127\.0\.0\.1:1"):
        list(embed_on_ray(shards_of(pictures, work, size=6), work, "127.0.0.1:1"))
