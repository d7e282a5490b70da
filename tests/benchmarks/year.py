"""Measure a year of nights: what they write, how many segments they leave, and how fast searches are afterwards.

    python -m tests.benchmarks.year --images 100000 --nights 365 --folder FOLDER

Each night replaces random images with new ones. The embeddings are made up. Nothing is asserted.
"""

import json
import shutil
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from findimg.index.vector_types.exact import measure_recall
from findimg.index.version_files import indexed_vectors, open_items, open_visual_index
from findimg.library.library import Library, Version
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.build.merge_policies import choose_compact_merges
from findimg_jobs.build.publish import delete_unused, delete_version
from findimg_jobs.build_config.build_context import make_build_context
from tests.benchmarks.made_up import commit_made_up, made_up_images, publish_images

_ROUNDS = 15
_QUERIES = ("cat", "dog sofa", "red car", "boat -sea", "music", "piano", "food", "mountain lake", "woman", "party")


def compare_searches(one: Version, other: Version) -> dict[str, float]:
    """Return the median time of text queries on two versions, milliseconds, measured alternately."""
    words = open_words(EMBEDDED)
    took: list[list[float]] = [[], []]
    with closing(Searcher(one, words)) as first, closing(Searcher(other, words)) as second:
        for number in range(_ROUNDS):
            for text in _QUERIES:
                for place, searcher in enumerate((first, second)):
                    start = time.perf_counter()
                    searcher.find(parse(text), 10)
                    if number:
                        took[place].append(1e3 * (time.perf_counter() - start))
    return {"segments": round(float(np.median(took[0])), 2), "one segment": round(float(np.median(took[1])), 2)}


def recall(version: Version) -> float:
    """Return recall@10 of the visual index for images of the version."""
    rows, _ = open_items(version)
    vectors = indexed_vectors(version, rows)
    with closing(open_visual_index(version, rows)) as index:
        queries = np.asarray(vectors[np.arange(0, len(rows), max(1, len(rows) // 200))], np.float32)
        return round(float(measure_recall(index, vectors, queries)), 4)


def main(
    images: Annotated[int, typer.Option(min=100)] = 100_000,
    nights: Annotated[int, typer.Option(min=1)] = 365,
    churn: Annotated[float, typer.Option(min=0, max=1, help="Share of the images that a night replaces.")] = 0.01,
    folder: Annotated[Path | None, typer.Option(help="An empty folder. The default is a temporary one.")] = None,
) -> None:
    """Publish every night, and print one JSON object."""
    place = folder or Path(tempfile.mkdtemp(prefix="findimg-year-"))
    settings = Settings(library=str(place / "library"), cache=place / "cache", engine="local")
    library = Library(settings.library, settings.cache)
    fingerprint = make_build_context(settings, None, ["s3://made-up"]).config.fingerprint
    random, new = np.random.default_rng(7), round(images * churn)
    everything = made_up_images(images + new * nights)
    present = np.arange(images)
    written, most, seconds = 0, 0, []
    try:
        known = commit_made_up(library.storage, fingerprint, everything)
        publish_images(settings, everything[:images], known)
        for night in range(nights):
            start = images + night * new
            gone = random.choice(len(present), new, replace=False)
            present = np.concatenate([np.delete(present, gone), np.arange(start, start + new)])
            done = publish_images(settings, [everything[number] for number in present.tolist()], known)
            written += done.bytes_written
            most = max(most, len(done.manifest.segments))
            seconds.append(done.seconds)
            if night % 10 == 9:
                print(json.dumps({"night": night + 1, "segments": len(done.manifest.segments)}), flush=True)
                for version in library.versions()[:-1]:
                    delete_version(library, version)
                delete_unused(library, [done.manifest])
        segmented = library.open()
        final = publish_images(
            settings, [everything[number] for number in present.tolist()], known, choose_compact_merges
        )
        size = sum(entry.size for entry in final.manifest.all_files().values())
        compacted = library.open()
        result: dict[str, Any] = {
            "nights": nights,
            "MB of the library": round(size / 1e6),
            "libraries written": round(written / size, 2),
            "most segments": most,
            "seconds a night": {"median": round(float(np.median(seconds)), 2), "worst": round(max(seconds), 2)},
            "text, ms": compare_searches(segmented, compacted),
            "recall@10": {"segments": recall(segmented), "one segment": recall(compacted)},
        }
        print(json.dumps(result), flush=True)
    finally:
        if folder is None:
            shutil.rmtree(place)


if __name__ == "__main__":
    typer.run(main)
