"""A cluster of two nodes on this machine with faults. A run publishes every image once."""

import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import boto3
import numpy as np
import psutil
import pytest
import ray
from PIL import Image
from ray.cluster_utils import Cluster

import findimg_jobs.indexing.embed_stage
from findimg.library.library import Library
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.storage.s3 import reset_client
from findimg_jobs.indexing.embed_worker import Embedder, EmbedTask
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.shards import Shard, ShardStats
from tests.opened import open_catalog

pytestmark = pytest.mark.long

IMAGES = 24
PROJECT = Path(__file__).parents[2]


class GreedyEmbedder(Embedder):
    """An embedder that takes all memory at its first `3.png`."""

    def work(self, shard: Shard) -> ShardStats:
        met = open_storage(f"{self._task.library}/met")
        if any(image.uri.endswith("/3.png") for image in shard.images) and met.create("met", b""):
            hoard = []
            while True:
                hoard.append(bytearray(os.urandom(1 << 20)) * 100)
                time.sleep(0.05)
        return super().work(shard)


class GreedyTask(EmbedTask):
    """The usual task with a greedy worker."""

    def open(self, threads: int | None = None) -> Embedder:
        return GreedyEmbedder(self, threads)


@pytest.fixture(scope="module")
def two_nodes(s3_server: str) -> Iterator[Cluster]:
    """Yield a cluster: a head without CPUs and two nodes. Workers find the local S3 server in their environment."""
    memory = psutil.virtual_memory()
    # Beyond what the workers need the memory monitor kills one.
    threshold = (memory.total - memory.available + 6e9) / memory.total
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", s3_server)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        # Where findimg-jobs is, for jobs that are submitted.
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        patch.setenv("RAY_memory_usage_threshold", f"{min(threshold, 0.98):.2f}")
        patch.setenv("RAY_memory_monitor_refresh_ms", "100")
        reset_client()
        # Jobs are handed to the head's agent, whose usual port another Ray on this machine may have.
        ports = {"dashboard_port": 0, "dashboard_agent_listen_port": free_port()}
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": True, **ports})
        for _ in range(2):
            add_node(nodes)
        yield nodes
        nodes.shutdown()
        reset_client()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def add_node(nodes: Cluster) -> None:
    nodes.add_node(num_cpus=1, memory=3_000_000_000)


@pytest.fixture
def bucket(two_nodes: Cluster) -> str:
    """Return a bucket with different images in folders of `team/`."""
    name = f"findimg-{secrets.token_hex(4)}"
    boto3.client("s3").create_bucket(Bucket=name)
    source = open_storage(f"s3://{name}/team")
    for number in range(IMAGES):
        blocks = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(blocks).resize((60, 40), Image.Resampling.NEAREST).save(file, "PNG")
        source.write(f"{number % 3}/deep/{number}.png", file.getvalue())
    return f"s3://{name}"


@pytest.fixture
def run(two_nodes: Cluster, bucket: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunReport]:
    """Return a function that indexes the bucket on the cluster. It calls `then` after the first shard."""

    def run(then: Callable[[], None]) -> RunReport:
        track = findimg_jobs.indexing.embed_stage.show_progress

        def disturbed(shards: Iterable[ShardStats], images: int) -> Iterator[ShardStats]:
            for number, stats in enumerate(track(shards, images)):
                if number == 0:
                    then()
                yield stats

        monkeypatch.setattr(findimg_jobs.indexing.embed_stage, "show_progress", disturbed)
        settings = Settings(
            library=f"{bucket}/library", cache=cache, ray_address=two_nodes.address, shard_size=2, partition_size=10
        )
        return index(settings, [f"{bucket}/team"])

    return run


def assert_all_are_published_once(report: RunReport, bucket: str, cache: Path) -> None:
    assert (report.outcome, report.seen, report.embedded, report.failed) == ("published", IMAGES, IMAGES, 0)
    library = Library(f"{bucket}/library", cache)
    version = library.open()
    catalog = open_catalog(version)
    names = [Path(catalog.row(item).uri).name for item in range(catalog.images)]
    assert sorted(names) == sorted(f"{number}.png" for number in range(IMAGES))
    assert sum(version.manifest.visual.counts) == IMAGES
    findings = verify(library, version.manifest)
    assert (findings.problems, findings.compared) == ([], IMAGES)
    assert len(read_committed(library.storage, version.manifest.fingerprint).known_contents()) == IMAGES
    left = {entry.key for prefix in ("versions", "segments", "shared") for entry in library.storage.list(prefix)}
    assert left == {*version.manifest.all_files(), f"versions/{version.manifest.version}/manifest.json"}


def test_lost_node_costs_no_image(run: Callable[..., RunReport], bucket: str, two_nodes: Cluster, cache: Path) -> None:
    def remove_a_node() -> None:
        two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), allow_graceful=False)

    report = run(remove_a_node)
    add_node(two_nodes)
    assert_all_are_published_once(report, bucket, cache)


def test_killed_worker_costs_no_image(run: Callable[..., RunReport], bucket: str, cache: Path) -> None:
    def kill_a_worker() -> None:
        titles = ((process, " ".join(process.info["cmdline"] or [])) for process in psutil.process_iter(["cmdline"]))
        ours = (process for process, title in titles if title.startswith("ray::Worker"))
        next(process for process in ours if process.environ().get("AWS_ENDPOINT_URL_S3") == server()).kill()

    def server() -> str:
        return os.environ["AWS_ENDPOINT_URL_S3"]

    assert_all_are_published_once(run(kill_a_worker), bucket, cache)


def test_out_of_memory_worker_costs_no_image(
    run: Callable[..., RunReport], bucket: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if psutil.virtual_memory().available < 8e9:
        pytest.skip("less than 8 GB of memory are free: it takes 6 to be killed for them")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(findimg_jobs.indexing.embed_stage, "EmbedTask", GreedyTask)
    report = run(lambda: None)
    assert open_storage(f"{bucket}/library").exists("met/met")
    assert_all_are_published_once(report, bucket, cache)


def test_submitted_job_ships_its_code_and_publishes(
    two_nodes: Cluster, bucket: str, cache: Path, tmp_path: Path
) -> None:
    for package in ("shared/findimg", "jobs/findimg_jobs"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    modules = json.dumps({"py_modules": [str(tmp_path / "shared/findimg"), str(tmp_path / "jobs/findimg_jobs")]})
    index_it = f"findimg-jobs index {bucket}/team --library {bucket}/library --cache {cache} --ray-address auto --json"
    command = [
        Path(sys.executable).with_name("ray"),
        *("job", "submit", "--address", f"http://{two_nodes.head_node.webui_url}", "--runtime-env-json", modules, "--"),
        *("sh", "-c", f"python -c 'import findimg_jobs; print(findimg_jobs.__file__)' && {index_it}"),
    ]
    for _ in range(12):
        submitted = subprocess.run(command, capture_output=True, text=True, timeout=300)
        # On a busy machine the head's agent takes longer to start than the head waits for it.
        if "No available agent" not in submitted.stderr:
            break
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert "py_modules_files" in submitted.stdout, submitted.stdout
    assert f'"seen": {IMAGES}, "embedded": {IMAGES}' in submitted.stdout
    assert Library(f"{bucket}/library", cache).open().manifest.images == IMAGES
