import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from skimage import data

from findimg.library.layout import ITEMS_FILE
from findimg.library.library import Library, Version
from findimg.search.answers.folders import nearest_folders
from findimg.search.query import Query, parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.indexing.run import index
from tests.conftest import make_once


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with three photographs: a cat with 12 copies, and a cup also mirrored and encoded again."""

    def make(folder: Path) -> None:
        (folder / "new").mkdir(parents=True)
        Image.fromarray(data.chelsea()).save(folder / "new/cat.png")
        cup = Image.fromarray(data.coffee())
        cup.save(folder / "new/cup.png")
        ImageOps.mirror(cup).save(folder / "new/mirrored.png")
        cup.save(folder / "new/encoded.jpg", quality=85)
        Image.fromarray(data.rocket()).save(folder / "new/rocket.png")
        for number in range(12):
            (folder / f"backup {number}").mkdir()
            shutil.copy(folder / "new/cat.png", folder / f"backup {number}/cat.png")

    return make_once(tmp_path_factory, "folding-photos", make)


@pytest.fixture(scope="module")
def version(folder: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Version:
    def publish(library: Path) -> None:
        index(Settings(library=str(library), engine="local", cache=cache), [str(folder)])

    return Library(str(make_once(tmp_path_factory, "folding-library", publish)), cache).open()


@pytest.fixture(scope="module")
def searcher(version: Version) -> Iterator[Searcher]:
    searcher = Searcher(version, open_words(EMBEDDED))
    yield searcher
    searcher.close()


def test_copies_are_one_hit_that_names_the_others(searcher: Searcher, folder: Path) -> None:
    answer = searcher.find(parse("cat"), 10)
    cats = [hit for hit in answer.hits if Path(hit.uri).name == "cat.png"]
    assert len(cats) == 1
    everywhere = {str(path) for path in folder.rglob("cat.png")}
    assert {cats[0].uri, *cats[0].copies} == everywhere
    assert len(cats[0].copies) == 12
    assert cats[0].near_duplicates == ()


def test_near_duplicates_are_folded_behind_the_best(searcher: Searcher) -> None:
    answer = searcher.find(parse("coffee"), 10)
    assert Path(answer.hits[0].uri).name in ("cup.png", "mirrored.png", "encoded.jpg")
    assert answer.hits[0].copies == ()
    shown = {Path(uri).name for uri in (answer.hits[0].uri, *answer.hits[0].near_duplicates)}
    assert shown == {"cup.png", "mirrored.png", "encoded.jpg"}


def test_total_counts_copies_once(searcher: Searcher) -> None:
    answer = searcher.find(parse("sort:date"), 10)
    assert (len(answer.hits), answer.total) == (3, 3)
    assert sum(1 + len(hit.copies) + len(hit.near_duplicates) for hit in answer.hits) == 17


def test_a_filter_leaves_only_the_copies_that_match_it(searcher: Searcher, folder: Path) -> None:
    answer = searcher.find(parse('cat in:"/backup 1"'), 10)
    assert answer.total == 1
    assert {answer.hits[0].uri, *answer.hits[0].copies} == {
        str(folder / name / "cat.png") for name in ("backup 1", "backup 10", "backup 11")
    }


def test_similar_images_leave_out_the_image_but_not_its_copies(searcher: Searcher, folder: Path) -> None:
    item, features = searcher.look_up(str(folder / "new/cat.png"))
    answer = searcher.similar(features, Query(""), 10, excluded=item)
    assert Path(answer.hits[0].uri).name == "cat.png"
    assert (len(answer.hits), answer.total) == (3, 3)
    item, features = searcher.look_up(str(folder / "new/rocket.png"))
    answer = searcher.similar(features, Query(""), 10, excluded=item)
    assert (len(answer.hits), answer.total) == (2, 2)


def test_version_without_groups_shows_every_image(version: Version) -> None:
    files = {name: file for name, file in version.manifest.files.items() if name != ITEMS_FILE}
    older = Version(version.manifest.model_copy(update={"files": files}), version.root)
    searcher = Searcher(older, open_words(EMBEDDED))
    answer = searcher.find(parse("sort:date"), 20)
    assert (len(answer.hits), answer.total) == (17, 17)
    searcher.close()


def test_a_missing_folder_names_the_nearest(searcher: Searcher) -> None:
    note = searcher.find(parse("cat in:bakcup"), 10).note
    assert note.startswith("No folder has 'bakcup' in its path. Try in:\"backup ")
    assert searcher.find(parse("in:new/bakcup"), 10).note.startswith("No folder has 'new/bakcup' in its path.")
    assert "Try" not in searcher.find(parse("cat in:zzzzzzzz"), 10).note


def test_suggested_folder_can_be_typed_as_it_is_written() -> None:
    note = nearest_folders("he sait hi", ['/p/He said "hi"', "/p/elsewhere"])
    assert note == """No folder has 'he sait hi' in its path. Try in:"He said \\"hi\\""."""
    (folder,) = parse(note.partition(" Try ")[2].removesuffix(".")).filters.folders
    assert folder == 'he said "hi"'


def test_another_order_shows_only_images_that_fit(searcher: Searcher) -> None:
    names = {Path(hit.uri).name for hit in searcher.find(parse("cat sort:date"), 10).hits}
    assert names == {"cat.png"}
