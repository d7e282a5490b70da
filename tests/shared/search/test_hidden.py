"""Test a version without some of its images against a library that never had them."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from findimg.errors import QueryError
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.search.answers.results import Answer
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.indexing.run import index

QUERIES = [
    "animal",
    "dog",
    "dalmatian",
    "vehicle -car",
    "car or flower",
    "name:car",
    "in:hidden",
    "in:shown",
    "type:png",
    "quixotry",
    "zyxwv",
    "zyxwvu",
    "zyxw",
    "quixot",
    '"quixotry zyxwv"',
    "name:zyxwv",
]


@pytest.fixture(scope="module")
def searchers(samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Searcher, Searcher]:
    """Return a view without the images of one folder, and a searcher of a library without that folder."""
    folder = tmp_path_factory.mktemp("hidden")
    shown, hidden = folder / "shown", folder / "hidden"
    for number, path in enumerate(sorted(samples.glob("*.*g"))):
        place = hidden if number % 3 == 0 else shown
        place.mkdir(exist_ok=True)
        shutil.copy(path, place)
    shutil.copy(
        shown / "cat.png" if (shown / "cat.png").exists() else hidden / "cat.png", hidden / "copy of the cat.png"
    )
    shutil.copy(samples / "coins.png", hidden / "quixotry zyxwv.png")
    words = open_words(EMBEDDED, ModelStore(cache / "models").words(EMBEDDED))
    opened = []
    for name, sources in (("all", [str(folder / "shown"), str(folder / "hidden")]), ("some", [str(shown)])):
        settings = Settings(library=str(folder / name), engine="local", cache=cache)
        index(settings, sources)
        library = Library(settings.library, cache)
        opened.append(library.open(library.live_version()))
    everything = Searcher(opened[0], words)
    items = np.asarray([item for item, _ in everything.catalog.starting_with(f"{hidden}/")])
    assert len(items) > 5
    everything.close()
    return Searcher(opened[0], words, hidden=items), Searcher(opened[1], words)


def ask(searcher: Searcher, text: str) -> Answer | str:
    """Return an answer, or the reason why there is none."""
    try:
        return searcher.find(parse(text), 20)
    except QueryError as error:
        return str(error)


@pytest.mark.parametrize("text", QUERIES)
def test_hidden_images_do_not_change_an_answer(searchers: tuple[Searcher, Searcher], text: str) -> None:
    view, other = (ask(searcher, text) for searcher in searchers)
    if isinstance(view, str) or isinstance(other, str):
        assert view == other
        return
    assert [hit.uri for hit in view.hits] == [hit.uri for hit in other.hits]
    assert [hit.copies for hit in view.hits] == [hit.copies for hit in other.hits]
    assert (view.total, view.note) == (other.total, other.note)


def test_hidden_images_are_neither_counted_nor_similar(searchers: tuple[Searcher, Searcher]) -> None:
    view, other = searchers
    assert view.manifest.images == other.manifest.images
    assert view.catalog.folders() == other.catalog.folders()
    for item in range(other.manifest.images):
        similar = [
            [hit.uri for hit in each.similar(each.features(item), parse("", image=True), 5, excluded=item).hits]
            for each in searchers
        ]
        assert similar[0] == similar[1]
