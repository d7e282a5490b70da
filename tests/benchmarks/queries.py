"""Measure queries on made-up libraries: time by words, by image and with filters, recall and memory."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from findimg.library.library import Library
from findimg.search.query import Query, parse
from findimg.search.searcher import Searcher
from findimg.search.taught.examples import indexed_example
from findimg.taught.events import new_action, new_example, parse_event
from findimg.taught.state import merge
from findimg.text.vectors import EMBEDDED, FREQUENT, open_words
from tests.benchmarks.figures import Figure, load
from tests.benchmarks.made_up import publish_made_up

K = 10
_EXAMPLES = 3  # of each taught name
_MEMORY = """
import sys
from pathlib import Path
from findimg.library.library import Library
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.text.vectors import EMBEDDED, open_words

def held():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))

words = open_words(EMBEDDED)
before = held()
searcher = Searcher(Library(sys.argv[1], Path(sys.argv[2])).open(), words)
for word in ("dog", "animal", "music", "cat sofa", "zebra"):
    searcher.find(parse(word), 10)
print(held() - before)
"""


def measure(folder: Path, images: int, short: bool) -> list[Figure]:
    """Publish a library of `images` images in `folder` unless it exists, and measure queries."""
    uri, cache = str(folder / "library"), folder / "cache"
    told: list[Figure] = []
    if Library(uri, cache).find_live_version() is None:
        merged = publish_made_up(uri, cache, images)
        told.append(Figure(f"merge and publish, {images:,} images, one process", merged, "s", load=load()))
    searcher = Searcher(Library(uri, cache).open(), open_words(EMBEDDED))
    random = np.random.default_rng(1)
    count = 20 if short else 300
    nouns = _words(searcher, 2 * count)
    uris = [searcher.catalog.row(int(item)).uri for item in random.integers(0, images, 10 if short else 100)]
    for word in nouns[count:]:  # a warm-up: other words, but the same files
        searcher.find(parse(word), K)
    words = nouns[:count]
    texts = [parse(word) for word in words]
    dated = [parse(f"{word} after:2020-01-01") for word in words]
    placed = [parse(f"{word} in:00001") for word in words]
    told += _compare_texts(searcher, texts, images)
    told += _compare_taught(searcher, nouns[count:], images)
    for name, queries in (("", texts), (" asked again", texts), (" after: (half match)", dated), (" in:", placed)):
        told += _times(f"text query{name}, {images:,} images", lambda query: searcher.find(query, K), queries)
    told += _times(f"image query, {images:,} images", lambda uri: _similar(searcher, uri), uris)
    told.append(_figure(f"image query, {images:,} images, recall@10", _image_recall(searcher, uris[:50])))
    for name in ("visual", "joint"):
        index = getattr(searcher.manifest, name)
        told.append(_figure(f"{name} index, {images:,} images, recall@10 when it was built", index.recall))
    if Path("/proc/self/smaps_rollup").exists():
        held = int(_python("-c", _MEMORY, uri, str(cache)))
        told.append(Figure(f"searcher, {images:,} images: memory beside mapped files", held / 1024, "MiB", load=load()))
    start = time.perf_counter()
    ask = ("-c", "from findimg_bot.cli import main; main()", "ask", "/findimg dog", "--json", "--library", uri)
    answer = json.loads(_python(*ask, "--cache", str(cache)))
    assert answer["hits"]
    spent = time.perf_counter() - start
    told.append(Figure(f"fresh process to first answer, {images:,} images", spent, "s", load=load()))
    return told


def _compare_texts(searcher: Searcher, queries: Sequence[Query], images: int) -> list[Figure]:
    """Measure queries with and without the words that are written in images, in turns."""
    without = Searcher(searcher.version, searcher.words, text_kinds=())
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    for query in queries:
        for name, each in (("without", without), ("with", searcher)):
            start = time.thread_time()
            each.find(query, K)
            seconds[name].append(time.thread_time() - start)
    without.close()
    ratio = float(np.median(seconds["with"]) / np.median(seconds["without"]))
    return [_figure(f"text query, {images:,} images: median time with written words by the time without", ratio)]


def _compare_taught(searcher: Searcher, words: Sequence[str], images: int) -> list[Figure]:
    """Measure queries for words that are taught with three examples each, and for the same words untaught, in turns.

    Each query is asked twice, because what a taught name finds is kept. Most words do not name a class.
    """
    taught = Searcher(searcher.version, searcher.words)
    random = np.random.default_rng(2)
    events = [
        new_example("T1/U1", new_action(), word, True, indexed_example(searcher, int(item)))
        for word in words
        for item in random.integers(0, images, _EXAMPLES)
    ]
    taught.use_taught(merge(parse_event(event.key, event.data) for event in events))
    queries = [parse(word) for word in words]
    milliseconds: dict[str, list[float]] = {}
    for query in queries:
        for asked in ("first", "again"):
            for name, each in (("untaught", searcher), ("taught", taught)):
                start = time.thread_time()
                each.find(query, K)
                milliseconds.setdefault(f"{name}, asked {asked}", []).append(1000 * (time.thread_time() - start))
    taught.close()
    return [
        Figure(
            f"text query, {images:,} images, word {name}, CPU time, p{part}",
            float(np.percentile(spent, part)),
            "ms",
            load=load(),
        )
        for name, spent in milliseconds.items()
        for part in (50, 99)
    ]


def _words(searcher: Searcher, count: int) -> list[str]:
    """Return `count` different common nouns with a visible sense, always the same ones."""
    nouns = searcher.lexicon.visible_nouns()
    rows = searcher.words.rows(nouns)
    common = [noun for noun, row in zip(nouns, rows, strict=True) if 0 <= row < FREQUENT and " " not in noun]
    return [str(word) for word in np.random.default_rng(0).choice(common, count, replace=False)]


def _times(name: str, ask: Callable[[Any], object], asked: Sequence[Any]) -> list[Figure]:
    wall, cpu = [], []
    for each in asked:
        start, started = time.perf_counter(), time.process_time()
        ask(each)
        wall.append(1000 * (time.perf_counter() - start))
        cpu.append(1000 * (time.process_time() - started))
    return [
        Figure(f"{name}{kind}, p{part}", float(np.percentile(spent, part)), "ms", load=load())
        for kind, spent in (("", wall), (", CPU time", cpu))
        for part in (50, 99)
    ]


def _similar(searcher: Searcher, uri: str) -> list[int]:
    item, seen = searcher.look_up(uri)
    return [hit.item for hit in searcher.similar(seen, Query(""), K, excluded=item).hits]


def _image_recall(searcher: Searcher, uris: Sequence[str]) -> float:
    """Return the share of the exact neighbours that are found, by the projected embeddings of all images."""
    everything = np.arange(searcher.manifest.images)
    shares = []
    for uri in uris:
        item, features = searcher.look_up(uri)
        cosines = searcher._files.similarity.nearest(features.visual, K + 1, K + 1, everything)[1]
        right = set(np.argsort(-cosines)[: K + 1].tolist()) - {item}
        shares.append(len(right & set(_similar(searcher, uri))) / len(right))
    return float(np.mean(shares))


def _figure(name: str, value: float) -> Figure:
    return Figure(name, value, "", load=load())


def _python(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
