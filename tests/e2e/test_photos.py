"""From 1,400 photographs to answers, with Ray: what the first road promises."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from findimg.heads.conse import Conse
from findimg.library.library import Library
from findimg.search.expansion import meaning, rerank, score
from findimg.search.query import Query, parse
from findimg.search.searcher import Searcher
from findimg.storage.base import open_storage
from findimg.text.lexicon import CLASSES
from findimg.text.vectors import EMBEDDED, open_words

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent


def run(command: str, *arguments: str | Path, cache: Path) -> dict[str, Any]:
    """Runs one of the console scripts with --json and returns what it printed."""
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
        hits = searcher.similar(seen, Query(""), 10, without=found).hits
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


QUERIES = (
    *("elephant", "dog", "animal", "vehicle", "instrument", "music", "sea", "kitchen", "pagoda", "thing", "helicopter"),
    *("cat sofa", "pizza cup", "elephant:2 tree", "animal -elephant", "boat -ketch sea", "instrument -piano -guitar"),
    *("in:elephant animal", "type:jpg bird -flamingo", "in:labelled music"),
)


@pytest.mark.parametrize("k", [10, 40])
def test_a_search_finds_what_the_formula_over_all_images_finds(photo_library: str, cache: Path, k: int) -> None:
    searcher = Searcher(Library(photo_library, cache).open(), open_words(EMBEDDED))
    pictures = Pictures(searcher)
    shares = {}
    for text in QUERIES:
        hits = searcher.find(parse(text), k).hits
        expected = pictures.find(parse(text), k)
        assert len(hits) == len(expected)
        shares[text] = len(expected.keys() & {hit.item for hit in hits}) / max(1, len(expected))
        for hit in hits:
            assert hit.score == pytest.approx(expected.get(hit.item, hit.score), abs=0.005), text
    assert sum(shares.values()) / len(shares) >= 0.98, shares


class Pictures:
    """Every image's classes and embeddings, searched by the plain formula."""

    def __init__(self, searcher: Searcher):
        self.searcher = searcher
        count = searcher.manifest.images
        seen = [searcher.look_up(searcher.catalog.row(item).uri)[1] for item in range(count)]
        self.probabilities = np.zeros((count, CLASSES), np.float32)
        for row, each in zip(self.probabilities, seen, strict=True):
            row[each.classes] = each.probabilities
        self.visual = np.stack([each.visual for each in seen])
        self.joint = Conse(searcher.words, searcher.lexicon).embed(
            self.visual, np.stack([each.classes for each in seen]), np.stack([each.probabilities for each in seen])
        )

    def find(self, query: Query, k: int) -> dict[int, float]:
        """The best items and their scores."""
        meanings = [meaning(term.text, self.searcher.lexicon, self.searcher.words) for term in query.terms]
        category = np.stack([(self.probabilities**each.power @ each.classes) ** (1 / each.power) for each in meanings])
        cosine = np.stack([self.joint @ each.vector for each in meanings])
        weights = [term.weight * each.certainty for term, each in zip(query.terms, meanings, strict=True)]
        items = self.searcher.catalog.matching(query.filters)
        scores = score(category[:, items], cosine[:, items], np.array(weights, np.float32))
        best = np.argsort(-scores, kind="stable")[:70]
        scores, items = rerank(scores[best], self.visual[items[best]]), items[best]
        least = 0 if query.filters else scores.max() / 100
        order = [place for place in np.argsort(-scores, kind="stable")[:k] if scores[place] >= least]
        return {int(items[place]): float(scores[place]) for place in order}
