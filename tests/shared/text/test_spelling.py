import pytest

from findimg.text.spelling import did_you_mean, intended_spelling, nearest_spellings

KNOWN = ["cat", "elephant", "dog", "sofa", "soda", "strawberry", "lamp", "lump", "bicycle", "tench"]
RANKS = [100, 500, 90, 4000, 3900, 8000, 2000, 30_000, 3000, 40_000]


@pytest.mark.parametrize(
    ("word", "intended"),
    [
        ("elephantx", "elephant"),
        ("Elehpant", "elephant"),
        ("strawbery", "strawberry"),
        ("bycicle", "bicycle"),
        ("lxmp", "lamp"),  # "lump" is as near but much rarer
        ("sota", None),  # sofa or soda
        ("catt", "cat"),
        ("ct", None),  # too short
        ("elpant", None),  # two mistakes in a short word
        ("zzzzzzzz", None),
    ],
)
def test_only_an_unambiguous_spelling_is_corrected(word: str, intended: str | None) -> None:
    assert intended_spelling(word, KNOWN, RANKS) == intended


def test_number_of_mistakes_is_limited() -> None:
    assert intended_spelling("bycicle", KNOWN, RANKS, mistakes=1) is None


def test_suggestions_are_ordered_by_similarity() -> None:
    assert nearest_spellings("Sofda", KNOWN)[:2] == ["sofa", "soda"]
    assert did_you_mean(["sofa", "soda"]) == " Did you mean sofa or soda?"
    assert did_you_mean([]) == " Check its spelling, or use a more common word."
