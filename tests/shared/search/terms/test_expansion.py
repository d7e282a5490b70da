import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.search.terms.expansion import GUESS_CEILING, MIN_SPECIFICITY, expand
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
    return {lexicon.names[int(node)][0] for node in np.flatnonzero(expand(term, lexicon, words).classes >= least)}


def kind(lexicon: Lexicon, label: str) -> set[str]:
    node = next(node for node, names in enumerate(lexicon.names) if names[0] == label)
    return {lexicon.names[int(below)][0] for below in np.flatnonzero(lexicon.covers[node])}


def test_class_name_selects_its_class(lexicon: Lexicon, words: WordVectors) -> None:
    found = expand("dalmatian", lexicon, words)

    assert best_classes("dalmatian", lexicon, words) == {"dalmatian"}
    assert (found.power, found.certainty) == (1, 1)
    assert found.classes.max() == 1


@pytest.mark.parametrize("word", ["dog", "bird", "insect", "furniture", "fruit", "snake"])
def test_category_selects_all_its_classes(lexicon: Lexicon, words: WordVectors, word: str) -> None:
    assert best_classes(word, lexicon, words) == kind(lexicon, word)


def test_instrument_selects_musical_instruments(lexicon: Lexicon, words: WordVectors) -> None:
    assert best_classes("instrument", lexicon, words, least=0.9) == kind(lexicon, "musical instrument")


def test_relatives_of_named_classes_get_a_low_weight(lexicon: Lexicon, words: WordVectors) -> None:
    weights = expand("boat", lexicon, words).classes
    label = {lexicon.names[node][0]: node for node in range(1000)}

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
def test_noun_without_a_class_selects_related_classes(
    lexicon: Lexicon, words: WordVectors, word: str, relatives: set[str]
) -> None:
    found = expand(word, lexicon, words)

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
def test_word_for_nothing_visible_selects_similar_words(
    lexicon: Lexicon, words: WordVectors, word: str, near: set[str]
) -> None:
    assert near <= best_classes(word, lexicon, words)


@pytest.mark.parametrize(("one", "many"), [("wolf", "wolves"), ("mouse", "mice"), ("fire engine", "fire engines")])
def test_singular_and_plural_are_equal(lexicon: Lexicon, words: WordVectors, one: str, many: str) -> None:
    single, plural = expand(one, lexicon, words), expand(many, lexicon, words)

    assert single.term == plural.term
    np.testing.assert_array_equal(single.classes, plural.classes)
    np.testing.assert_array_equal(single.vector, plural.vector)


def test_unknown_phrase_is_expanded_by_its_last_word(lexicon: Lexicon, words: WordVectors) -> None:
    assert "street sign" in best_classes("stop sign", lexicon, words)


def test_word_far_from_all_classes_is_uncertain(lexicon: Lexicon, words: WordVectors) -> None:
    music, theory = (expand(word, lexicon, words).certainty for word in ("music", "democracy"))

    assert music > 0.8
    assert 0 < theory < 0.2


def test_unknown_word_error_suggests_spellings(lexicon: Lexicon, words: WordVectors) -> None:
    with pytest.raises(QueryError, match=r"'elephannt' is unknown\. Did you mean elephant"):
        expand("elephannt", lexicon, words)


@settings(deadline=None)  # spellings are compared with all nouns
@given(st.text())
def test_any_text_is_expanded_or_rejected(text: str) -> None:
    try:
        found = expand(text, open_lexicon(), WORDS)
    except QueryError:
        return
    assert found.classes.min() >= 0
    assert found.classes.max() == 1
    assert 0 < found.certainty <= 1
    assert 0 < found.ceiling <= 1


def named_classes(lexicon: Lexicon, name: str) -> np.ndarray:
    """Return the classes that any sense of a name selects, bool[1000]."""
    nodes = [node for sense in lexicon.senses(name) for node, steps in sense.places if steps == 0]
    return lexicon.covers[nodes].any(axis=0)


def test_every_name_of_the_lexicon_with_a_fair_share_selects_its_classes(lexicon: Lexicon, words: WordVectors) -> None:
    wrong = []
    for name in sorted({name for names in lexicon.names for name in names}):
        senses = lexicon.senses(name)
        shares = [sense.share for sense in senses if any(steps == 0 for _, steps in sense.places)]
        if not shares or max(shares) < 0.3 or max(shares) < max(sense.share for sense in senses):
            continue
        found = expand(name, lexicon, words)
        selected = found.classes >= 0.5
        main = [sense for sense in senses if sense.share == max(shares)]
        nodes = [node for sense in main for node, steps in sense.places if steps == 0]
        vague = max(lexicon.specific[node] for node in nodes) < MIN_SPECIFICITY
        if not selected.any() or (selected & ~named_classes(lexicon, name)).any() or (found.ceiling < 1 and not vague):
            wrong.append(name)
    assert wrong == []


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("sheep", "ram"),
        ("duck", "drake"),
        ("goat", "ibex"),
        ("soup", "consomme"),
        ("basin", "washbasin"),
        ("hand glass", "loupe"),
    ],
)
def test_word_selects_its_only_class(lexicon: Lexicon, words: WordVectors, word: str, label: str) -> None:
    found = expand(word, lexicon, words)
    assert lexicon.names[int(found.classes.argmax())][0] == label
    assert found.power == 1


EVERYDAY = """
tv, telly, tv set, flat screen: television
smartphone, mobile phone, cell phone, cellphone, iphone: cellular telephone
sneaker, trainers, tennis shoe: running shoe
tshirt, t-shirt, tee shirt, t shirt: jersey
tire, tyre, car tyre: car wheel
lorry, lorries, truck: trailer truck
steam train: steam locomotive
plane, aeroplane, jet: airliner
motorcycle, motor bike: moped
sailboat, yacht: yawl
bunny, bunnies, rabbit: wood rabbit
kitty, kitties, pussycat, cat: tabby
doggy, doggie, pooch, mutt: beagle
cow, bull, cattle: ox
honeybee, bumble bee: bee
praying mantis: mantis
hot dog, hotdog, hot-dog: hotdog
maize, sweetcorn: corn
fridge, freezer: refrigerator
rubbish bin, dustbin, trash can: ashcan
settee, sofa, couch: studio couch
cathedral, chapel: church
supermarket: grocery store
gray owl, great gray owl: great grey owl
snow plough: snowplow
laptop computer: laptop
"""


@pytest.mark.parametrize("line", EVERYDAY.strip().splitlines())
def test_everyday_names_select_their_class(lexicon: Lexicon, words: WordVectors, line: str) -> None:
    names, label = line.split(": ")
    node = next(node for node, each in enumerate(lexicon.names) if each[0] == label)
    found = {name: expand(name, lexicon, words) for name in names.split(", ")}
    assert [name for name, term in found.items() if term.classes[node] < 0.5 or term.ceiling < 1] == []


@pytest.mark.parametrize(
    "word", ["part", "portion", "good", "matter", "unit", "object", "relation", "killer", "construction", "wind"]
)
def test_vague_word_is_only_a_guess(lexicon: Lexicon, words: WordVectors, word: str) -> None:
    assert expand(word, lexicon, words).ceiling == GUESS_CEILING


@pytest.mark.parametrize("word", ["beach", "tree", "hair", "portrait", "water", "man", "kitchen", "democracy"])
def test_word_that_names_no_class_has_a_low_ceiling(lexicon: Lexicon, words: WordVectors, word: str) -> None:
    assert expand(word, lexicon, words).ceiling == GUESS_CEILING < 0.15


@pytest.mark.parametrize("word", ["helicopter", "ferry", "mandolin", "pigeon", "kettle", "dog"])
def test_thing_is_of_one_kind_with_its_classes(lexicon: Lexicon, words: WordVectors, word: str) -> None:
    assert expand(word, lexicon, words).one_kind


@pytest.mark.parametrize("word", ["sky", "beach", "street", "garden", "night", "lake", "city", "man", "democracy"])
def test_place_or_mood_is_not_of_one_kind_with_its_classes(lexicon: Lexicon, words: WordVectors, word: str) -> None:
    assert not expand(word, lexicon, words).one_kind


@pytest.mark.parametrize(
    ("word", "label"), [("sheep", "bighorn"), ("tie", "bow tie"), ("rifle", "assault rifle"), ("table", "dining table")]
)
def test_near_class_that_is_called_by_the_word_follows_the_named_classes(
    lexicon: Lexicon, words: WordVectors, word: str, label: str
) -> None:
    classes = expand(word, lexicon, words).classes
    place = next(node for node, names in enumerate(lexicon.names) if names[0] == label)

    assert 0.2 < classes[place] < 0.4


@pytest.mark.parametrize(("word", "label"), [("lion", "sea lion"), ("pig", "guinea pig"), ("dog", "hotdog")])
def test_distant_class_that_is_called_by_the_word_is_left_out(
    lexicon: Lexicon, words: WordVectors, word: str, label: str
) -> None:
    place = next(node for node, names in enumerate(lexicon.names) if names[0] == label)
    assert expand(word, lexicon, words).classes[place] == 0


def test_name_that_ends_with_a_word_for_something_else_is_not_selected(lexicon: Lexicon, words: WordVectors) -> None:
    classes = expand("puppy", lexicon, words).classes
    axolotl = next(node for node, names in enumerate(lexicon.names) if "mud puppy" in names)
    dogs = named_classes(lexicon, "dog")

    assert classes[axolotl] == 0
    assert dogs[classes > 0.5].all()
    # A seal is usually a stamp, but an eared seal is one of its rarer senses.
    eared = next(node for node, names in enumerate(lexicon.names) if "sea lion" in names)
    assert expand("seal", lexicon, words).classes[eared] == 1
