import pytest

from findimg.search.query import parse
from findimg.search.terms.phrases import join_terms
from findimg.text.lexicon import open_lexicon


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("grand piano", [("grand piano",)]),
        ("a grand piano on the sofa", [("grand piano",), ("sofa",)]),
        ("grand piano or guitar", [("grand piano", "guitar")]),
        ("guitar or grand piano", [("guitar", "grand piano")]),
        ("grand piano or electric guitar", [("grand piano", "electric guitar")]),
        ("red grand piano or electric guitar stage", [("red",), ("grand piano", "electric guitar"), ("stage",)]),
        ("red car or bike", [("red",), ("car", "bike")]),
        ("dog or cat or grand piano sofa", [("dog", "cat", "grand piano"), ("sofa",)]),
        ("dog/cat grand piano", [("dog", "cat"), ("grand piano",)]),
        ('grand "piano" or guitar', [("grand",), ("piano", "guitar")]),
        ('guitar or "grand" piano', [("guitar", "grand"), ("piano",)]),
        ("grand:2 piano", [("grand",), ("piano",)]),
    ],
)
def test_words_that_name_one_thing_are_joined(text: str, joined: list[tuple[str, ...]]) -> None:
    assert [term.texts for term in join_terms(parse(text).terms, open_lexicon())] == joined


def test_labels_of_a_head_are_phrases_too() -> None:
    terms = parse("team mascot or cat").terms
    assert [term.texts for term in join_terms(terms, open_lexicon(), {"team mascot"})] == [("team mascot", "cat")]
