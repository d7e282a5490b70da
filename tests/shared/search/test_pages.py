"""Test that the pages of an answer add up to one long answer."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from findimg.errors import QueryError
from findimg.library.library import Library
from findimg.search.answers.results import Hit
from findimg.search.query import Query, parse
from findimg.search.ranking import MAX_HITS
from findimg.search.searcher import Searcher
from findimg.text.vectors import EMBEDDED, open_words
from tests.benchmarks.made_up import publish_made_up
from tests.conftest import make_once

NOUNS = ["car", "tree", "house", "dog", "cat", "bird", "boat", "table", "bottle", "flower", "bridge", "snake", "guitar"]
NOUNS += ["fish", "clock", "horse"]


@pytest.fixture(scope="module")
def made_up(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Yield a library of 3,000 made-up images."""
    folder = make_once(tmp_path_factory, "made-up-3000", lambda folder: publish_made_up(str(folder), cache, 3000))
    searcher = Searcher(Library(str(folder), cache).open(), open_words(EMBEDDED))
    yield searcher
    searcher.close()


@pytest.fixture(scope="module")
def large(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searcher]:
    """Yield a library of 20,000 made-up images."""
    folder = make_once(tmp_path_factory, "made-up-20000", lambda folder: publish_made_up(str(folder), cache, 20_000))
    searcher = Searcher(Library(str(folder), cache).open(), open_words(EMBEDDED))
    yield searcher
    searcher.close()


def pages(searcher: Searcher, query: Query, sizes: list[int]) -> list[Hit]:
    """Return the hits of consecutive pages of some sizes."""
    hits: list[Hit] = []
    for size in sizes:
        hits += searcher.find(query, size, len(hits)).hits
    return hits


terms = st.builds(
    lambda minus, words, weight: minus + "/".join(words) + weight,
    st.sampled_from(["", "", "", "-"]),
    st.lists(st.sampled_from(NOUNS), min_size=1, max_size=2, unique=True),
    st.sampled_from(["", "", ":2", ":0.5"]),
)
filters = st.sampled_from(["", "", "in:00001", "after:2020", "date:2018", "-in:00000 before:2019", "sort:date"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(NOUNS), st.lists(terms, max_size=2), filters, st.lists(st.integers(1, 60), min_size=2, max_size=6)
)
def test_pages_of_any_size_are_one_long_answer(
    made_up: Searcher, noun: str, others: list[str], filters: str, sizes: list[int]
) -> None:
    try:
        query = parse(" ".join([noun, *others, filters]))
    except QueryError:
        assume(False)
    deep = made_up.find(query, MAX_HITS)
    assert pages(made_up, query, sizes) == deep.hits[: sum(sizes)]
    assert len({hit.item for hit in deep.hits}) == len(deep.hits)
    assert deep.total >= len(deep.hits)
    if not query.filters:
        assert deep.total == len(deep.hits)
    last = made_up.find(query, 10, len(deep.hits))
    assert (last.hits, last.total, last.note) == ([], deep.total, deep.note)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters, st.lists(st.integers(1, 60), min_size=2, max_size=6))
def test_pages_of_filters_alone_are_one_long_answer(made_up: Searcher, filters: str, sizes: list[int]) -> None:
    query = parse(filters or "sort:oldest")
    deep = made_up.find(query, 3000)
    assert pages(made_up, query, sizes) == deep.hits[: sum(sizes)]
    assert deep.total == len(deep.hits)
    dates = [hit.taken for hit in deep.hits if hit.taken]
    assert dates == sorted(dates, reverse=query.order != "oldest")
    undated = [hit.taken is None for hit in deep.hits]
    assert undated == sorted(undated), "images without a date come last"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2999), st.sampled_from(["", "in:00001"]), st.lists(st.integers(1, 60), min_size=2, max_size=6))
def test_pages_of_similar_images_are_one_long_answer(
    made_up: Searcher, item: int, filters: str, sizes: list[int]
) -> None:
    features, query = made_up.features(item), parse(filters, image=True)
    deep = made_up.similar(features, query, MAX_HITS, excluded=item)
    hits: list[Hit] = []
    for size in sizes:
        hits += made_up.similar(features, query, size, excluded=item, skip=len(hits)).hits
    assert hits == deep.hits[: sum(sizes)]
    assert item not in {hit.item for hit in deep.hits}


@pytest.mark.slow
def test_pages_of_two_words_neither_repeat_nor_skip_an_image(large: Searcher) -> None:
    for first, second in list(combinations(NOUNS, 2))[:120]:
        query = parse(f"{first} {second}")
        deep = large.find(query, 100).hits
        assert pages(large, query, [10] * 10) == deep, query.text
        assert len({hit.item for hit in deep}) == len(deep)


@pytest.mark.slow
def test_three_words_show_every_image_once_in_small_pages(large: Searcher) -> None:
    query = parse("car tree house")
    assert pages(large, query, [5] * 30) == large.find(query, 150).hits
