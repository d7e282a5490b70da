"""Show progress on standard error: a bar on a terminal, otherwise a JSON line every ten seconds."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from findimg_jobs.store.shards import ShardStats

_LINE_INTERVAL = 10.0  # seconds


def show_progress(shards: Iterable[ShardStats], images: int, title: str = "Embedding") -> Iterator[ShardStats]:
    """Yield finished shards, and show the number of finished images, images/s and the time left."""
    if not images:
        yield from shards
    elif sys.stderr.isatty():
        yield from _bar(shards, images, title)
    else:
        yield from _json_lines(shards, images)


def _bar(shards: Iterable[ShardStats], images: int, title: str) -> Iterator[ShardStats]:
    columns = (
        TextColumn(title),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=images, rate="starting")
        start, done = time.perf_counter(), 0
        for shard in shards:
            done += shard.images + shard.failed
            rate = done / (time.perf_counter() - start)
            progress.update(task, completed=done, rate=f"{rate:.0f} images/s")
            yield shard


def _json_lines(shards: Iterable[ShardStats], images: int) -> Iterator[ShardStats]:
    start = last = time.perf_counter()
    done = 0
    for shard in shards:
        done += shard.images + shard.failed
        now = time.perf_counter()
        if now - last >= _LINE_INTERVAL:
            last = now
            rate = done / (now - start)
            line = {
                "done": done,
                "of": images,
                "images_per_second": round(rate, 1),
                "seconds_left": round((images - done) / rate),
            }
            print(json.dumps(line), file=sys.stderr, flush=True)
        yield shard


@contextmanager
def download_bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while a model is downloaded; see `DownloadProgress`."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total or None)
        yield lambda received: bar.update(task, completed=received)
