import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.search.expansion import meaning, noise, rerank, score, strength, top_k, unrelated_terms
from findimg.text.lexicon import Lexicon, open_lexicon
from findimg.text.vectors import EMBEDDED, WordVectors, open_words

WORDS = open_words(EMBEDDED)


@pytest.fixture
def words() -> WordVectors:
    return WORDS


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return open_lexicon()


def best_classes(term: str, lexicon: Lexicon, words: WordVectors, least: float = 0.5) -> set[str]:
    return {lexicon.label(int(node)) for node in np.flatnonzero(meaning(term, lexicon, words).classes >= least)}


def kind(lexicon: Lexicon, label: str) -> set[str]:
    node = next(node for node, names in enumerate(lexicon.names) if names[0] == label)
    return {lexicon.label(int(below)) for below in np.flatnonzero(lexicon.covers[node])}


def test_a_class_name_means_its_class(lexicon: Lexicon, words: WordVectors) -> None:
    found = meaning("dalmatian", lexicon, words)

    assert best_classes("dalmatian", lexicon, words) == {"dalmatian"}
    assert (found.power, found.certainty) == (1, 1)
    assert found.classes.max() == 1


@pytest.mark.parametrize("word", ["dog", "bird", "insect", "furniture", "fruit", "snake"])
def test_a_category_means_all_its_classes(lexicon: Lexicon, words: WordVectors, word: str) -> None:
    assert best_classes(word, lexicon, words) == kind(lexicon, word)


def test_an_instrument_is_musical_whatever_is_more_frequent_in_books(lexicon: Lexicon, words: WordVectors) -> None:
    assert best_classes("instrument", lexicon, words, least=0.9) == kind(lexicon, "musical instrument")


def test_relatives_of_what_is_named_count_a_little(lexicon: Lexicon, words: WordVectors) -> None:
    weights = meaning("boat", lexicon, words).classes
    label = {lexicon.label(node): node for node in range(1000)}

    assert 0 < weights[label["catamaran"]] <= 0.1
    assert weights[label["speedboat"]] == 1


@pytest.mark.parametrize(
    ("word", "relatives"),
    [
        ("helicopter", {"warplane"}),
        ("pagoda", {"stupa", "mosque"}),
        ("ibis", {"black stork", "American egret"}),
        ("wheelchair", {"folding chair"}),
        ("octopus", {"chambered nautilus"}),
        ("rhino", {"zebra"}),
    ],
)
def test_a_noun_that_is_no_class_is_looked_for_among_its_relatives(
    lexicon: Lexicon, words: WordVectors, word: str, relatives: set[str]
) -> None:
    found = meaning(word, lexicon, words)

    assert relatives <= best_classes(word, lexicon, words)
    assert found.power < 1
    assert found.certainty == 1


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("music", {"acoustic guitar"}),
        ("flight", {"airliner"}),
        ("kitchen", {"microwave", "frying pan"}),
        ("dinner", {"pizza"}),
    ],
)
def test_a_word_that_names_nothing_to_be_seen_goes_to_what_it_is_said_with(
    lexicon: Lexicon, words: WordVectors, word: str, near: set[str]
) -> None:
    assert near <= best_classes(word, lexicon, words)


@pytest.mark.parametrize(("one", "many"), [("wolf", "wolves"), ("mouse", "mice"), ("fire engine", "fire engines")])
def test_singular_and_plural_mean_the_same(lexicon: Lexicon, words: WordVectors, one: str, many: str) -> None:
    single, plural = meaning(one, lexicon, words), meaning(many, lexicon, words)

    assert single.term == plural.term
    np.testing.assert_array_equal(single.classes, plural.classes)
    np.testing.assert_array_equal(single.vector, plural.vector)


def test_of_an_unknown_phrase_the_last_word_says_what_it_is(lexicon: Lexicon, words: WordVectors) -> None:
    assert "street sign" in best_classes("stop sign", lexicon, words)


def test_a_word_far_from_everything_seen_is_uncertain(lexicon: Lexicon, words: WordVectors) -> None:
    music, theory = (meaning(word, lexicon, words).certainty for word in ("music", "democracy"))

    assert music > 0.8
    assert 0 < theory < 0.2


def test_an_unknown_word_gets_suggestions(lexicon: Lexicon, words: WordVectors) -> None:
    with pytest.raises(QueryError, match=r"'elephannt' is unknown\. Did you mean elephant"):
        meaning("elephannt", lexicon, words)


@settings(deadline=None)  # spellings are compared with all nouns
@given(st.text())
def test_any_text_has_a_meaning_or_is_a_query_error(text: str) -> None:
    try:
        found = meaning(text, open_lexicon(), WORDS)
    except QueryError:
        return
    assert found.classes.min() >= 0
    assert found.classes.max() == 1
    assert 0 < found.certainty <= 1


def test_images_with_everything_come_before_images_with_much_of_one() -> None:
    category = np.array([[0.9, 0.3, 0.0, 0.0], [0.0, 0.2, 0.9, 0.0]], np.float32)
    found = score(category, np.zeros_like(category), np.ones(2, np.float32))

    assert found.argmax() == 1
    assert found[3] < found[[0, 2]].min()
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_a_heavier_term_decides() -> None:
    category = np.array([[0.8, 0.2], [0.2, 0.8]], np.float32)

    assert score(category, np.zeros_like(category), np.array([2, 1], np.float32)).argmax() == 0
    assert score(category, np.zeros_like(category), np.array([1, 2], np.float32)).argmax() == 1


def test_what_must_not_be_there_takes_away() -> None:
    category = np.array([[0.9, 0.8], [0.9, 0.0]], np.float32)
    found = score(category, np.zeros_like(category), np.array([1, -1], np.float32))

    assert found.argmax() == 1
    assert found[1] == pytest.approx(0.8, abs=0.01)
    assert found[0] < 0.1


def test_without_any_sign_in_the_classes_the_joint_embedding_orders() -> None:
    found = score(np.zeros((1, 3), np.float32), np.array([[0.1, 0.7, -0.5]], np.float32), np.ones(1, np.float32))

    assert np.argsort(-found).tolist() == [1, 0, 2]


def test_sums_beyond_1_keep_their_order() -> None:
    found = score(np.array([[3.0, 2.0, 0.5]], np.float32), np.zeros((1, 3), np.float32), np.ones(1, np.float32))

    assert found[0] > found[1] > found[2]


def test_the_second_look_prefers_what_looks_like_the_best() -> None:
    random = np.random.default_rng(0)
    kinds = np.eye(8, dtype=np.float32)[[0] * 6 + [1] + [2] * 5]
    scores = np.array([0.9] * 5 + [0.3] + [0.4] + [0.1] * 5, np.float32)
    found = rerank(scores, kinds + random.normal(0, 0.01, kinds.shape).astype(np.float32))

    assert found[5] > found[6]
    assert found[:5].min() > found[5]
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_a_handful_of_images_needs_no_second_look() -> None:
    scores = np.array([0.3, 0.1], np.float32)

    np.testing.assert_array_equal(rerank(scores, np.eye(2, dtype=np.float32)), scores)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 1000, 20_000]), st.integers(1, 300), st.sampled_from([2, 10**6])
)
def test_the_best_places_are_those_of_a_stable_sort(seed: int, length: int, count: int, values: int) -> None:
    scores = np.random.default_rng(seed).integers(0, values, length).astype(np.float32)

    assert top_k(scores, count).tolist() == sorted(np.argsort(-scores, kind="stable")[:count].tolist())


@pytest.mark.parametrize("seed", range(20))
def test_the_best_places_are_right_among_very_many_of_which_a_small_part_is_looked_at_first(seed: int) -> None:
    scores = np.random.default_rng(seed).exponential(1, 2**20).astype(np.float32)

    assert top_k(scores, 200).tolist() == sorted(np.argsort(-scores, kind="stable")[:200].tolist())


def test_unrelated_terms_are_common_words_for_nothing_to_be_seen(lexicon: Lexicon, words: WordVectors) -> None:
    terms = unrelated_terms(lexicon, words)

    assert len(terms) == 200
    assert terms == unrelated_terms(lexicon, words)
    assert not any(lexicon.senses(term) for term in terms)


def test_noise_is_what_most_unrelated_terms_stay_below() -> None:
    found = strength(np.array([[0.0, 3.0], [0.5, 0.1]], np.float32), np.array([1, 0.5], np.float32))

    np.testing.assert_allclose(found, [1, 0.25])
    assert noise(np.linspace(0, 1, 101, dtype=np.float32)) == pytest.approx(0.85)
    assert noise(np.empty(0, np.float32)) == 0
