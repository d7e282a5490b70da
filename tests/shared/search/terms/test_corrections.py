"""Test suggestions and corrections on misspelt words that are made by rule."""

from collections.abc import Iterator
from random import Random

import pytest

from findimg.errors import UnknownWordError
from findimg.search.query import Term
from findimg.search.terms.corrections import SpellingChecker
from findimg.search.terms.expansion import expand
from findimg.search.terms.translation import translate_terms
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import EMBEDDED, open_words
from tests.shared.search.test_languages import PAIRS
from tests.shared.search.test_quality import NAMELESS

NOUNS = sorted({english for _, _, english in PAIRS})
KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
RULES = ("exchanged", "dropped", "doubled", "neighbouring key")


@pytest.fixture(scope="module")
def spelling() -> SpellingChecker:
    return SpellingChecker(open_lexicon(), open_words(EMBEDDED))


def misspelt(word: str, rule: str, random: Random) -> str:
    """Return a word with one mistake after its first letter."""
    place = random.randrange(1, len(word) - 1)
    letter, rest = word[place], word[place + 1 :]
    if rule == "exchanged":
        return word[:place] + rest[0] + letter + rest[1:]
    if rule == "dropped":
        return word[:place] + rest
    if rule == "doubled":
        return word[:place] + letter + letter + rest
    row = next(row for row in KEYS if letter in row)
    at = row.index(letter)
    return word[:place] + random.choice(row[max(0, at - 1) : at] + row[at + 1 : at + 2]) + rest


def misspellings(spelling: SpellingChecker, count: int) -> Iterator[tuple[str, str, str]]:
    """Yield rules, misspelt words and the words that are meant. Mistakes that give another word are left out."""
    random, lexicon = Random(0), open_lexicon()
    words = [word for word in [*NOUNS, *NAMELESS] if len(word) >= 4 and word.isalpha() and lexicon.senses(word)]
    made = 0
    while made < count:
        word, rule = random.choice(words), RULES[made % len(RULES)]
        typed = misspelt(word, rule, random)
        if typed != word and not spelling.is_known(typed):
            yield rule, typed, word
            made += 1


def test_correctly_spelt_words_get_neither_suggestions_nor_corrections(spelling: SpellingChecker) -> None:
    words = sorted({*NOUNS, *NAMELESS})
    assert len(words) >= 200
    assert {word: spelling.suggestions(word) for word in words if spelling.suggestions(word)} == {}
    terms = [Term(word) for word in words]
    assert spelling.correct(terms) == (terms, [])


def test_misspelt_words_are_corrected_or_the_right_word_is_suggested(spelling: SpellingChecker) -> None:
    at_once, suggested, missed = 0, 0, []
    for rule, typed, word in misspellings(spelling, 200):
        (term,), _ = spelling.correct([Term(typed)])
        if term.text == word:
            at_once += 1
        elif term.text == typed and word in spelling.suggestions(typed):
            suggested += 1
        else:
            missed.append((rule, typed, word))
    print(f"\n200 misspelt words: {at_once} corrected, {suggested} suggested, missed: {missed}")
    assert len(missed) <= 2
    assert at_once >= 130


def test_translation_that_may_be_a_misspelt_english_word_is_noted(spelling: SpellingChecker) -> None:
    def misread(typed: str) -> str | None:
        (term,) = translate_terms([Term(typed)], open_lexicon())
        return spelling.misread(term)

    assert misread("sirit") == "spirit"  # a braid in another language
    assert misread("elephant") is None
    assert misread("umbrela") is None  # the translation is the English word that it resembles
    assert [misread(word) for language, word, _ in PAIRS if language == "de" and misread(word)] == []


def test_word_of_the_vectors_alone_is_suggested_only_a_much_more_frequent_noun(spelling: SpellingChecker) -> None:
    assert spelling.suggestions("lemmon") == ["lemon"]
    names = ["obama", "berlin", "mario", "madrid", "karl", "audi", "nokia", "beyonce"]
    assert {name: spelling.suggestions(name) for name in names if spelling.suggestions(name)} == {}


@pytest.mark.parametrize(("typed", "meant"), [("kangaru", "kangaroo"), ("pinao", "piano"), ("huose", "house")])
def test_same_first_letter_and_exchanged_letters_decide_between_equally_near_words(
    spelling: SpellingChecker, typed: str, meant: str
) -> None:
    assert [term.text for term in spelling.correct([Term(typed)])[0]] == [meant]


EVERYDAY = """
selfie selfies screenshot screenshots whiteboard whiteboards flipchart flipcharts barcode barcodes emoji hashtag rainy
foggy sunset sunsets sunrise sunrises mockup mockups wireframe infographic offsite hackathon teambuilding onboarding
flowchart flowcharts merch airpods datacenter smartphone hoodie podcast lanyard blurry colourful snowboarding webinar
"""


def test_correct_word_gets_no_suggestion_and_is_not_corrected(spelling: SpellingChecker) -> None:
    words = EVERYDAY.split()
    corrected = [term.text for term in spelling.correct([Term(word) for word in words])[0]]
    assert corrected == words
    assert {word: found for word in words if (found := spelling.suggestions(word))} == {}


@pytest.mark.parametrize("word", ["selfie", "emoji", "flipcharts"])
def test_correct_word_that_no_model_knows_is_reported_without_suggestions(spelling: SpellingChecker, word: str) -> None:
    with pytest.raises(UnknownWordError) as error:
        expand(word, open_lexicon(), open_words(EMBEDDED))
    assert str(error.value) == f"The word {word!r} is unknown. Use a more common word."


@pytest.mark.parametrize(("typed", "first"), [("hores", "horse"), ("childrne", "children"), ("teetth", "teeth")])
def test_suggestions_prefer_the_same_letters_and_frequent_words(
    spelling: SpellingChecker, typed: str, first: str
) -> None:
    (term,), _ = spelling.correct([Term(typed)])
    assert term.text == first or spelling.suggestions(typed)[0] == first
