from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from findimg.errors import LibraryError
from findimg.index.text_index import ImageText, TextIndex, write_text_index
from findimg.text.lexicon import open_lexicon
from findimg.text.tokens import fold_words

ROWS = [
    ImageText(written="Service status\nERROR 500 on server 7"),
    ImageText(written="Status: error 501", caption="Error 500 explained", name="report error"),
    ImageText(),
    ImageText(written="statuserror 500on", name="holiday beach 01"),
    ImageText(written="数据库连接错误"),
    ImageText(written="Annual shareho1der meeting"),
    ImageText(written="The heart working well"),
    ImageText(written="Wi-Fi box XJ-900B, 750 ml, not able"),
    ImageText(written="Call +49 30 1234567 about ACME-1234"),
]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TextIndex]:
    path = tmp_path_factory.mktemp("text") / "text.sqlite"
    write_text_index(path, ROWS)
    opened = TextIndex(path)
    yield opened
    opened.close()


def test_word_finds_images_by_kind_of_text(index: TextIndex) -> None:
    found = {kind: items.tolist() for kind, items in index.with_word(["error"]).items()}
    assert found == {"written": [0, 1], "caption": [1], "name": [1]}
    assert index.with_word(["absent"]) == {}


def test_phrase_needs_its_words_in_order(index: TextIndex) -> None:
    found = {kind: items.tolist() for kind, items in index.with_phrase(["error", "500"]).items()}
    assert found == {"written": [0], "caption": [1]}
    assert index.with_phrase(["500", "error"]) == {}
    assert {kind: items.tolist() for kind, items in index.with_phrase(["status", "error"]).items()} == {
        "written": [0, 1]
    }


def test_phrase_of_characters_is_found_in_a_text_without_spaces(index: TextIndex) -> None:
    assert index.with_phrase(fold_words("连接错误"))["written"].tolist() == [4]
    assert index.with_phrase(fold_words("误错")) == {}


@pytest.mark.parametrize(
    ("phrase", "items"),
    [
        ("shareholder meeting", [5]),
        ("shareholder", [5]),
        ("shareholders dinner", []),
        ("error 500", [0, 3]),  # an added space is missing
        ("error 502", []),  # another number
        ("2345,67", []),  # a part of a number
        ("acme 12", []),
        ("acme 12,34", []),
        ("call +49 30 123 4567", []),
        ("acme 1234", [8]),
        ("wifi", [7]),  # two words without a space
        ("xj900b", [7]),
        ("750ml", [7]),  # letters beside digits
        ("notable", []),  # two words with a space
        ("fibox", []),
        ("ifib", []),  # parts of words
        ("art work", []),  # a part of other words
        ("status", []),  # too short for a mistake
    ],
)
def test_misread_and_joined_words_are_found(index: TextIndex, phrase: str, items: list[int]) -> None:
    assert index.with_similar_text(fold_words(phrase)).tolist() == items


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_text_index(tmp_path / name, iter(ROWS))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(LibraryError, match=r"text\.sqlite cannot be opened as a text index"):
        TextIndex(path)


def test_phrases_of_noisy_pages_are_found_and_others_are_not(tmp_path: Path) -> None:
    random = Random(3)
    nouns = [noun for noun in open_lexicon().visible_nouns() if noun.isalpha()]
    pages = [[random.choice(nouns) for _ in range(40)] for _ in range(100)]

    def misread(word: str) -> str:
        """Return a word as it is read: 2 % of the letters are others, and 3 % of the spaces are missing."""
        letters = (random.choice("abcdefghijklmnopqrstuvwxyz015") if random.random() < 0.02 else c for c in word)
        return "".join(letters) + ("" if random.random() < 0.03 else " ")

    path = tmp_path / "text.sqlite"
    write_text_index(path, [ImageText(written="".join(map(misread, page))) for page in pages])
    index = TextIndex(path)
    found = []
    for number, page in enumerate(pages):
        start = random.randrange(37)
        words = fold_words(" ".join(page[start : start + 3]))
        exact = index.with_phrase(words).get("written", ())
        found.append(number in exact or number in index.with_similar_text(words))
    assert sum(found) / len(found) >= 0.95
    wrong = [fold_words(" ".join(random.sample(nouns, 3))) for _ in range(200)]
    assert not [words for words in wrong if index.with_phrase(words) or len(index.with_similar_text(words))]
    index.close()
