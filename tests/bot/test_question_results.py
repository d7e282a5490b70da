from pathlib import Path

import pytest

from findimg.errors import LibraryError, QueryError
from findimg.search.image_features import ImageFeatures
from findimg.settings import Settings
from findimg_bot.question_results import ImageResults, TagResults, find_results, related_words
from findimg_bot.questions import Question, read_terminal_command
from findimg_bot.served_library import ServedLibrary


@pytest.fixture(scope="module")
def served(library: str, cache: Path) -> ServedLibrary:
    return ServedLibrary(Settings(library=library, cache=cache))


@pytest.fixture(scope="module")
def cat(served: ServedLibrary, samples: Path) -> ImageFeatures:
    return served.embed((samples / "cat.png").read_bytes())


def asked(
    served: ServedLibrary, text: str, k: int, seen: ImageFeatures | None = None, skip: int = 0
) -> ImageResults | TagResults:
    question = read_terminal_command(text)
    with served.lend() as searcher:
        return find_results(searcher, Question(question.command, question.text, features=seen), k, skip)


def names(found: ImageResults | TagResults) -> list[str]:
    assert isinstance(found, ImageResults)
    return [Path(hit.uri).name for hit in found.hits]


def test_findimg_finds_words(served: ServedLibrary) -> None:
    found = asked(served, "/findimg cat", 3)
    assert isinstance(found, ImageResults)
    assert names(found)[0] == "cat.png"
    assert found.query == "cat"
    assert found.version == served.version
    assert found.took_ms > 0


def test_next_page_continues_the_first(served: ServedLibrary) -> None:
    whole = names(asked(served, "/findimg animal", 9))
    pages = [asked(served, "/findimg animal", 3, skip=skip) for skip in (0, 3, 6)]
    assert [name for page in pages for name in names(page)] == whole
    assert len(set(whole)) == 9


def test_more_is_set_before_another_page(served: ServedLibrary) -> None:
    first, last = asked(served, "/findimg animal", 3), asked(served, "/findimg animal", 3, skip=1000)
    assert isinstance(first, ImageResults)
    assert isinstance(last, ImageResults)
    assert (first.more, last.more, last.hits) == (True, False, [])


@pytest.mark.parametrize("command", ["/similar", "/findimg"])
def test_like_excludes_the_image_itself(served: ServedLibrary, samples: Path, command: str) -> None:
    assert names(asked(served, f"{command} like:{samples}/motorcycle-left.png", 3))[0] == "motorcycle-right.png"


def test_question_about_an_indexed_image(served: ServedLibrary, samples: Path) -> None:
    with served.lend() as searcher:
        found = find_results(searcher, Question("/similar", "type:png", like=f"{samples}/motorcycle-left.png"), 3)
    assert names(found)[0] == "motorcycle-right.png"
    assert {Path(name).suffix for name in names(found)} == {".png"}


def test_similar_takes_an_image(served: ServedLibrary, cat: ImageFeatures) -> None:
    assert names(asked(served, "/similar", 3, cat))[0] == "cat.png"


def test_similar_takes_filters_beside_an_image(served: ServedLibrary, cat: ImageFeatures) -> None:
    assert {Path(name).suffix for name in names(asked(served, "/similar type:jpg", 100, cat))} == {".jpg"}


def test_tag_takes_an_image_or_an_indexed_one(served: ServedLibrary, cat: ImageFeatures, samples: Path) -> None:
    fresh, stored = asked(served, "/tag", 5, cat), asked(served, f"/tag like:{samples}/cat.png", 5)
    assert isinstance(fresh, TagResults)
    assert isinstance(stored, TagResults)
    assert "cat" in {tag.word for tag in fresh.tags}
    assert [tag.word for tag in fresh.tags] == [tag.word for tag in stored.tags]


def test_features_of_another_encoder_are_refused(served: ServedLibrary, cat: ImageFeatures) -> None:
    other = ImageFeatures(cat.visual[:512], cat.classes, cat.probabilities)
    with pytest.raises(QueryError, match="rebuilt with another encoder since you sent this image"):
        asked(served, "/similar", 3, other)


def test_words_match_the_published_neighbours(cache: Path) -> None:
    found = related_words(ServedLibrary(Settings(cache=cache)).words(), "said", 4)
    assert [word for word, _ in found.words] == ["said", "told", "says", "spokesman"]
    assert [distance for _, distance in found.words] == pytest.approx([0.00, 0.44, 0.50, 0.55], abs=0.01)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Say what to look for"),
        ("/cat", "'/cat' is not a command. Start with one of /findimg"),
        ("/findimg", "Say what to look for"),
        ("/findimg elephhhantx", "'elephhhantx' is unknown"),
        ("/similar", "/similar needs an image, or like:"),
        ("/similar cat", "/similar needs an image, or like:"),
        ("/tag", "/tag needs an image, or like:"),
        ("/tag like:/nowhere.jpg", "No image '/nowhere.jpg' is indexed"),
    ],
)
def test_invalid_question_raises_query_error(served: ServedLibrary, text: str, sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence):
        asked(served, text, 10)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "takes one word"), ("fire engine", "takes one word"), ("elefantx", "'elefantx' is unknown")],
)
def test_words_takes_one_known_word(served: ServedLibrary, text: str, sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence):
        related_words(served.words(), text, 10)


def test_empty_library_raises_library_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(LibraryError, match="Nothing is published in"):
        asked(ServedLibrary(Settings(library=str(tmp_path), cache=cache)), "/findimg cat", 10)
