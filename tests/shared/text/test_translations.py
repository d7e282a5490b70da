import gzip
from pathlib import Path

import pytest

from findimg.text.lexicon import FOLDER, open_lexicon
from findimg.text.lexicon.build import WordNet
from findimg.text.lexicon.build_translations import Frequencies, build
from findimg.text.lexicon.folding import fold_accents, fold_case
from findimg.text.lexicon.translations import FILE, Translations, open_translations

DATA = (
    "\t".join(["banana", "cat", "chair", "dog"]).encode()
    + (
        "\n"
        "broken\tstrange\n"
        "chat\t\t1!\tfr\n"
        "gato\t\t1\tes gl pt\n"
        "hund\t\t3\tda de\n"
        "platano\tplátano\t0\tes\n"
        "silla\t\t2*\tes\n"
        "会\t\t2\tja\n"
        "犬\t\t3\tja zh\n"
        "犬猫\t\t1\tja\n"
        "猫\t\t1\tja zh\n"
        "猫椅子\t\t2\tja\n"
    ).encode()
)


@pytest.fixture
def translations() -> Translations:
    return Translations(DATA)


@pytest.mark.parametrize(
    ("word", "english"),
    [
        ("gato", ["cat"]),
        ("GATO", ["cat"]),
        ("gatos", ["cat"]),
        ("Hunde", ["dog"]),
        ("plátano", ["banana"]),
        ("platano", ["banana"]),
        ("pla\u0301tano", ["banana"]),
        ("gáto", ["cat"]),
        ("猫", ["cat"]),
        ("ga", []),
        ("", []),
        ("zzz", []),
        ("\udcff", []),
        ("\t", []),
    ],
)
def test_words_are_found_without_case_and_accents(translations: Translations, word: str, english: list[str]) -> None:
    assert [each.english for each in translations.look_up(word)] == english


def test_plural_is_not_translated_if_it_is_an_english_word(translations: Translations) -> None:
    assert translations.look_up("gatos", plurals=False) == []


def test_words_for_no_noun_are_english(translations: Translations) -> None:
    assert translations.is_english("broken")
    assert translations.is_english("Strange")
    assert not translations.is_english("gato")


def test_marks_are_read(translations: Translations) -> None:
    (chat,), (silla,) = translations.look_up("chat"), translations.look_up("silla")
    assert (chat.is_english_word, chat.beats_english) == (True, False)
    assert (silla.is_english_word, silla.beats_english) == (False, True)
    assert chat.languages == {"fr"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("猫", ["猫"]),
        ("犬と猫", ["犬", "猫"]),
        ("猫 犬", ["猫", "犬"]),
        ("black猫", ["black", "猫"]),
        ("とと", ["とと"]),
        ("犬猫椅子", ["犬", "猫椅子"]),
        ("犬猫と会", ["犬猫", "会"]),
        ("gato", ["gato"]),
        ("", [""]),
    ],
)
def test_scripts_without_spaces_are_split(translations: Translations, text: str, parts: list[str]) -> None:
    assert translations.split(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("株式会社と猫", ["株式会社", "猫"]),
        ("猫株式会社", ["猫", "株式会社"]),
        ("会猫", ["会", "猫"]),
        ("株式猫", ["株式", "猫"]),
        ("未知犬猫", ["犬猫"]),
    ],
)
def test_unknown_words_between_known_ones_stay_if_they_are_written(
    translations: Translations, text: str, parts: list[str]
) -> None:
    written = {"株式会社", "株式", "会社", "会猫"}
    assert translations.split(text, written.__contains__) == parts


@pytest.mark.parametrize(
    ("word", "key"), [("Sofá", "sofa"), ("ŁÓŻKO", "lozko"), ("Straße", "strasse"), ("ガ", "ガ"), ("чайка", "чайка")]
)
def test_accents_are_folded_and_distinct_letters_kept(word: str, key: str) -> None:
    assert fold_accents(fold_case(word)) == key


def test_most_probable_synset_decides() -> None:
    folder = next((path for path in map(Path, ("/usr/share/wordnet", "/usr/share/wordnet-3.0")) if path.is_dir()), None)
    if folder is None:
        pytest.skip("no WordNet 3.0 files on this machine (Debian: wordnet-base): the translations are not built")
    dog, hammer = "02084071", "03481824"
    rows = [("fr", "chien", [hammer, dog]), ("de", "Hund", [dog]), ("fr", "amour", ["07543288"])]
    built = Translations(build(WordNet(folder), frozenset(), rows, Frequencies()))
    assert [each.english for each in built.look_up("chien")] == ["dog"]
    assert built.look_up("amour") == []


def test_every_translation_is_a_visible_noun_of_the_lexicon() -> None:
    first = gzip.decompress((FOLDER / FILE).read_bytes()).partition(b"\n")[0].decode().split("\t")
    lexicon = open_lexicon()
    assert [noun for noun in first if not lexicon.senses(noun)] == []
    assert len(open_translations()) > 100_000


def test_data_is_small_and_its_licence_is_beside_it() -> None:
    assert (FOLDER / FILE).stat().st_size < 1_200_000
    licence = (FOLDER / "LICENSE.translations").read_text()
    for text in ("CC BY-SA 3.0", "CC BY-SA 4.0", "Wiktionary", "Unicode-3.0", "CLDR", "Ryan Foster", "wordfreq"):
        assert text in licence
