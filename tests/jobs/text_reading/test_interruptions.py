"""Test kill -9 while text is read, and images that kill workers."""

import hashlib
import os
import signal
import sys
import time
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

import pytest
import ray
from PIL import Image

from findimg.library.library import Library
from findimg.ocr.engine import text_fingerprint
from findimg.ocr.lines import TextLine
from findimg.ocr.reader import TextReader
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg_jobs.engines import ray_shard_queue
from findimg_jobs.engines.ray_cluster import run_on_ray
from findimg_jobs.indexing.run import index
from findimg_jobs.listing.sources import list_sources
from findimg_jobs.store.shards import Shard, ShardStats
from findimg_jobs.text_reading import text_stage
from findimg_jobs.text_reading.text_worker import ImageToRead, TextTask, TextWorker
from findimg_jobs.text_store.text_shards import FOLDER, read_committed_texts, read_shard_keys
from tests.shared.ocr.drawn_text import draw_lines
from tests.text_keys import text_failures, text_keys

pytestmark = pytest.mark.long
PAGES = 12


class FatalTextWorker(TextWorker):
    """A worker that dies at the image `3.png`, like a model with a bug."""

    def work(self, shard: Shard) -> ShardStats:
        if any(image.uri.endswith("/3.png") for image in shard.images):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().work(shard)


class FatalTextTask(TextTask):
    def open(self, threads: int | None = None) -> TextWorker:
        return FatalTextWorker(self, threads)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    folder = tmp_path / "pages"
    folder.mkdir()
    for number in range(PAGES):
        draw_lines(f"Page number {number}", width=500, height=300).save(folder / f"{number}.png")
    return folder


def read_slowly(library: str, source: str, cache: Path) -> None:
    """Index and read with small shards and a slow reader, in a process of its own."""
    text_stage._SHARD_SIZE = 2
    original = TextReader.read

    def slow(self: TextReader, picture: Image.Image) -> list[TextLine]:
        time.sleep(0.2)
        return original(self, picture)

    TextReader.read = slow  # type: ignore[method-assign]
    index(Settings(library=library, cache=cache, engine="local", read_text="all"), [source])


def test_killed_run_resumes_and_reads_nothing_twice(pages: Path, tmp_path: Path, cache: Path) -> None:
    library = Library(str(tmp_path / "library"), cache)
    process = get_context("spawn").Process(target=read_slowly, args=(library.uri, str(pages), cache))
    process.start()
    while len(list((tmp_path / "library").glob(f"{FOLDER}/*/*/stats.json"))) < 2:
        assert process.is_alive(), "the run is over before it could be killed"
        time.sleep(0.02)
    process.kill()
    process.join()
    assert library.find_live_version() is None
    before = text_keys(read_committed_texts(library.storage))
    assert 2 * 2 <= len(before) < PAGES
    report = index(Settings(library=library.uri, cache=cache, engine="local", read_text="all"), [str(pages)])
    assert (report.embedded, report.text.images, report.images) == (0, PAGES - len(before), PAGES)
    committed: Counter[str] = Counter()
    for path in (tmp_path / "library").glob(f"{FOLDER}/*/*/stats.json"):
        keys, _ = read_shard_keys(library.storage, path.parts[-3], path.parts[-2])
        committed.update(keys.keys())
    assert len(committed) == PAGES
    assert set(committed.values()) == {1}


def test_image_that_kills_workers_while_it_is_read_fails_alone(
    pages: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(ray_shard_queue, "ATTEMPTS", 2)
    library = str(tmp_path / "library")
    task = FatalTextTask(library, "encoder", text_fingerprint(), "all", (), tmp_path)
    images = [
        ImageToRead(image.uri, image.etag, image.modified, sha256=_sha256(Path(image.uri)))
        for image in list_sources([str(pages)], library).images
        if Path(image.uri).name in ("0.png", "1.png", "2.png", "3.png", "4.png")
    ]
    done = list(run_on_ray([task.make_shard(images)], task, ""))
    assert sum(stats.embedded for stats in done) == 4
    texts = read_committed_texts(open_storage(library))
    assert len(text_keys(texts)) == 4
    (failure,) = text_failures(texts)
    assert failure.uri.endswith("/3.png")
    assert "died 2 times" in failure.reason


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
