from datetime import date
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.library.catalog_filters import NO_FILTERS, Filters, fold, folder_part, name_part
from findimg.search.query import LONGEST, MOST_TERMS, Query, Term, filters_beside_image, parse
from findimg.search.query.filters import FIELDS, FORMATS
from findimg.text.lexicon import FILLERS

TODAY = date(2026, 11, 26)


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
        ("हिन्दी ไทย", [Term("हिन्दी"), Term("ไทย")]),
        # Punctuation means nothing
        ("cat -", [Term("cat")]),
        ("cat - dog", [Term("cat"), Term("dog")]),
        ("cat :2", [Term("cat"), Term("2")]),
        ('cat ""', [Term("cat")]),
        ('cat "fire engine', [Term("cat"), Term("fire"), Term("engine")]),
        ('"fire engine"s', [Term("fire engine", phrase=True), Term("s")]),
        ('cat"sofa"', [Term("cat"), Term("sofa", phrase=True)]),
        ("cat:", [Term("cat")]),
        ("cat:-2", [Term("cat"), Term("2")]),
        ("(cat, dog); bird!", [Term("cat"), Term("dog"), Term("bird")]),
        ("cat…dog", [Term("cat"), Term("dog")]),
        ("12,50 cat,dog", [Term("12,50"), Term("cat"), Term("dog")]),
        ("3/21/2024 10:30-11:45", [Term("3/21/2024"), Term("10:30-11:45")]),
        ("ask@acme-corp.com @cow", [Term("ask@acme-corp.com"), Term("cow")]),
        ("cat#dog #bird @cow", [Term("cat"), Term("dog"), Term("bird"), Term("cow")]),
        ("U.S.A. 3.5", [Term("U.S.A"), Term("3.5")]),
    ],
)
def test_words_phrases_negations_and_weights(text: str, terms: list[Term]) -> None:
    assert parse(text) == Query(text.strip(), tuple(terms))


def either(first: str, *others: str, weight: float = 1.0) -> Term:
    return Term(first, weight, alternatives=tuple(Term(other) for other in others))


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("cat not dog", [Term("cat"), Term("dog", -1)]),
        ("cat NOT dog", [Term("cat"), Term("dog", -1)]),
        ("cat but not a dog", [Term("cat"), Term("dog", -1)]),
        ("cat, not the dog", [Term("cat"), Term("dog", -1)]),
        ("cat without dogs", [Term("cat"), Term("dogs", -1)]),
        ("Katze ohne Hund", [Term("Katze"), Term("Hund", -1)]),
        ("chat sans chien", [Term("chat"), Term("chien", -1)]),
        ("gato sin perro", [Term("gato"), Term("perro", -1)]),
        ("кот без собаки", [Term("кот"), Term("собаки", -1)]),
        ("Katze oder Hund", [Term("Katze", alternatives=(Term("Hund"),))]),
        ("chat ou chien", [Term("chat", alternatives=(Term("chien"),))]),
        ("sans serif", [Term("sans"), Term("serif")]),
        ("comic sans", [Term("comic"), Term("sans")]),
        ("cell SEM image", [Term("cell"), Term("SEM"), Term("image")]),
        ("cat w/o dog", [Term("cat"), Term("dog", -1)]),
        ("animals except cats", [Term("animals"), Term("cats", -1)]),
        ('cat not "fire engine"', [Term("cat"), Term("fire engine", -1, phrase=True)]),
        ("cat not dog bird", [Term("cat"), Term("dog", -1), Term("bird")]),
        ("cat not -dog", [Term("cat"), Term("dog", -1)]),
        ("not dog cat", [Term("dog", -1), Term("cat")]),
        ("cat not", [Term("cat"), Term("not")]),
        ('cat "not" dog', [Term("cat"), Term("not", phrase=True), Term("dog")]),
        ("dog & cat", [Term("dog"), Term("cat")]),
        ("dog&cat", [Term("dog"), Term("cat")]),
        ("AT&T R&D", [Term("AT&T"), Term("R&D")]),
        ("dog + cat", [Term("dog"), Term("cat")]),
        ("dog+cat", [Term("dog"), Term("cat")]),
        ("+dog +cat", [Term("dog"), Term("cat")]),
        ("dog && cat", [Term("dog"), Term("cat")]),
        ("dog or cat", [either("dog", "cat")]),
        ("dog OR cat", [either("dog", "cat")]),
        ("dog | cat", [either("dog", "cat")]),
        ("dog|cat", [either("dog", "cat")]),
        ("dog || cat", [either("dog", "cat")]),
        ("dog/cat", [either("dog", "cat")]),
        ("dog / cat", [either("dog", "cat")]),
        ("dog and/or cat", [either("dog", "cat")]),
        ("dog or a cat or the bird", [either("dog", "cat", "bird")]),
        ("red car or bike now", [Term("red"), either("car", "bike"), Term("now")]),
        ("sofa dog/cat/bird", [Term("sofa"), either("dog", "cat", "bird")]),
        ('dog or "fire engine"', [Term("dog", alternatives=(Term("fire engine", phrase=True),))]),
        ("dog:2 or cat:3 bird", [either("dog", "cat", weight=2), Term("bird")]),
        ("sofa not dog or cat", [Term("sofa"), either("dog", "cat", weight=-1)]),
        ("sofa -dog/cat", [Term("sofa"), either("dog", "cat", weight=-1)]),
        ("sofa -(dog or cat)", [Term("sofa"), either("dog", "cat", weight=-1)]),
        ("dog or -cat", [Term("dog"), Term("cat", -1)]),
        ("or dog or", [Term("dog")]),
        ("dog or or cat", [either("dog", "cat")]),
        ('dog "or" cat', [Term("dog"), Term("or", phrase=True), Term("cat")]),
    ],
)
def test_and_or_and_not_are_operators(text: str, terms: list[Term]) -> None:
    assert parse(text).terms == tuple(terms)


def test_a_term_names_all_of_its_alternatives() -> None:
    (term,) = parse('dog or "fire engine" or bird').terms
    assert term.texts == ("dog", "fire engine", "bird")


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("in:2024/party", Filters(folders=("2024/party",))),
        ('IN:"My Photos" in:b', Filters(folders=("my photos", "b"))),
        ("in:'my \"best\" photos'", Filters(folders=('my "best" photos',))),
        ('in:"anna\'s photos"', Filters(folders=("anna's photos",))),
        ("in:“anna’s photos”", Filters(folders=("anna's photos",))),
        ("in:“🎉 party” in::a:", Filters(folders=("🎉 party", ":a:"))),
        ("in:‘anna’s photos’", Filters(folders=("anna's photos",))),
        ('in:"my \\"best\\" photos"', Filters(folders=('my "best" photos',))),
        ("in: cup", Filters(folders=("cup",))),
        ("in:50%\\ off", Filters(folders=("50% off",))),
        ("in:./src", Filters(folders=("/src",))),
        ("in:~/src", Filters(folders=("/src",))),
        ("in:src//", Filters(folders=("src/",))),
        ("in:*2024*", Filters(folders=("2024",))),
        ("in:C:\\x", Filters(folders=("c:\\x",))),
        ("in:s3://bucket//a", Filters(folders=("s3://bucket//a",))),
        ("name:*.jpg", Filters(names=(".jpg",))),
        ("ｉｎ：ｃｕｐ", Filters(folders=("cup",))),
        ("in:cup(1)", Filters(folders=("cup(1)",))),
        ('in:"please come"', Filters(folders=("please come",))),
        ('in:"if you please come"', Filters(folders=("if you please come",))),
        ("in：cup", Filters(folders=("cup",))),
        ("(in:cup, type:png)", Filters(folders=("cup",), formats=("PNG",))),
        ("in:s3://bucket/a:b", Filters(folders=("s3://bucket/a:b",))),
        ("in:E\u0301", Filters(folders=("e",))),
        ("-in:cup", Filters(not_folders=("cup",))),
        ("–in:cup –in:bowl", Filters(not_folders=("cup", "bowl"))),
        ("not in:cup", Filters(not_folders=("cup",))),
        ('-in:"my photos"', Filters(not_folders=("my photos",))),
        ("name:IMG_1234", Filters(names=("img_1234",))),
        ('name:"sun set" -name:copy', Filters(names=("sun set",), not_names=("copy",))),
        ("type:png Type:JPG", Filters(formats=("PNG", "JPEG", "MPO"))),
        ("type:.png", Filters(formats=("PNG",))),
        ("-type:gif", Filters(not_formats=("GIF",))),
        ("before:2024-06-01", Filters(before=date(2024, 6, 1))),
        ('after:2023-02-28 before:"2024-06-01"', Filters(after=date(2023, 2, 28), before=date(2024, 6, 1))),
        ("before:2020", Filters(before=date(2020, 1, 1))),
        ("after:2024-06", Filters(after=date(2024, 6, 1))),
        ("after:2024–06–15", Filters(after=date(2024, 6, 15))),
        ("after:June", Filters(after=date(2026, 6, 1))),
        ("after:June 2024", Filters(after=date(2024, 6, 1))),
        ("after:1 June 2024,", Filters(after=date(2024, 6, 1))),
        ('before:"last week"', Filters(before=date(2026, 11, 16))),
        ("before:last week", Filters(before=date(2026, 11, 16))),
        ("before:yesterday", Filters(before=date(2026, 11, 25))),
        ("date:2024", Filters(after=date(2024, 1, 1), before=date(2025, 1, 1))),
        ("date:today", Filters(after=date(2026, 11, 26), before=date(2026, 11, 27))),
        ("date:2024-06-01..2024-07-01", Filters(after=date(2024, 6, 1), before=date(2024, 7, 2))),
        ("date:2024-06-01 .. 2024-07-01", Filters(after=date(2024, 6, 1), before=date(2024, 7, 2))),
        ("date:2024.. before:2025-03", Filters(after=date(2024, 1, 1), before=date(2025, 3, 1))),
    ],
)
def test_filters_restrict_words_and_work_alone(text: str, filters: Filters) -> None:
    assert parse(f"cat {text}", today=TODAY) == Query(f"cat {text}", (Term("cat"),), filters)
    assert parse(f"{text} cat", today=TODAY) == Query(f"{text} cat", (Term("cat"),), filters)
    assert parse(text, today=TODAY) == Query(text, (), filters)


@pytest.mark.parametrize(
    ("text", "order"),
    [("sort:date", "newest"), ("Sort:newest", "newest"), ("sort:oldest", "oldest"), ("sort:best in:a", "best")],
)
def test_query_can_set_the_order(text: str, order: str) -> None:
    assert parse(text).order == order
    assert parse(f"cat {text}").order == order


def test_relative_dates_need_the_current_day() -> None:
    assert parse("cat before:2020").filters == Filters(before=date(2020, 1, 1))
    assert parse("cat before:June 2020").filters == Filters(before=date(2020, 6, 1))
    for text in ("before:yesterday", "after:June", "date:monday"):
        with pytest.raises(QueryError, match=r" is not a date\. Write it as `\w+:2024-06-01` or `2024`\.$"):
            parse(f"cat {text}")


def test_like_takes_a_uri_with_class_and_filters() -> None:
    uri = "s3://bucket/ a  b/e\u0301%20:x ’–🍕.jpg"
    assert parse(f'like:"{uri}" class:"siamese  cat" in:a') == Query(
        f'like:"{uri}" class:"siamese  cat" in:a', (), Filters(folders=("a",)), uri, "siamese cat"
    )
    assert parse("like:/a/b–c.jpg, in:a").like == "/a/b–c.jpg,"
    assert parse("please show me like:“/a please b.jpg”").like == "/a please b.jpg"
    assert parse('like:"/a ‘b’/“c”.jpg"').like == "/a ‘b’/“c”.jpg"


def test_uri_with_quotation_marks_is_written_without_blanks() -> None:
    assert parse('like:/a/"b".jpg').like == '/a/"b".jpg'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("like:a at the beach", "at the beach"),
        ("similar ones at the beach -dog like:a", "at the beach -dog"),
        ('like:a "red car" people looking up', '"red car" people looking up'),
        ("like:a not a dog", "-dog"),
    ],
)
def test_words_beside_like_are_terms(text: str, expected: str) -> None:
    found = parse(text)
    assert found.like == "a"
    assert found.terms == (parse(f"x {expected}").terms[1:])


def test_attached_image_replaces_like() -> None:
    assert parse("", image=True) == Query("")
    assert parse("class:tabby type:png", image=True).of_class == "tabby"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cat colour:red", r"`colour:` is not a filter\. The filters are in:, name:, before:"),
        ("cat width:>500", r"`width:` is not a filter\."),
        ("cat:0", "`cat:0`: a weight is more than 0 and at most 100"),
        ("cat:101", "`cat:101`: a weight is more than 0 and at most 100"),
        ("cat:" + "9" * 500, "`cat:9{19}`: a weight is more than 0 and at most 100"),
        ("cat in:", "in: needs a value, as in `in:2024/party`"),
        ('cat type:""', "type: needs a value, as in `type:png`"),
        ('like:" "', "like: needs a value, as in `like:<uri>`"),
        ('like:x class:"\u200b"', "class: needs a value"),
        ("cat type:psd", "`type:psd`: type: takes one of jpg, jpeg, png"),
        ("cat sort:size", "`sort:size`: sort: takes one of date, newest, oldest, best"),
        (
            "cat before:soon",
            "`before:soon` is not a date. Write it as `before:2024-06-01`, `2024`, `June` or `yesterday`",
        ),
        ("cat after:2023-02-29", "`after:2023-02-29` is not a date"),
        ("cat -before:2020", "`-before:2020`: before: has no opposite. Leave out the minus"),
        ("cat after:2023-01-01 after:2023-01-02", "`after:2023-01-02`: the query has after: twice"),
        ("like:a like:b", "`like:b`: the query has like: twice"),
        ("after:2024 before:2023", "No day is both after 2024-01-01 and before 2023-01-01. Change one of the dates"),
        ("like:a sort:date", "Similar images come in the order of their similarity. Leave out sort:"),
        ("cat class:tabby", "class: goes with an image, as in `like:<uri> class:"),
        ("like:a class:tabby cat dog", "The query has class: and words. Leave out class: or `cat`"),
        ("cat " * MOST_TERMS + "dog", "The query has 21 words. Leave out all but 20"),
        ("https://example.com/x.jpg", "`https://example.com/x.jpg` is an address. Use like: with the URI"),
        ("cat www.example.com", "`www.example.com` is an address"),
    ],
)
def test_error_names_the_part_and_the_correction(text: str, problem: str) -> None:
    with pytest.raises(QueryError, match=problem):
        parse(text, today=TODAY)


@pytest.mark.parametrize("text", ["", "  ", "-dog", "not dog", "\u200b", "?", "or", ":smile:", "-", '""'])
def test_empty_query_gets_an_example(text: str) -> None:
    with pytest.raises(QueryError, match=r"^Say what to look for, such as `cat sofa`"):
        parse(text)


def test_image_query_without_words() -> None:
    with pytest.raises(QueryError, match=r"^A search for similar images takes .* Leave out `cat`\.$"):
        parse("cat", image=True)
    with pytest.raises(QueryError, match=r"^The query comes with an image and has like: too\. Leave out one"):
        parse("type:png like:a", image=True)


@pytest.mark.parametrize("text", ["similar", "more like this one please", "find similar pictures", "show me the same"])
def test_words_that_point_at_the_image_are_ignored(text: str) -> None:
    assert parse(text, image=True).terms == ()
    assert parse(f"{text} like:/a.jpg in:b") == Query(f"{text} like:/a.jpg in:b", (), Filters(("b",)), "/a.jpg")


def test_too_long_or_invalid_text_is_refused() -> None:
    assert parse("x" * LONGEST).terms[0].text == "x" * LONGEST
    with pytest.raises(QueryError, match=r"^The query has 1001 characters\. Shorten it to 1000\.$"):
        parse("x" * (LONGEST + 1))
    with pytest.raises(QueryError, match=r"^Character 10 of the query is not valid text\. Type it again\.$"):
        parse("like:/tmp\udcff")


fields = [*(f"{name}:" for name in FIELDS), "Like:", "claſs:", "ın:", "-in:"]
pieces = ["-", ":", '"', "'", "“", "”", "«", "「", "’", " ", "\t", "\n", "\x1f", "\u200b", "\u200f", "\u202e", "\u2028"]
pieces += ["\ufeff", "\ud800", "cat", "2", "0.5", "2024-06-01", "june", "ago", "..", "png", "s3://b/k", "＂", "：", "ﷺ"]
pieces += [
    "\u0301",
    "٣",
    "\0",
    "\\",
    "<",
    "|",
    "/",
    " or ",
    " not ",
    "—",
    "–",
    "🍕",
    "\u200d",
    ":pizza:",
    "please",
    "hi ",
]
hostile = st.lists(st.sampled_from(fields + pieces) | st.characters(), max_size=25).map("".join)


@settings(max_examples=1500, deadline=None)
@given(hostile | st.text(max_size=LONGEST + 5), st.booleans(), st.none() | st.dates())
def test_any_text_gives_a_query_or_a_query_error(text: str, image: bool, today: date | None) -> None:
    try:
        query = parse(text, image, today)
    except QueryError as error:
        message = str(error)
        if "At character" in message or not message.endswith("."):
            pytest.fail(message)
        return
    asked = any(term.weight > 0 for term in query.terms) or query.filters or query.order != "best"
    assert image or query.like or asked
    assert all(text and text == text.strip() for term in query.terms for text in term.texts)
    assert query.like != ""
    assert query.of_class != ""
    query.text.encode()


words = st.text("bcxyzéß猫", min_size=2, max_size=8).filter(lambda word: word not in FILLERS)
weights = st.sampled_from([1, 0.5, 2, 10.25, 100])
terms = st.builds(
    lambda parts, size, minus: Term(" ".join(parts), -size if minus else size, phrase=len(parts) > 1),
    st.lists(words, min_size=1, max_size=3),
    weights,
    st.booleans(),
)
folders = st.text("abA/%_.:- é'", min_size=1, max_size=9).map(str.strip).filter(bool)


def written(term: Term) -> str:
    text = f'"{term.text}"' if term.phrase else term.text
    return "-" * (term.weight < 0) + text + (f":{abs(term.weight)}" if abs(term.weight) != 1 else "")


@settings(max_examples=300, deadline=None)
@given(
    asked=st.lists(terms, max_size=6).filter(lambda each: not each or any(term.weight > 0 for term in each)),
    inside=st.lists(folders, min_size=1, max_size=2),
    outside=st.lists(folders, max_size=2),
    name=st.none() | folders,
    dates=st.none() | st.tuples(st.dates(), st.dates()).filter(lambda pair: pair[0] < pair[1]),
    form=st.none() | st.sampled_from(sorted(FORMATS)),
)
def test_formatted_query_parses_to_the_same_query(
    asked: list[Term],
    inside: list[str],
    outside: list[str],
    name: str | None,
    dates: tuple[date, date] | None,
    form: str | None,
) -> None:
    parts = [written(term) for term in asked] + [f'in:"{folder}"' for folder in inside]
    parts += [f'-in:"{folder}"' for folder in outside] + [f'name:"{name}"'] * (name is not None)
    parts += [f"after:{dates[0]} before:{dates[1]}"] if dates else []
    parts += [f"type:{form}"] * (form is not None)
    text = " ".join(parts)
    filters = Filters(
        folders=tuple(map(folder_part, inside)),
        not_folders=tuple(map(folder_part, outside)),
        names=(name_part(name),) if name else (),
        after=dates[0] if dates else None,
        before=dates[1] if dates else None,
        formats=FORMATS[form] if form else (),
    )
    assert parse(text) == Query(text, tuple(asked), filters)


@pytest.mark.parametrize("text", ["photos in:cup", "in:cup the pictures of", "images -in:cup"])
def test_function_words_beside_a_filter_are_left_out(text: str) -> None:
    assert parse(text).terms == ()
    assert parse(text).filters


def test_folder_is_found_in_every_spelling() -> None:
    path = PurePosixPath("/Photos/Ｆête “été”").as_posix()
    assert parse("in:'fe\u0302te \"ÉTÉ\"'").filters.folders[0] in fold(path)


def test_empty_filters_are_false() -> None:
    assert parse("cat").filters == NO_FILTERS


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("in:pizza", 'in:"pizza"'),
        ("zebra in:cup", 'in:"cup"'),
        ("in:cup please, the zebra", 'in:"cup"'),
        ("type:png after:2024-01-01 sofa -cat", 'type:"png" after:"2024-01-01"'),
        ("not in:cup", '-in:"cup"'),
        ('in:"my cup" zebra', 'in:"my cup"'),
        ('class:"siamese cat" zebra', 'class:"siamese cat"'),
        ("in:cup sort:newest like:/a/b.jpg", 'in:"cup"'),
        ("look at this!", ""),
        ("in:cup type:nonsense", ""),
        ("class:", ""),
        ("https://example.com in:cup", ""),
        ("", ""),
    ],
)
def test_only_filters_count_beside_an_image(text: str, filters: str) -> None:
    assert filters_beside_image(text, TODAY) == filters
    if filters:
        again = parse(filters, image=True, today=TODAY)
        assert again.terms == ()
        assert again.filters or again.of_class
