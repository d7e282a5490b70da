from pathlib import Path

import pytest

from bot.answers import Desk, Found, Related, Tagged
from shared.errors import LibraryError, QueryError
from shared.images import Image, decode
from shared.settings import Settings


@pytest.fixture(scope="module")
def desk(library: str, cache: Path) -> Desk:
    return Desk(Settings(library=library, cache=cache))


@pytest.fixture(scope="module")
def cat(samples: Path) -> Image:
    return decode((samples / "cat.png").read_bytes())


def best(answer: object) -> str:
    assert isinstance(answer, Found)
    return Path(answer.hits[0].uri).name


def test_findimg_answers_words(desk: Desk) -> None:
    answer = desk.answer("/findimg cat", None, 3)
    assert best(answer) == "cat.png"
    assert isinstance(answer, Found)
    assert answer.query == "cat"
    assert answer.version == desk.searcher.manifest.version
    assert answer.took_ms > 0


@pytest.mark.parametrize("command", ["/similar", "/findimg"])
def test_like_finds_similar_images_and_leaves_itself_out(desk: Desk, samples: Path, command: str) -> None:
    assert best(desk.answer(f"{command} like:{samples}/motorcycle-left.png", None, 3)) == "motorcycle-right.png"


def test_similar_takes_an_image(desk: Desk, cat: Image) -> None:
    assert best(desk.answer("/similar", cat, 3)) == "cat.png"


def test_similar_takes_filters_beside_an_image(desk: Desk, cat: Image) -> None:
    answer = desk.answer("/similar type:jpg", cat, 100)
    assert isinstance(answer, Found)
    assert {Path(hit.uri).suffix for hit in answer.hits} == {".jpg"}


def test_tag_takes_an_image_or_an_indexed_one(desk: Desk, cat: Image, samples: Path) -> None:
    fresh, stored = desk.answer("/tag", cat, 5), desk.answer(f"/tag like:{samples}/cat.png", None, 5)
    assert isinstance(fresh, Tagged)
    assert isinstance(stored, Tagged)
    assert "cat" in {tag.word for tag in fresh.tags}
    assert [tag.word for tag in fresh.tags] == [tag.word for tag in stored.tags]


def test_words_are_the_tutorials_neighbours(cache: Path) -> None:
    answer = Desk(Settings(cache=cache)).answer("/words said", None, 4)
    assert isinstance(answer, Related)
    assert [word for word, _ in answer.words] == ["said", "told", "says", "spokesman"]
    assert [distance for _, distance in answer.words] == pytest.approx([0.00, 0.44, 0.50, 0.55], abs=0.01)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'' is no command; start with one of /findimg"),
        ("cat", "'cat' is no command"),
        ("/findimg", "Say what to look for"),
        ("/findimg elephantx", "'elephantx' is unknown"),
        ("/similar", "/similar needs an image, or like:"),
        ("/tag", "/tag needs an image, or like:"),
        ("/tag like:/nowhere.jpg", "No image '/nowhere.jpg' is indexed"),
        ("/words", "/words takes one word"),
        ("/words fire engine", "/words takes one word"),
        ("/words elefantx", "'elefantx' is unknown"),
    ],
)
def test_what_cannot_be_answered_is_said(desk: Desk, text: str, sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence):
        desk.answer(text, None, 10)


def test_an_empty_library_is_said(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(LibraryError, match="Nothing is published in"):
        Desk(Settings(library=str(tmp_path), cache=cache)).answer("/findimg cat", None, 10)
