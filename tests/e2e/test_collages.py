"""Test queries for two things in one image, with 200 collages among the 1,400 photographs."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from findimg.errors import QueryError
from findimg.index.version_files import open_items, open_joint
from findimg.library.library import Library
from findimg.search.evidence.classes import ClassEvidence
from findimg.search.evidence.joint_cosines import JointCosines
from findimg.search.query import Query, parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.indexing.run import index

pytestmark = pytest.mark.slow
COLLAGES = 200


def draw_collages(photos: Path, folder: Path) -> None:
    """Draw two photographs of different classes side by side. The file names contain the classes."""
    chance = random.Random(7)
    classes = {
        path.name: sorted(path.iterdir()) for part in ("labelled", "unseen") for path in (photos / part).iterdir()
    }
    for number in range(COLLAGES):
        pair = chance.sample(sorted(classes), 2)
        panes = []
        for name in pair:
            with Image.open(chance.choice(classes[name])) as photograph:
                panes.append(photograph.convert("RGB").resize((round(photograph.width * 240 / photograph.height), 240)))
        collage = Image.new("RGB", (panes[0].width + panes[1].width, 240))
        collage.paste(panes[0], (0, 0))
        collage.paste(panes[1], (panes[0].width, 0))
        collage.save(folder / f"{'+'.join(pair)}+{number:03}.jpg", quality=90)


@pytest.fixture(scope="module")
def searcher(
    photos: Path, photo_library: str, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Searcher]:
    collages = tmp_path_factory.mktemp("collages")
    draw_collages(photos, collages)
    # Copied, so that only the collages are embedded.
    library = str(shutil.copytree(photo_library, tmp_path_factory.mktemp("library"), dirs_exist_ok=True))
    sources = [str(photos / "labelled"), str(photos / "unseen"), str(collages)]
    index(Settings(library=library, cache=cache, engine="local"), sources)
    # The names of the collages say what they show.
    searcher = Searcher(Library(library, cache).open(), open_words(EMBEDDED), text_kinds=())
    yield searcher
    searcher.close()


@pytest.fixture(scope="module")
def shown(searcher: Searcher) -> list[frozenset[str]]:
    """Return the classes that each item shows."""

    def labels(uri: str) -> frozenset[str]:
        *_, folder, name = uri.split("/")
        return frozenset(name.split("+")[:2]) if "+" in name else frozenset([folder])

    return [labels(searcher.catalog.row(item).uri) for item in range(searcher.manifest.images)]


def words(label: str) -> str:
    return label.replace("_", " ")


def test_two_words_find_the_images_with_both_far_better_than_their_average(
    searcher: Searcher, shown: list[frozenset[str]]
) -> None:
    both, average = [], []
    everything = np.arange(searcher.manifest.images)
    vectors = JointCosines(open_joint(searcher.version, open_items(searcher.version)[0]))
    for pair in {labels for labels in shown if len(labels) == 2}:
        relevant = min(10, sum(labels == pair for labels in shown))
        text = " ".join(f'"{words(label)}"' for label in sorted(pair))
        hits = searcher.find(parse(text), 10).hits
        both.append(sum(shown[hit.item] == pair for hit in hits) / relevant)
        directions = [searcher.words.direction(words(label)) for label in sorted(pair)]
        mean = np.asarray(np.sum(directions, axis=0), np.float32)
        nearest = np.argsort(-vectors.cosines([mean], everything)[0], kind="stable")[:10]
        average.append(sum(shown[item] == pair for item in nearest) / relevant)
    print(f"both things: precision@10 {np.mean(both):.3f}, by the plain average {np.mean(average):.3f}")
    assert np.mean(both) >= np.mean(average) + 0.2


def find_pairs(searcher: Searcher, shown: list[frozenset[str]]) -> float:
    """Return the mean share of the collages of a pair that its two names find among the first 10."""
    figures = []
    for pair in {labels for labels in shown if len(labels) == 2}:
        relevant = min(10, sum(labels == pair for labels in shown))
        hits = searcher.find(parse(" ".join(f'"{words(label)}"' for label in sorted(pair))), 10).hits
        figures.append(sum(shown[hit.item] == pair for hit in hits) / relevant)
    return float(np.mean(figures))


def test_regions_find_more_images_with_both_things(
    searcher: Searcher, shown: list[frozenset[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_regions = find_pairs(searcher, shown)
    monkeypatch.setattr(ClassEvidence, "relevance_in_regions", lambda *_: None)
    without = find_pairs(searcher, shown)
    print(f"two names on 200 collages: {with_regions:.3f}, without regions {without:.3f}")
    assert with_regions >= 0.55
    assert with_regions >= without + 0.08


def test_a_class_moves_up_what_it_names(searcher: Searcher, shown: list[frozenset[str]]) -> None:
    plain, weighted = [], []
    for item in [item for item, labels in enumerate(shown) if len(labels) == 2]:
        _, seen = searcher.look_up(searcher.catalog.row(item).uri)
        for label in sorted(shown[item]):
            try:
                query = parse(f'class:"{words(label)}"', image=True)
                hits = searcher.similar(seen, query, 10, excluded=item).hits
            except QueryError:
                continue  # no class of ImageNet
            weighted.append(np.mean([label in shown[hit.item] for hit in hits]))
            similar = searcher.similar(seen, Query(""), 10, excluded=item).hits
            plain.append(np.mean([label in shown[hit.item] for hit in similar]))
    print(f"class: over {len(plain)} queries: share {np.mean(weighted):.3f}, by plain similarity {np.mean(plain):.3f}")
    assert len(plain) >= 100
    assert np.mean(weighted) >= np.mean(plain) + 0.25
