import pytest

from findimg.errors import QueryError
from findimg.taught.names import NameLookup, clean_name, name_key


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("lotus", "lotus"),
        ("  Berlin   office ", "Berlin office"),
        ('"our booth"', "our booth"),
        ("“R&D” lab", 'R&D" lab'),
        ("ＡＣＭＥ", "ACME"),
        ("蓮", "蓮"),
        ("<!channel>", "<!channel>"),
    ],
)
def test_name_is_kept_as_people_see_it(typed: str, name: str) -> None:
    assert clean_name(typed) == name


@pytest.mark.parametrize(
    "typed", ["", "  ", "!!!", "🙂", "a" * 61, "one two three four five six seven", "the", "of the"]
)
def test_text_that_cannot_be_a_name_is_refused(typed: str) -> None:
    with pytest.raises(QueryError):
        clean_name(typed)


@pytest.mark.parametrize(
    ("taught", "asked"),
    [
        ("lotus", "Lotus"),
        ("lotus", "lotuses"),
        ("booth", "BOOTHS"),
        ("mice", "mouse"),
        ("zebrafish", "zebrafish"),
        ("Berlin offices", "berlin office"),
        ("Zqxy", "zqxies"),
        ("Büro Berlin", "buro berlin"),
        ("t-shirt", "T shirt"),
        ("R&D", "r d"),
        ("Anna's desk", "Anna’s desk"),
        ("Наш стенд", "наш СТЕНД"),
        ("蓮", "蓮"),
        ("caf\u00e9 Müller", "cafe\u0301 muller"),
    ],
)
def test_name_is_found_in_other_spellings(taught: str, asked: str) -> None:
    assert NameLookup([name_key(taught)]).find(asked) == name_key(taught)


@pytest.mark.parametrize(
    ("taught", "asked"), [("bu", "bus"), ("glas", "glass"), ("lotus", "pond"), ("office", "offic")]
)
def test_other_words_do_not_mean_the_name(taught: str, asked: str) -> None:
    assert asked not in NameLookup([name_key(taught)])


def test_exact_name_wins_over_a_plural() -> None:
    assert NameLookup(["booth", "booths"]).find("booths") == "booths"
