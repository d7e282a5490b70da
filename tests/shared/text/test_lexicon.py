from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.text.lexicon import FOLDER, Lexicon, open_lexicon
from findimg.text.lexicon.build import WordNet, build, class_ids

WORDNET = next((path for path in map(Path, ("/usr/share/wordnet", "/usr/share/wordnet-3.0")) if path.is_dir()), None)


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return open_lexicon()


def places(lexicon: Lexicon, term: str) -> set[str]:
    return {lexicon.names[node][0] for sense in lexicon.senses(term) for node, _ in sense.places}


def test_data_equals_the_output_of_the_build_script() -> None:
    if WORDNET is None:
        pytest.skip(
            "no WordNet 3.0 files on this machine (Debian: wordnet-base): the lexicon is not compared with them"
        )
    for name, content in build(WordNet(WORDNET), class_ids()).items():
        assert (FOLDER / name).read_bytes() == content, f"{name}: run python -m findimg.text.lexicon.build {WORDNET}"


def test_data_is_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.glob("*.[tg]*")}
    del sizes["translations.txt.gz"]  # test_translations.py limits its size
    assert sizes.pop("common_words.txt.gz") < 250_000
    assert sum(sizes.values()) < 500_000


def test_every_class_is_below_its_hypernyms(lexicon: Lexicon) -> None:
    assert lexicon.ids[:1000] == tuple("n" + offset for offset in class_ids())
    assert (lexicon.names[0][0], lexicon.names[284][0], lexicon.names[999][0]) == (
        "tench",
        "Siamese cat",
        "toilet tissue",
    )
    assert {"cat", "feline", "animal", "entity"} <= {lexicon.names[node][0] for node in lexicon.above(284)}
    assert lexicon.covers[:1000].diagonal().all()
    assert lexicon.covers.any(axis=1).all()


def test_specificity_falls_towards_the_root(lexicon: Lexicon) -> None:
    for node, parents in enumerate(lexicon.parents):
        assert all(lexicon.specific[up] < lexicon.specific[node] for up in parents)
        assert all((lexicon.covers[up] >= lexicon.covers[node]).all() for up in parents)


@pytest.mark.parametrize(
    ("plural", "single"),
    [
        ("mice", "mouse"),
        ("wolves", "wolf"),
        ("men", "man"),
        ("geese", "goose"),
        ("teeth", "tooth"),
        ("buses", "bus"),
        ("dishes", "dish"),
        ("axes", "ax"),
        ("butterflies", "butterfly"),
        ("cars", "car"),
        ("grand pianos", "grand piano"),
        ("fire engines", "fire engine"),
        ("porcupines", "porcupine"),
        ("clocks", "clock"),
        ("rings", "ring"),
    ],
)
def test_plural_has_the_senses_of_its_singular(lexicon: Lexicon, plural: str, single: str) -> None:
    assert lexicon.singular(plural) == single
    assert lexicon.senses(plural) == lexicon.senses(single) != ()


@pytest.mark.parametrize("noun", ["scissors", "glasses", "sunglasses", "binoculars", "shorts", "bus", "glass"])
def test_noun_that_looks_like_a_plural_is_not_changed(lexicon: Lexicon, noun: str) -> None:
    assert lexicon.singular(noun) == noun


@pytest.mark.parametrize(
    ("written", "noun"),
    [
        ("Fire-Engine", "fire engine"),
        ("grand_piano", "grand piano"),
        ("firetruck", "fire truck"),
        ("wild cat", "wildcat"),
    ],
)
def test_hyphens_spaces_and_case_are_ignored(lexicon: Lexicon, written: str, noun: str) -> None:
    assert lexicon.singular(written) == noun


def test_noun_without_a_class_is_below_its_hypernym(lexicon: Lexicon) -> None:
    assert "bird" in {
        lexicon.names[up][0] for s in lexicon.senses("pigeon") for n, _ in s.places for up in lexicon.above(n)
    }
    assert "place of worship" in places(lexicon, "pagoda")
    assert places(lexicon, "mandolin") == {"chordophone"}


def test_synonym_of_a_class_has_that_class(lexicon: Lexicon) -> None:
    assert [sense.places for sense in lexicon.senses("rooster")] == [((7, 0),)]


def test_most_frequent_sense_comes_first(lexicon: Lexicon) -> None:
    shares = [sense.share for sense in lexicon.senses("dog")]

    assert lexicon.names[lexicon.senses("dog")[0].places[0][0]][0] == "dog"
    assert shares[0] > 0.8
    assert sum(shares) <= 1.01


def test_abstract_noun_is_known_without_senses(lexicon: Lexicon) -> None:
    assert "music" in lexicon
    assert lexicon.senses("music") == ()
    assert "xyzzy" not in lexicon


def test_words_that_form_a_noun_are_joined(lexicon: Lexicon) -> None:
    assert lexicon.join_phrases(["grand", "piano", "sofa"]) == ["grand piano", "sofa"]
    assert lexicon.join_phrases(["cat", "sofa"]) == ["cat", "sofa"]
    assert lexicon.join_phrases(["a", "photo", "of", "fire", "engines", "at", "sea"]) == ["fire engines", "sea"]
    assert lexicon.join_phrases(["bird", "of", "paradise"]) == ["bird of paradise"]
    assert lexicon.join_phrases(["the"]) == ["the"]


def test_word_within_node_names_is_found(lexicon: Lexicon) -> None:
    assert {lexicon.names[node][0] for node in lexicon.part_of_names("Kitchen")} == {
        "kitchen appliance",
        "kitchen utensil",
    }
    assert lexicon.part_of_names("xyzzy") == []


@settings(deadline=None)  # the first look-up builds an index
@given(st.text())
def test_any_text_can_be_looked_up(text: str) -> None:
    lexicon = open_lexicon()
    lexicon.senses(text)
    lexicon.join_phrases(text.split())


def test_phrases_of_the_caller_are_joined() -> None:
    assert open_lexicon().join_phrases(["Acme", "office", "dog"], {"acme office"}) == ["Acme office", "dog"]
