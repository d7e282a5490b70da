"""Ray for real: workers that die, images that kill workers, nodes that vanish."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from jobs.embed import Embedder, Work
from jobs.engines import cluster
from jobs.engines.cluster import embed_on_ray
from jobs.shards import Shard, Stats, cut, read_known
from jobs.sources import list_sources
from shared.backbones import fingerprint
from shared.errors import NotPublishedError, SettingsError, StorageError
from shared.models import ModelStore
from shared.storage import open_storage

pytestmark = pytest.mark.slow


class FatalEmbedder(Embedder):
    """Dies at the image `3.png`, as a decoder with a bug would."""

    def embed(self, shard: Shard) -> Stats:
        if any(image.uri.endswith("/3.png") for image in shard.images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(shard)


class GreedyEmbedder(Embedder):
    """Takes all memory once, the first time it meets `3.png`."""

    def embed(self, shard: Shard) -> Stats:
        met = Path(self._work.library, "met")
        if any(image.uri.endswith("/3.png") for image in shard.images) and not met.exists():
            met.touch()
            hoard = []
            while True:
                hoard.append(bytearray(os.urandom(1 << 20)) * 100)
                time.sleep(0.05)
        return super().embed(shard)


class StillbornEmbedder(Embedder):
    """Never gets ready."""

    def __init__(self, work: Work, threads: int):
        raise MemoryError("no room for the model")


class HomelessEmbedder(Embedder):
    """Cannot write to the library."""

    def embed(self, shard: Shard) -> Stats:
        raise StorageError("The disk is full.")


@pytest.fixture(autouse=True)
def workers_know_these_classes() -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def work(tmp_path: Path, cache: Path) -> Work:
    models = cache / "models"
    made = fingerprint("efficientnet-lite0", ModelStore(models))
    return Work("efficientnet-lite0", "", models, str(tmp_path / "library"), made, frozenset())


def shards_of(folder: Path, work: Work, size: int) -> list[Shard]:
    return cut(list_sources([str(folder)], work.library).images, work.fingerprint, size)


def embedded(work: Work) -> list[str]:
    """The names of all committed images, so that one committed twice shows."""
    storage = open_storage(work.library)
    return sorted(Path(uri).name for uri, _ in read_known(storage, work.fingerprint).keys)


def kill_a_worker() -> None:
    (worker,) = (
        p for p in psutil.process_iter(["cmdline"]) if "ray::Embedder" in " ".join(p.info["cmdline"] or [])[:40]
    )
    worker.kill()


def test_the_work_of_a_killed_worker_is_done_by_another(pictures: Path, work: Work) -> None:
    done = []
    for stats in embed_on_ray(shards_of(pictures, work, size=1), work, ""):
        done.append(stats)
        if len(done) == 2:
            kill_a_worker()
    assert sum(stats.embedded for stats in done) == 6
    assert embedded(work) == [f"{number}.png" for number in range(6)]


def test_an_image_that_kills_workers_is_recorded_and_costs_no_other_image(
    pictures: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "Embedder", FatalEmbedder)
    monkeypatch.setattr(cluster, "ATTEMPTS", 2)
    shards = shards_of(pictures, work, size=6)
    done = list(embed_on_ray(shards, work, ""))
    assert sum(stats.embedded for stats in done) == 5
    assert embedded(work) == ["0.png", "1.png", "2.png", "4.png", "5.png"]
    (failure,) = read_known(open_storage(work.library), work.fingerprint).failures_among(shards[0].images)
    assert failure.uri.endswith("/3.png")
    assert "died 2 times" in failure.reason


def test_a_worker_that_the_memory_monitor_kills_costs_no_image(
    pictures: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = psutil.virtual_memory()
    limit = (memory.total - memory.available + 4e9) / memory.total
    if limit > 0.95:
        pytest.skip(f"only {memory.available / 1e9:.1f} GB of memory are free: it takes 4 to be killed for them")
    monkeypatch.setenv("RAY_memory_usage_threshold", f"{limit:.2f}")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "100")
    monkeypatch.setattr(cluster, "Embedder", GreedyEmbedder)
    done = list(embed_on_ray(shards_of(pictures, work, size=2), work, ""))
    assert Path(work.library, "met").exists()
    assert sum(stats.embedded for stats in done) == 6
    assert embedded(work) == [f"{number}.png" for number in range(6)]


def test_workers_that_never_get_ready_end_the_run(pictures: Path, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "Embedder", StillbornEmbedder)
    with pytest.raises(NotPublishedError, match="No worker can be started"):
        list(embed_on_ray(shards_of(pictures, work, size=6), work, ""))


def test_a_library_that_cannot_be_written_ends_the_run(
    pictures: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "Embedder", HomelessEmbedder)
    with pytest.raises(StorageError, match="disk is full"):
        list(embed_on_ray(shards_of(pictures, work, size=6), work, ""))


def test_no_cluster_at_an_address_is_said(pictures: Path, work: Work) -> None:
    with pytest.raises(SettingsError, match=r"No Ray cluster answers at 127\.0\.0\.1:1"):
        list(embed_on_ray(shards_of(pictures, work, size=6), work, "127.0.0.1:1"))


@pytest.fixture
def two_nodes() -> Iterator[Cluster]:
    nodes = Cluster(head_node_args={"num_cpus": 0})
    for _ in range(2):
        nodes.add_node(num_cpus=1, memory=3_000_000_000)
    ray.init(nodes.address, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def test_a_node_that_vanishes_costs_no_image(pictures: Path, work: Work, two_nodes: Cluster) -> None:
    done = []
    for stats in embed_on_ray(shards_of(pictures, work, size=1), work, ""):
        done.append(stats)
        if len(done) == 1:
            two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), allow_graceful=False)
    assert sum(stats.embedded for stats in done) == 6
    assert embedded(work) == [f"{number}.png" for number in range(6)]
