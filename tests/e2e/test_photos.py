"""Test the path from 1,400 photographs to answers, with Ray."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from findimg.library.library import Library
from findimg.search.query import Query
from findimg.search.searcher import Searcher
from findimg.storage.base import open_storage
from findimg.text.vectors import EMBEDDED, open_words

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent


def run(command: str, *arguments: str | Path, cache: Path) -> dict[str, Any]:
    """Run a console script with --json and return its output."""
    done = subprocess.run(
        [BIN / command, *map(str, arguments), "--json"],
        env=os.environ | {"FINDIMG_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


@pytest.fixture(scope="module")
def photo_library(photos: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    library = str(tmp_path_factory.mktemp("photo-library"))
    sources = photos / "labelled", photos / "unseen"
    report = run("findimg-jobs", "index", *sources, "--library", library, cache=cache)
    assert (report["seen"], report["embedded"], report["failed"], report["images"]) == (1400, 1400, 0, 1400)
    again = run("findimg-jobs", "index", *sources, "--library", library, cache=cache)
    assert (again["embedded"], again["reused"], again["version"]) == (0, 1400, report["version"])
    return library


def label(uri: str) -> str:
    return uri.split("/")[-2]


@pytest.mark.parametrize(
    ("word", "right", "least"),
    [
        ("elephant", {"elephant"}, 10),
        ("instrument", {"accordion", "electric_guitar", "grand_piano", "mandolin", "saxophone"}, 9),
        ("boat", {"ferry", "ketch"}, 10),
        ("vehicle", {"airplane", "car", "ferry", "helicopter", "ketch", "motorbike"}, 9),
        ("food", {"crab", "lobster", "pizza", "strawberry"}, 9),
        ("flower", {"lotus", "sunflower"}, 9),
    ],
)
def test_a_word_finds_what_it_names(photo_library: str, cache: Path, word: str, right: set[str], least: int) -> None:
    answer = run("findimg-bot", "ask", f"/findimg {word}", "--library", photo_library, "-k", "10", cache=cache)
    found = [label(hit["uri"]) for hit in answer["hits"]]
    assert len(found) == 10
    assert sum(name in right for name in found) >= least, found


def test_similar_images_are_of_the_same_class(photo_library: str, cache: Path) -> None:
    searcher = Searcher(Library(photo_library, cache).open(), open_words(EMBEDDED))
    shares = []
    for item in range(searcher.manifest.images):
        uri = searcher.catalog.row(item).uri
        found, seen = searcher.look_up(uri)
        hits = searcher.similar(seen, Query(""), 10, excluded=found).hits
        assert len(hits) == 10
        shares.append(sum(label(hit.uri) == label(uri) for hit in hits) / 10)
    assert sum(shares) / len(shares) >= 0.90


@pytest.mark.long
def test_a_bucket_is_indexed_into_a_bucket(photos: Path, s3: str, cache: Path) -> None:
    source = open_storage(f"{s3}/team")
    chosen = [path for name in ("elephant", "pizza", "lamp") for path in sorted((photos / "labelled" / name).iterdir())]
    for path in chosen:
        source.upload(path, f"{path.parent.name}/{path.name}")
    library = f"{s3}/library"
    assert run("findimg-jobs", "index", f"{s3}/team", "--library", library, cache=cache)["embedded"] == 150
    assert run("findimg-jobs", "index", f"{s3}/team", "--library", library, cache=cache)["embedded"] == 0
    answer = run("findimg-bot", "ask", "/findimg pizza", "--library", library, cache=cache)
    assert {label(hit["uri"]) for hit in answer["hits"]} == {"pizza"}
    assert all(hit["thumbnail"].startswith(library) for hit in answer["hits"])
