import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import ModelError, QueryError
from findimg.text.glove_import import convert_glove
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

LINES = [b"the 0.5 -1.25 3e-2", b"Cat 1 0 0", b"caf\xc3\xa9 0 1 0", b". . . 0 0 1", b"\xff\xfe 1 1 1"]


WORDS = open_words(EMBEDDED)


@pytest.fixture
def words() -> WordVectors:
    return WORDS


def converted(tmp_path: Path, content: bytes, name: str = "glove.txt") -> Path:
    source, folder = tmp_path / name, tmp_path / "glove.test"
    source.write_bytes(content)
    convert_glove(source, folder)
    return folder


def test_nearest_words_of_said_match_the_tutorial(words: WordVectors) -> None:
    assert words.nearest("said", 4) == [
        ("said", pytest.approx(0.00, abs=0.01)),
        ("told", pytest.approx(0.44, abs=0.01)),
        ("says", pytest.approx(0.50, abs=0.01)),
        ("spokesman", pytest.approx(0.55, abs=0.01)),
    ]


def test_nearest_accepts_a_vector_of_any_length(words: WordVectors) -> None:
    assert words.nearest(5 * words.vector("said"), 1)[0][0] == "said"


def test_opening_reads_no_vectors_and_is_fast(words: WordVectors) -> None:
    fastest = min(_seconds(lambda: open_words(EMBEDDED)) for _ in range(3))

    assert fastest < 0.3
    assert len(words) == 400_000
    assert isinstance(words.matrix, np.memmap)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_upper_and_lower_case_are_the_same_word(words: WordVectors) -> None:
    assert words.vocabulary.row("Elephant") is not None
    np.testing.assert_array_equal(words.vector("ELEPHANT"), words.vector("elephant"))


def test_error_for_an_unknown_word_suggests_known_spellings(words: WordVectors) -> None:
    with pytest.raises(QueryError, match=r"'pizzza' is unknown to glove\.6B\.50d\. Did you mean pizza"):
        words.vector("pizzza")


def test_error_for_a_word_like_no_other_has_no_suggestions(words: WordVectors) -> None:
    with pytest.raises(QueryError, match=r"'xyzzyqq' is unknown to glove\.6B\.50d\. Check its spelling"):
        words.vector("xyzzyqq")


@settings(deadline=None)  # the first look-up sorts the vocabulary
@given(st.text())
def test_any_text_is_in_the_vocabulary_or_a_query_error(text: str) -> None:
    WORDS.direction(text)
    if WORDS.vocabulary.row(text) is None:
        with pytest.raises(QueryError):
            WORDS.vector(text)


@pytest.mark.parametrize("vector", [np.zeros(50, np.float32), np.ones(3, np.float32), np.full(50, np.nan, np.float32)])
def test_vector_without_a_direction_is_refused(words: WordVectors, vector: np.ndarray) -> None:
    with pytest.raises(QueryError):
        words.nearest(vector, 1)


def test_phrase_vector_is_between_its_words(words: WordVectors) -> None:
    phrase, fire, engine = (words.direction(text) for text in ("fire engine", "fire", "engine"))

    assert phrase is not None
    assert phrase @ fire == pytest.approx(phrase @ engine, abs=1e-5)
    assert np.linalg.norm(phrase) == pytest.approx(1, abs=1e-5)
    assert words.direction("xyzzyqq") is None


def test_directions_of_many_texts_equal_single_ones(words: WordVectors) -> None:
    texts = ["grand piano", "xyzzyqq", "cat"]
    vectors, known = words.directions(texts)

    assert known.tolist() == [True, False, True]
    np.testing.assert_allclose(vectors[0], words.direction("grand piano"), atol=1e-5)
    np.testing.assert_allclose(vectors[2], words.direction("cat"), atol=1e-5)


def test_centred_words_have_no_common_direction(words: WordVectors) -> None:
    vectors = words.centred(np.asarray(words.matrix[:50_000]))

    assert np.linalg.norm(vectors.mean(axis=0)) < 1e-3


def test_error_for_missing_word_vectors_names_the_pull_command() -> None:
    with pytest.raises(ModelError, match=r"models pull glove\.6B\.300d"):
        open_words("glove.6B.300d")


def test_converted_glove_file_keeps_every_word_and_number(tmp_path: Path) -> None:
    words = open_words("glove.test", converted(tmp_path, b"\n".join(LINES) + b"\n"))

    assert (len(words), words.dim) == (5, 3)
    np.testing.assert_array_equal(words.vector("the"), np.array([0.5, -1.25, 0.03], np.float32))
    np.testing.assert_array_equal(words.vector("café"), [0, 1, 0])
    np.testing.assert_array_equal(words.vector(". . ."), [0, 0, 1])


def test_word_that_is_not_utf8_has_replacement_characters(tmp_path: Path) -> None:
    words = open_words("glove.test", converted(tmp_path, b"\n".join(LINES)))

    assert words.nearest(np.ones(3, np.float32), 1)[0][0] == "\ufffd\ufffd"


def test_array_with_its_vocabulary_is_converted(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.eye(3, dtype=np.float16))
    (tmp_path / "own.txt").write_text("cat\ndog\nsofa\n")
    convert_glove(tmp_path / "own.npy", tmp_path / "words")

    np.testing.assert_array_equal(open_words("own", tmp_path / "words").vector("dog"), [0, 1, 0])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"cat 1 2 3\ndog 1 2\n", "line 2: expected a word and 3 numbers"),
        (b"cat 1 2 3\ndog 1 2 3 4\n", "line 2: expected a word and 3 numbers"),
        (b"cat\n", "line 1: expected a word and some numbers"),
        (b"cat 1 2\n\ndog 1 2\n", "line 2: expected a word and 2 numbers"),
        (b"cat 1 two 3\n", "line 1: not all columns after the word are numbers"),
        (b"cat 1 2\ndog nan 2\n", "line 2: not all columns"),
        (b"cat 1 2\ndog 1e999 2\n", "line 2: not all columns"),
        (b"cat 1 2\ndog 1 2\ncat 3 4\n", "line 3: the word 'cat' was already on line 1"),
        (b"\x00" * 1000, "line 1: expected a word and some numbers"),
    ],
)
def test_damaged_glove_file_is_refused_with_the_line_number(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(ModelError, match=problem):
        converted(tmp_path, content)
    assert not (tmp_path / "words" / "glove.test").exists()


@pytest.mark.parametrize(
    ("vocabulary", "problem"),
    [
        ("cat\ndog\n", "has 2 words for the 3 rows"),
        ("cat\ncat\nsofa\n", "line 2"),
        ("cat\n\nsofa\n", "there is no word"),
    ],
)
def test_array_with_another_vocabulary_is_refused(tmp_path: Path, vocabulary: str, problem: str) -> None:
    np.save(tmp_path / "own.npy", np.eye(3, dtype=np.float32))
    (tmp_path / "own.txt").write_text(vocabulary)
    with pytest.raises(ModelError, match=problem):
        convert_glove(tmp_path / "own.npy", tmp_path / "words")


def test_pickle_named_npy_is_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "own.txt").write_text("cat\n")
    with pytest.raises(ModelError, match="is not an array of numbers"):
        convert_glove(tmp_path / "own.npy", tmp_path / "words")


def test_words_and_vectors_of_different_length_are_refused(tmp_path: Path) -> None:
    folder = converted(tmp_path, b"cat 1 2\ndog 3 4\n")
    (folder / "vocabulary.txt").write_bytes(b"cat\n")
    with pytest.raises(ModelError, match="are damaged: 1 words, but an array"):
        open_words("glove.test", folder)
