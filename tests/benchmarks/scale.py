"""Measure time, memory and disk space of each step for a library of any size, with made-up embeddings.

    python -m tests.benchmarks.scale --images 1000000 --folder FOLDER

Each step runs in a process of its own, so that its memory is its own. `own` is what it allocates, at the most; files
that are mapped into memory are left out, for the system drops them when it needs room. Nothing is asserted.
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer

from findimg.library.library import Library
from findimg.library.manifest import Manifest
from findimg.models.store import ModelStore
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg.text.vectors import open_words
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.build.merge_policies import choose_small_merges
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.build_config.build_context import make_build_context
from findimg_jobs.encoders.choose_encoders import ChosenEncoder, choose_encoders
from findimg_jobs.engines.engine import Engine
from findimg_jobs.engines.shard_task import ShardTask
from findimg_jobs.indexing import run
from findimg_jobs.indexing.embed_stage import EmbedJob, embed_images
from findimg_jobs.indexing.embed_worker import EmbedTask
from findimg_jobs.indexing.plan_stage import plan_images
from findimg_jobs.indexing.run import IndexOptions
from findimg_jobs.listing.listing import Listing
from findimg_jobs.reporting.memory import peak_memory
from findimg_jobs.reporting.run_progress import LiveVersion, RunProgress
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.segments.version_images import find_version_images_by_encoder
from findimg_jobs.store.committed_images import read_committed
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.plan import Plan, read_planned_images, write_plan
from findimg_jobs.store.planned_shards import Shards
from findimg_jobs.store.shards import Shard, ShardStats, shard_folder
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.text_store.text_shards import read_committed_texts
from tests.benchmarks.made_up import commit_made_up, made_up_images, publish_images, stream_made_up_images

_QUERIES = ("cat", "dog sofa", "red car", "boat -sea", "music", "piano", "food", "mountain lake", "woman", "party")
_ROUNDS = 5
_KEYS = 512  # of a shard, as `index` writes them
_LIVE = "live"  # the run whose plan `commit_keys` writes


@dataclass(frozen=True, slots=True)
class Step:
    """The cost of one step."""

    name: str
    seconds: float
    cpu: float  # seconds of processor time, over all threads, of this process: what a busy machine falsifies less
    own: float  # MB of memory that it allocated, at the most
    notes: dict[str, Any]


def commit(settings: Settings, images: int) -> dict[str, Any]:
    """Fill the embedding store as if `images` images had been embedded."""
    storage = Library(settings.library, settings.cache).storage
    commit_made_up(storage, _fingerprint(settings), made_up_images(images))
    return {}


def commit_keys(settings: Settings, images: int) -> dict[str, Any]:
    """Commit keys without vectors, which are enough for the step `plan`, and the plan of the live version."""
    storage, fingerprint = Library(settings.library, settings.cache).storage, _fingerprint(settings)
    keys, shards = 0, 0
    everything = stream_made_up_images(images)
    while shard := tuple(islice(everything, _KEYS)):
        _commit_keys(storage, fingerprint, Shard(hashlib.sha256(str(shards).encode()).hexdigest()[:24], shard))
        keys += len(shard)
        shards += 1
    write_plan(storage, Plan(_LIVE, ImageTable.of(stream_made_up_images(images))))
    return {"keys": keys, "shards": shards}


def plan(settings: Settings, images: int) -> dict[str, Any]:
    """Plan a night on which one image in a hundred is new, and compare it with the live version."""
    library = Library(settings.library, settings.cache)
    served = library.live_manifest() or Manifest.model_construct(run=_LIVE)
    encoder = choose_encoders(settings, None, ["s3://made-up"])[0]
    listing = Listing(ImageTable.of(stream_made_up_images(images + images // 100)), roots=("s3://made-up",))
    start = time.perf_counter()
    with Engine(settings) as engine, hold_lock(library.storage) as lock:
        session = WriteSession(library, lock, engine, StageClock())
        planned = plan_images(
            session, listing, [encoder], LiveVersion(library.find_live_version(), served), allow_shrink=False
        )
        jobs = _jobs(session, settings, encoder, planned, listing)
    seconds = time.perf_counter() - start
    temporary = sum(path.stat().st_size for path in Path(listing.images.file.path).parent.iterdir())
    written = Path(settings.library, "plans", f"{planned.plan.run}.parquet")
    notes = {
        "plan, s": round(seconds, 2),
        "shards to embed": len(jobs[0].shards),
        "reused": planned.reused,
        "MB of the plan": round(written.stat().st_size / 1e6, 1),
        "MB of temporary files": round(temporary / 1e6),
    }
    written.unlink()
    return notes


def _jobs(
    session: WriteSession, settings: Settings, encoder: ChosenEncoder, planned: RunProgress, listing: Listing
) -> list[EmbedJob]:
    """Return what a run without text reading would embed."""
    return list(
        run._select_new_images(
            run._PlannedRun(session, settings, IndexOptions(), [encoder], None, listing.roots, planned)
        )
    )


def first_run(settings: Settings, images: int) -> dict[str, Any]:
    """Run the driver's part of a first run: list, plan, hand out all shards, read the commits, find the rows to build.

    A stub commits keys without vectors instead of an encoder, and nothing is built.
    """
    library = Library(settings.library, settings.cache)
    encoder = choose_encoders(settings, None, ["s3://made-up"])[0]
    listing = Listing(ImageTable.of(stream_made_up_images(images)), roots=("s3://made-up",))
    with hold_lock(library.storage) as lock:
        session = WriteSession(library, lock, _KeyEngine(settings), StageClock())
        planned = plan_images(session, listing, [encoder], LiveVersion(None, None), allow_shrink=False)
        jobs = _jobs(session, settings, encoder, planned, listing)
        embed_images(session, settings, jobs, planned.committed, planned.shards)
        texts = read_committed_texts(library.storage)
        (found,) = find_version_images_by_encoder(planned.plan.images, planned.committed, texts)
        library.storage.clear("embeddings")
    return {
        "shards": len(jobs[0].shards),
        "rows to build": len(found),
        "stages, s": session.clock.stages,
        "peak resident, MB": round(peak_memory() / 1e6),
    }


class _KeyEngine(Engine):
    """Commits the keys of shards, and embeds nothing."""

    def __init__(self, settings: Settings):
        super().__init__(settings)
        self._storage = Library(settings.library, settings.cache).storage

    def run(self, shards: Shards, task: ShardTask) -> Iterator[ShardStats]:
        assert isinstance(task, EmbedTask)
        for shard in shards:
            yield _commit_keys(self._storage, task.fingerprint, shard)


def _commit_keys(storage: Storage, fingerprint: str, shard: Shard) -> ShardStats:
    """Commit a shard without vectors."""
    rows = [(each.uri, each.etag, hashlib.sha256(each.uri.encode()).hexdigest(), True) for each in shard.images]
    stats = ShardStats(shard.name, len(rows), len(rows), 0, 0)
    commit = json.dumps(asdict(stats) | {"keys": rows}).encode()
    storage.write(f"{shard_folder(fingerprint, stats.shard)}/stats.json", commit)
    return stats


def merge_and_publish(settings: Settings, images: int) -> dict[str, Any]:
    """Build and publish the version."""
    storage = Library(settings.library, settings.cache).storage
    done = publish_images(settings, made_up_images(images), read_committed(storage, _fingerprint(settings)))
    sizes: dict[str, float] = {}
    for key, entry in done.manifest.all_files().items():
        sizes[Path(key).name] = sizes.get(Path(key).name, 0) + entry.size / 1e6
    return {
        "merge and publish, s": round(done.seconds, 1),
        "segments": [[each.images, each.visual.model_dump()] for each in done.manifest.segments],
        "MB": {name: round(size, 1) for name, size in sizes.items()},
    }


def night(settings: Settings, images: int) -> dict[str, Any]:
    """Publish a night on which 1,000 images are new and 100 are gone."""
    storage = Library(settings.library, settings.cache).storage
    everything = made_up_images(images + 1000)
    known = commit_made_up(storage, _fingerprint(settings), everything[images:], first=images)
    gone = set(range(0, images, images // 100))
    left = [image for number, image in enumerate(everything) if number not in gone]
    library = Library(settings.library, settings.cache)
    before = library.manifest(library.live_version())
    done = publish_images(settings, left, known)
    return {
        "merge and publish, s": round(done.seconds, 1),
        "MB written": round(done.bytes_written / 1e6, 2),
        "MB that a bot fetches": _fetched(before, done.manifest),
        "MB that the next run fetches": _fetched(before, done.manifest, build=True),
        "MB of the library": round(sum(entry.size for entry in done.manifest.all_files().values()) / 1e6),
        "segments": [each.images for each in done.manifest.segments],
    }


def switch(settings: Settings, images: int) -> dict[str, Any]:
    """Publish 100 new images while a bot is open, and switch the bot to the version."""
    library = Library(settings.library, settings.cache)
    before = library.manifest(library.live_version())
    first = images + 1000  # those of the step `night` come before
    new = made_up_images(first + 100)[first:]
    known = commit_made_up(library.storage, before.fingerprint, new, first=first)
    served = ServedLibrary(settings)
    start = time.perf_counter()
    served.refresh()
    opened = time.perf_counter() - start
    everything = [*read_planned_images(library.storage, before.run), *new]
    done = publish_images(settings, everything, known, choose_small_merges)
    start = time.perf_counter()
    served.refresh()
    switched = time.perf_counter() - start
    served.close()
    return {
        "opening the bot's first version, s": round(opened, 2),
        "merge and publish, s": round(done.seconds, 1),
        "switch, s": round(switched, 2),
        "MB that a bot fetches": _fetched(before, done.manifest),
        "segments": [each.images for each in done.manifest.segments],
    }


def _fetched(before: Manifest, after: Manifest, build: bool = False) -> float:
    """Return the size of the files of a version that a cache with another version lacks, MB."""
    files = after.build_files() if build else after.search_files()
    return round(sum(entry.size for key, entry in files.items() if key not in before.all_files()) / 1e6, 2)


def search(settings: Settings, images: int) -> dict[str, Any]:
    """Open the version and run queries."""
    version = Library(settings.library, settings.cache).open()
    start = time.perf_counter()
    words = open_words(version.manifest.words, ModelStore(settings.cache / "models").words(version.manifest.words))
    searcher = Searcher(version, words)
    opened = time.perf_counter() - start
    took: dict[str, list[float]] = {}
    for _ in range(_ROUNDS):
        for text in _QUERIES:
            start = time.perf_counter()
            searcher.find(parse(text), 10)
            took.setdefault("text", []).append(time.perf_counter() - start)
        for image in made_up_images(images)[:: -(-images // 20)]:
            if searcher.catalog.item(image.uri) is None:
                continue  # the step `night` removed it
            start = time.perf_counter()
            item, seen = searcher.look_up(image.uri)
            searcher.similar(seen, parse("", image=True), 10, excluded=item)
            took.setdefault("similar", []).append(time.perf_counter() - start)
    spread = {
        f"{kind}, ms": {"median": round(1e3 * float(np.median(each)), 1), "worst": round(1e3 * max(each), 1)}
        for kind, each in took.items()
    }
    return {"opening, s": round(opened, 2), **spread}


def measure(step: Callable[[Settings, int], dict[str, Any]], settings: Settings, images: int) -> Step:
    """Run a step in this process and measure its memory."""
    process, most, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            memory = process.memory_info()
            most[0] = max(most[0], memory.rss - memory.shared)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    try:
        notes = step(settings, images)
    finally:
        done.set()
        watcher.join()
    seconds = round(time.perf_counter() - start, 1)
    return Step(step.__name__, seconds, round(time.process_time(), 1), round(most[0] / 1e6), notes)


def _fingerprint(settings: Settings) -> str:
    return make_build_context(settings, None, ["s3://made-up"]).config.fingerprint


def main(
    images: Annotated[int, typer.Option(min=1)] = 1_000_000,
    folder: Annotated[
        Path | None, typer.Option(help="Where the library is made and stays; else it is removed.")
    ] = None,
    engine: str = "ray",
    partition_size: int = 1_000_000,
    only: Annotated[list[str] | None, typer.Option(help="Steps, of a library that is there already.")] = None,
) -> None:
    """Measure every step and print one JSON object per line."""
    place = folder or Path(tempfile.mkdtemp(prefix="findimg-scale-"))
    settings = Settings(
        library=str(place / "library"), cache=place / "cache", engine=engine, partition_size=partition_size
    )
    try:
        every = (first_run, commit, commit_keys, plan, merge_and_publish, search, night, search, switch)
        for step in every:
            # Steps that need no vectors are measured only by their name.
            if step.__name__ not in (only or {each.__name__ for each in every} - {"commit_keys", "first_run"}):
                continue
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                measured = alone.submit(partial(measure, step, settings, images)).result()
            print(json.dumps(asdict(measured) | {"load": round(os.getloadavg()[0], 1)}), flush=True)
        store = sum(path.stat().st_size for path in (place / "library" / "embeddings").rglob("*") if path.is_file())
        print(json.dumps({"embedding store, MB": round(store / 1e6)}), flush=True)
    finally:
        if folder is None:
            shutil.rmtree(place)


if __name__ == "__main__":
    typer.run(main)
