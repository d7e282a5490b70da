import re
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.library.catalog import Filters
from findimg.search.query import FORMATS, LONGEST, MOST_TERMS, Query, Term, parse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("cat sofa", [Term("cat"), Term("sofa")]),
        ("  cat\t\nsofa ", [Term("cat"), Term("sofa")]),
        ('"fire engine"', [Term("fire engine", phrase=True)]),
        ("“fire engine” «fire  engine» „fire\nengine“", [Term("fire engine", phrase=True)] * 3),
        ("cat -dog", [Term("cat"), Term("dog", -1)]),
        ('cat -"fire engine"', [Term("cat"), Term("fire engine", -1, phrase=True)]),
        ("cat:2 sofa", [Term("cat", 2), Term("sofa")]),
        ('cat -dog:0.5 "fire engine":3', [Term("cat"), Term("dog", -0.5), Term("fire engine", 3, phrase=True)]),
        ("t-shirt rock'n'roll in", [Term("t-shirt"), Term("rock'n'roll"), Term("in")]),
        ("ｃａｔ cafe\u0301 ﬁre", [Term("cat"), Term("café"), Term("fire")]),
        ("c\u200ba\u200dt \u202etac\u202c \u200b", [Term("cat"), Term("tac")]),
        ("claſs:2", [Term("class", 2)]),
    ],
)
def test_words_phrases_negations_and_weights(text: str, terms: list[Term]) -> None:
    assert parse(text) == Query(text.strip(), tuple(terms))


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("in:2024/party", Filters(folders=("2024/party",))),
        ('IN:"my photos" in:b', Filters(folders=("my photos", "b"))),
        ("in:s3://bucket/a:b", Filters(folders=("s3://bucket/a:b",))),
        ("in:e\u0301", Filters(folders=("e\u0301",))),
        ("before:2024-06-01", Filters(before=date(2024, 6, 1))),
        ('after:2023-02-28 before:"2024-06-01"', Filters(after=date(2023, 2, 28), before=date(2024, 6, 1))),
        ("type:png Type:JPG", Filters(formats=("PNG", "JPEG", "MPO"))),
    ],
)
def test_filters_narrow_words_down(text: str, filters: Filters) -> None:
    assert parse(f"cat {text}") == Query(f"cat {text}", (Term("cat"),), filters)


def test_likeness_takes_a_uri_as_it_stands_with_a_class_and_filters() -> None:
    uri = "s3://bucket/ a  b/e\u0301%20:x.jpg"
    assert parse(f'like:"{uri}" class:"siamese  cat" in:a') == Query(
        f'like:"{uri}" class:"siamese  cat" in:a', (), Filters(folders=("a",)), uri, "siamese cat"
    )
    assert parse('like:/a/"b".jpg').like == '/a/"b".jpg'


def test_an_image_stands_in_the_place_of_like() -> None:
    assert parse("", image=True) == Query("")
    assert parse("class:tabby type:png", image=True).of_class == "tabby"


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("cat -", 5, "a word is missing; a minus stands before it"),
        ("cat - dog", 5, "a word is missing; a minus stands before it"),
        ("cat :2", 5, "a word is missing; .* a colon after it, without a space"),
        ('cat ""', 5, "a word is missing"),
        ('cat "fire engine', 5, "a quotation mark is not closed"),
        ('"fire engine"s', 1, "a space must follow the closing quotation mark"),
        ('in:"a"b cat', 1, "a space must follow the closing quotation mark"),
        ('cat"sofa"', 1, "a space must stand before a quotation mark"),
        ("cat sofa:-2", 5, "after a colon goes a weight, as in cat:2, and before it one of in:, before:"),
        ("cat colour:red", 5, "after a colon goes a weight"),
        ("cat:", 1, "after a colon goes a weight"),
        ("cat:0", 1, "a weight is more than 0 and at most 100"),
        ("cat:101", 1, "a weight is more than 0 and at most 100"),
        ("cat:" + "9" * 500, 1, "a weight is more than 0 and at most 100"),
        ("cat -in:x", 5, "in: cannot be negated; leave out the minus"),
        ("cat in: x", 5, "something must follow in: without a space"),
        ('cat type:""', 5, "something must follow type:"),
        ('like:" "', 1, "something must follow like:"),
        ('like:x class:"\u200b"', 8, "something must follow class:"),
        ("cat type:psd", 5, "type: takes one of jpg, jpeg, png"),
        ("cat before:june", 5, "before: takes a day like 2024-06-01"),
        ("cat after:2023-02-29", 5, "after: takes a day like 2024-06-01"),
        ("cat after:2023-01-01 after:2023-01-02", 22, "after: can stand only once"),
        ("like:a like:b", 8, "like: can stand only once"),
        ("cat class:tabby", 5, "class: goes with an image, as in `like:<uri> class:"),
        ("like:a in:b cat dog", 13, "likeness goes with class: and filters, not with words; leave them out"),
        ("cat " * MOST_TERMS + "dog", 81, "20 words are the most; leave out the others"),
    ],
)
def test_an_error_points_at_its_place(text: str, place: int, problem: str) -> None:
    shown = re.escape(text[place - 1 :].split()[0][:60])
    with pytest.raises(QueryError, match=rf"^At character {place}, `{shown}`: {problem}.*\.$"):
        parse(text)


@pytest.mark.parametrize("text", ["", "  ", "-dog", "in:2024", "type:png -dog", "\u200b"])
def test_a_query_that_asks_for_nothing_is_told_how_to_ask(text: str) -> None:
    with pytest.raises(QueryError, match=r"^Say what to look for, such as `cat sofa`"):
        parse(text)


def test_an_image_is_asked_about_alone() -> None:
    with pytest.raises(QueryError, match=r"^At character 1, `cat`: likeness goes with"):
        parse("cat", image=True)
    with pytest.raises(QueryError, match=r"^At character 10, `like:a`: an image was given already"):
        parse("type:png like:a", image=True)


def test_what_is_too_long_or_no_text_is_refused() -> None:
    assert parse("x" * LONGEST).terms[0].text == "x" * LONGEST
    with pytest.raises(QueryError, match=r"^The query has 1001 characters; shorten it to 1000\.$"):
        parse("x" * (LONGEST + 1))
    with pytest.raises(QueryError, match=r"^Character 10 of the query is no text; type it again\.$"):
        parse("like:/tmp\udcff")


fields = ["in:", "before:", "after:", "type:", "like:", "class:", "Like:", "claſs:", "ın:"]
pieces = [
    "-",
    ":",
    '"',
    "“",
    "”",
    "«",
    " ",
    "\t",
    "\n",
    "\x1f",
    "\u200b",
    "\u200f",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\ud800",
]
pieces += ["cat", "2", "0.5", "2024-06-01", "png", "s3://b/k", "＂", "：", "ﷺ", "\u0301", "٣", "\0", "\\", "<", "|"]
hostile = st.lists(st.sampled_from(fields + pieces) | st.characters(), max_size=25).map("".join)


@settings(max_examples=1500, deadline=None)
@given(hostile | st.text(max_size=LONGEST + 5), st.booleans())
def test_any_text_gives_a_query_or_a_query_error(text: str, image: bool) -> None:
    try:
        query = parse(text, image)
    except QueryError:
        return
    assert image or query.like or any(term.weight > 0 for term in query.terms)
    assert all(term.text and term.text == term.text.strip() for term in query.terms)
    assert query.like != ""
    assert query.of_class != ""
    query.text.encode()


words = st.text("abcxyzéß猫'", min_size=1, max_size=8)
weights = st.sampled_from([1, 0.5, 2, 10.25, 100])
terms = st.builds(
    lambda parts, size, minus: Term(" ".join(parts), -size if minus else size, phrase=len(parts) > 1),
    st.lists(words, min_size=1, max_size=3),
    weights,
    st.booleans(),
)
folders = st.text("abA/%_.:- é", min_size=1, max_size=9).filter(str.strip)


def written(term: Term) -> str:
    text = f'"{term.text}"' if term.phrase else term.text
    return "-" * (term.weight < 0) + text + (f":{abs(term.weight)}" if abs(term.weight) != 1 else "")


@settings(max_examples=300, deadline=None)
@given(
    asked=st.lists(terms, min_size=1, max_size=6).filter(lambda each: any(term.weight > 0 for term in each)),
    inside=st.lists(folders, max_size=2),
    before=st.none() | st.dates(),
    after=st.none() | st.dates(),
    form=st.none() | st.sampled_from(sorted(FORMATS)),
)
def test_what_is_written_out_is_read_back(
    asked: list[Term], inside: list[str], before: date | None, after: date | None, form: str | None
) -> None:
    parts = [written(term) for term in asked] + [f'in:"{folder}"' for folder in inside]
    parts += [f"before:{before}"] * (before is not None) + [f"after:{after}"] * (after is not None)
    parts += [f"type:{form}"] * (form is not None)
    text = " ".join(parts)
    filters = Filters(tuple(inside), before, after, FORMATS[form] if form else ())
    assert parse(text) == Query(text, tuple(asked), filters)
