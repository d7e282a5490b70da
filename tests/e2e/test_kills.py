"""Test kill -9 at random moments of a run: the next run resumes, and no version is ever wrong.

By default a few kills show that it works; `FINDIMG_KILLS=50` kills so often, and some workers and raylets besides.
"""

import os
import random
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

import findimg_jobs.indexing.embed_worker
from findimg.encoders.base import Features
from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.settings import Settings
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.shards import read_shards

pytestmark = pytest.mark.long

KILLS = int(os.environ.get("FINDIMG_KILLS", "6"))
IMAGES = 300
SHARD_SIZE = 20


class Thumbnailer:
    """A backbone that is built at once, because these tests are not about models."""

    name, dim, classes, fingerprint = "thumbnailer", 48, 1000, "thumbnailer"

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image.resize((4, 4), Image.Resampling.BOX))

    def embed(self, batch: np.ndarray) -> Features:
        visual = batch.reshape(len(batch), self.dim) / np.float32(255)
        logits = visual @ self.class_weights()
        logits = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Features(visual, logits / logits.sum(axis=1, keepdims=True))

    def class_weights(self) -> np.ndarray:
        return np.random.default_rng(1).normal(size=(self.dim, self.classes)).astype(np.float32)

    def portable_files(self) -> dict[str, bytes]:
        return {}


def run(library: str, source: str, cache: Path) -> None:
    """Run the whole pipeline in its own process."""
    findimg_jobs.indexing.embed_worker.build_encoder = lambda *_, **__: Thumbnailer()
    index(Settings(library=library, cache=cache, engine="local", shard_size=SHARD_SIZE), [source])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 300 different images."""
    folder = tmp_path_factory.mktemp("source")
    for number in range(IMAGES):
        blocks = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((48, 32), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


def live_manifest(library: Library) -> Manifest | None:
    """Check the live version and return its manifest."""
    if library.find_live_version() is None:
        return None
    manifest = library.open().manifest
    assert verify(library, manifest).problems == []
    return manifest


def assert_nothing_is_lost_or_doubled(library: Library, fingerprint: str) -> None:
    shards = list(read_shards(library.storage, fingerprint))
    assert sum(len(shard.keys) for shard in shards) == IMAGES
    assert sum(key.has_vectors for shard in shards for key in shard.keys) == IMAGES
    assert len(read_committed(library.storage, fingerprint).known_contents()) == IMAGES


def test_next_run_completes_after_the_driver_is_killed(source: Path, cache: Path, tmp_path: Path) -> None:
    # Processes are forked from one in which everything is imported, so that kills meet work and no start.
    context = get_context("forkserver")
    context.set_forkserver_preload(["findimg_jobs.indexing.run", "findimg_jobs.engines.local", __name__])
    chance = random.Random(6)
    libraries = (Library(str(tmp_path / f"library-{number}"), cache) for number in range(1000))

    def start(library: Library) -> BaseProcess:
        process = context.Process(target=run, args=(library.uri, str(source), cache))
        process.start()
        return process

    first = next(libraries)
    start(first).join()  # the first also starts what the others are forked from
    wanted = live_manifest(first)
    assert wanted is not None
    begun = time.perf_counter()
    start(next(libraries)).join()
    whole = time.perf_counter() - begun
    kills, published = 0, 0
    while kills < KILLS:
        library = next(libraries)
        manifest = None
        while manifest is None:
            process = start(library)
            # Some finish, so that more than one library is killed in its first run.
            process.join(chance.uniform(0, whole) if kills < KILLS and chance.random() < 0.8 else None)
            if process.is_alive():
                process.kill()
                process.join()
                kills += 1
            else:
                assert process.exitcode == 0
            manifest = live_manifest(library)
        # Killed after it had published, or not at all: either way the version is the one that nobody disturbed.
        assert (manifest.images, manifest.failed) == (IMAGES, 0)
        assert manifest.all_files() == wanted.all_files()
        assert_nothing_is_lost_or_doubled(library, manifest.fingerprint)
        published += 1
    print(f"{kills} kills within {whole:.1f} s of a run each; {published} versions published, all as they should be")


def start_on_ray(source: Path, cache: Path, tmp_path: Path) -> subprocess.Popen[str]:
    command = [Path(sys.executable).with_name("findimg-jobs"), "index", source, "--library", tmp_path / "library"]
    options = ["--engine", "ray", "--cache", cache, "--shard-size", str(SHARD_SIZE)]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif("FINDIMG_KILLS" not in os.environ, reason="takes minutes; FINDIMG_KILLS=50 asks for it")
@pytest.mark.parametrize("title", ["findimg-jobs", "ray::Worker", "raylet"])
@pytest.mark.parametrize("after", [0, 5])
def test_next_run_completes_after_a_ray_process_is_killed(
    source: Path, cache: Path, tmp_path: Path, title: str, after: int
) -> None:
    library = Library(str(tmp_path / "library"), cache)
    process = start_on_ray(source, cache, tmp_path)
    family: set[psutil.Process] = set()
    while True:
        family |= {psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)}
        committed = list((tmp_path / "library").glob("embeddings/*/*/stats.json"))
        if len(committed) >= after and (victims := [each for each in family if is_called(each, title)]):
            break
        time.sleep(0.05)
    victims[0].send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=1200)
    print(f"{title} killed after {len(committed)} shards: exit code {process.returncode} {said[-300:]}")
    for each in family:
        if each.is_running():
            each.kill()
    if live_manifest(library) is None:
        _, said = start_on_ray(source, cache, tmp_path).communicate(timeout=1200)
    manifest = live_manifest(library)
    assert manifest is not None, said
    assert (manifest.images, manifest.failed) == (IMAGES, 0)
    assert_nothing_is_lost_or_doubled(library, manifest.fingerprint)


def is_called(process: psutil.Process, title: str) -> bool:
    try:
        return any(title in part for part in process.cmdline()[:2])
    except psutil.Error:
        return False
