"""Test which images an index folds as near-duplicates."""

import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from findimg.images import decode
from findimg.index.duplicates.groups import COMPARE_ALL_UP_TO
from findimg.library.library import Library
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.build import near_duplicate_pairs
from findimg_jobs.indexing.run import index
from findimg_jobs.maintenance.read_missing_facts import read_missing_facts
from tests.shared.index.duplicates.test_similar_hashes import encoded, scene, slide


def names(searcher: Searcher) -> list[list[str]]:
    """Return the file names of each hit and of what is folded behind it."""
    hits = searcher.find(parse("sort:date"), 50).hits
    return sorted(sorted(Path(uri).name for uri in (hit.uri, *hit.copies, *hit.near_duplicates)) for hit in hits)


@pytest.mark.parametrize("exact", [COMPARE_ALL_UP_TO, 2])
def test_slides_stay_apart_and_resized_pictures_are_folded(
    exact: int, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicate_pairs, "COMPARE_ALL_UP_TO", exact)
    monkeypatch.setattr("findimg.index.duplicates.similar_hashes._COMPARE_ALL_UP_TO", exact)
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(6):
        (photos / f"slide{seed}.jpg").write_bytes(encoded(slide(seed)))
    for seed in range(3):
        (photos / f"scene{seed}.jpg").write_bytes(encoded(scene(seed)))
    (photos / "scene0-half.jpg").write_bytes(encoded(scene(0), 0.5, quality=60))
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    index(settings, [str(photos)])
    # Later images are compared with those of the live version.
    (photos / "scene1-small.jpg").write_bytes(encoded(scene(1), 0.4, quality=60))
    (photos / "slide0-half.jpg").write_bytes(encoded(slide(0), 0.5))
    (photos / "slide6.jpg").write_bytes(encoded(slide(6)))
    index(settings, [str(photos)])
    searcher = Searcher(Library(settings.library, cache).open(), open_words(EMBEDDED))
    assert names(searcher) == [
        ["scene0-half.jpg", "scene0.jpg"],
        ["scene1-small.jpg", "scene1.jpg"],
        ["scene2.jpg"],
        ["slide0-half.jpg", "slide0.jpg"],
        *([f"slide{seed}.jpg"] for seed in range(1, 7)),
    ]
    features = [searcher.features(item).visual for item in range(searcher.manifest.images)]
    slides = np.stack([features[searcher.catalog.item(str(photos / f"slide{seed}.jpg")) or 0] for seed in range(7)])
    slides /= np.linalg.norm(slides, axis=1, keepdims=True)
    assert (slides @ slides.T).min() > 0.92  # features alone would fold all slides
    searcher.close()


def test_slides_of_an_older_release_come_apart_when_their_hashes_are_read(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        (photos / f"slide{seed}.jpg").write_bytes(encoded(slide(seed)))
    settings = Settings(library=str(tmp_path / "library"), engine="local", cache=cache)
    with monkeypatch.context() as older:
        older.setattr(sys.modules[decode.__module__], "perceptual_hash", lambda _: None)
        index(settings, [str(photos)])
    with closing(Searcher(Library(settings.library, cache).open(), open_words(EMBEDDED))) as searcher:
        assert names(searcher) == [["slide0.jpg", "slide1.jpg", "slide2.jpg"]]
    assert read_missing_facts(settings).images == 3
    with closing(Searcher(Library(settings.library, cache).open(), open_words(EMBEDDED))) as searcher:
        assert names(searcher) == [["slide0.jpg"], ["slide1.jpg"], ["slide2.jpg"]]
