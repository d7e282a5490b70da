"""Search with taught names, on the sample photographs and on the 1,400 labelled ones."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from findimg.errors import QueryError, StorageError
from findimg.library.library import Library
from findimg.search.answers.results import Answer
from findimg.search.query import parse
from findimg.search.searcher import Searcher
from findimg.search.taught.examples import indexed_example
from findimg.search.taught.follower import TaughtFollower
from findimg.storage.base import open_storage
from findimg.taught.events import Event, Example, new_action, new_cancel, new_example, parse_event
from findimg.taught.log import TaughtLog
from findimg.taught.state import merge
from findimg.text.vectors import EMBEDDED, open_words

NAMES_OF_CLASSES = """
accordion airplane barrel butterfly camera cannon car chair crab crocodile cup dolphin elephant flamingo kangaroo lamp
laptop leopard lobster motorbike panda pizza rooster saxophone starfish strawberry umbrella
"""


def opened(library: str, cache: Path) -> Searcher:
    return Searcher(Library(library, cache).open(), open_words(EMBEDDED))


@pytest.fixture
def searcher(library: str, cache: Path) -> Iterator[Searcher]:
    searcher = opened(library, cache)
    yield searcher
    searcher.close()


@pytest.fixture(scope="module")
def photo_searcher(photo_library: str, cache: Path) -> Iterator[Searcher]:
    searcher = opened(photo_library, cache)
    yield searcher
    searcher.close()


def event(name: str, example: Example, shows: bool = True) -> Event:
    new = new_example("T1/U1", new_action(), name, shows, example)
    return parse_event(new.key, new.data)


def sample(searcher: Searcher, stem: str) -> Example:
    uri = next(row.uri for row in searcher.catalog.rows(range(searcher.manifest.images)) if Path(row.uri).stem == stem)
    return indexed_example(searcher, searcher.look_up(uri)[0])


def first(searcher: Searcher, text: str) -> str:
    return Path(searcher.find(parse(text), 1).hits[0].uri).stem


def rows(answer: Answer) -> list[tuple[str, float]]:
    return [(hit.uri, hit.score) for hit in answer.hits]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("zqxbot", "zqxbot"),
        ("zqxbot", "ZQXBOTs"),
        ("our zqx booth", "photos of our zqx booth"),
        ("Berlin office", "berlin offices"),
        ("Büro Berlin", '"buro berlin"'),
        ("наш стенд", "Наш стенд"),
        ("蓮", "蓮の写真"),
        ("غرفة الاجتماعات", "غرفة الاجتماعات"),
        ("R&D", "R&D"),
        ("zqx or zqy", '"zqx or zqy"'),
    ],
)
def test_taught_name_finds_its_example_first(searcher: Searcher, name: str, asked: str) -> None:
    searcher.use_taught(merge([event(name, sample(searcher, "rocket"))]))
    assert first(searcher, asked) == "rocket"


def test_longest_name_wins(searcher: Searcher) -> None:
    events = [event("Berlin office", sample(searcher, "coffee")), event("office", sample(searcher, "yurts"))]
    searcher.use_taught(merge(events))
    assert first(searcher, "our Berlin office") == "coffee"
    assert first(searcher, "office") == "yurts"


def test_taught_name_combines_with_words_filters_and_alternatives(searcher: Searcher) -> None:
    searcher.use_taught(merge([event("zqxbot", sample(searcher, "rocket")), event("zqxpet", sample(searcher, "cat"))]))
    assert first(searcher, "zqxbot -cat") == "rocket"
    assert first(searcher, "zqxbot type:jpg") == "rocket"
    assert {Path(hit.uri).stem for hit in searcher.find(parse("zqxbot or zqxpet"), 2).hits} == {"rocket", "cat"}
    assert "cat" not in [Path(hit.uri).stem for hit in searcher.find(parse("animal -zqxpet"), 3).hits]
    scores = [hit.score for hit in searcher.find(parse("zqxbot:2 cat"), 30).hits]
    assert all(0 <= score <= 1 for score in scores)


def test_negative_example_leaves_the_answer(searcher: Searcher) -> None:
    plain = rows(searcher.find(parse("car"), 1))
    searcher.use_taught(merge([event("car", sample(searcher, Path(plain[0][0]).stem), shows=False)]))
    assert searcher.find(parse("car"), 1).hits[0].uri != plain[0][0]


def test_image_gets_taught_names_as_tags(searcher: Searcher) -> None:
    searcher.use_taught(merge([event("zqxbot", sample(searcher, "rocket"))]))
    _, features = searcher.look_up(sample(searcher, "rocket").uri)
    assert searcher.tags(features, 1)[0].word == "zqxbot"
    _, features = searcher.look_up(sample(searcher, "cat").uri)
    assert "zqxbot" not in [tag.word for tag in searcher.tags(features, 10)]


def test_untaught_words_give_the_same_answers(searcher: Searcher) -> None:
    texts = ["cat", "red car", "dog -cat", "chien chat", "犬", "animal type:png", "motorcycle or car"]
    before = [searcher.find(parse(text), 20) for text in texts]
    searcher.use_taught(
        merge([event("zqxbot", sample(searcher, "rocket")), event("berlin", sample(searcher, "yurts"))])
    )
    assert [searcher.find(parse(text), 20) for text in texts] == before
    searcher.use_taught(merge([]))
    with pytest.raises(QueryError):
        searcher.find(parse("zqxbot"), 1)


def test_example_of_another_encoder_uses_the_indexed_image_or_its_thumbnail(searcher: Searcher) -> None:
    indexed = replace(sample(searcher, "rocket"), vector=np.ones(3, np.float16), fingerprint="other")
    upload = replace(sample(searcher, "cat"), vector=np.ones(3, np.float16), fingerprint="other", uri="")
    visual = sample(searcher, "cat").vector
    searcher.use_taught(merge([event("zqxbot", indexed), event("zqxpet", upload)]), lambda _: visual)
    assert first(searcher, "zqxbot") == "rocket"
    assert first(searcher, "zqxpet") == "cat"


def test_example_with_a_wrong_dimension_is_passed_over(searcher: Searcher, caplog: pytest.LogCaptureFixture) -> None:
    wrong = replace(sample(searcher, "cat"), vector=np.ones(7, np.float16))
    searcher.use_taught(merge([event("zqxbot", wrong), event("zqxbot", sample(searcher, "rocket"))]))
    assert first(searcher, "zqxbot") == "rocket"
    assert "has 7 dimensions" in caplog.text


def test_follower_keeps_the_last_state_during_an_outage_and_reports_it_once(
    searcher: Searcher, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(str(tmp_path))
    follower = TaughtFollower(storage, lambda data: searcher.features(0))
    TaughtLog(storage).append([new_example("T1/U1", new_action(), "zqxbot", True, sample(searcher, "rocket"))])
    follower.keep_current(searcher)
    assert first(searcher, "zqxbot") == "rocket"

    def fail(*_: object, **__: object) -> None:
        raise StorageError("the disk is gone")

    monkeypatch.setattr(follower.log._storage, "list", fail)
    for _ in range(2):
        follower.keep_current(searcher, interval=0)
    assert first(searcher, "zqxbot") == "rocket"
    assert caplog.text.count("the disk is gone") == 1


def labels(searcher: Searcher) -> np.ndarray:
    images = searcher.manifest.images
    return np.array([row.uri.split("/")[-2] for row in searcher.catalog.rows(range(images))])


def precision(searcher: Searcher, text: str, right: np.ndarray, without: Sequence[int] = ()) -> float:
    """Return the precision@10 of a query over the images that are no examples."""
    hits = searcher.find(parse(text), 15 + len(without)).hits
    return float(np.mean([right[hit.item] for hit in hits if hit.item not in without][:10]))


@pytest.mark.slow
@pytest.mark.parametrize(("count", "least"), [(1, 0.9), (3, 0.97)])
@pytest.mark.parametrize("known", [True, False], ids=["names", "nonsense"])
def test_examples_find_the_other_images_of_a_name(
    photo_searcher: Searcher, count: int, least: float, known: bool
) -> None:
    label = labels(photo_searcher)
    random = np.random.default_rng(5)
    found = []
    for name in sorted(set(label)):
        text = name.replace("_", " ") if known else f"zqx{name.replace('_', '')}"
        for _ in range(3):
            items = random.permutation(np.flatnonzero(label == name))[:count].tolist()
            examples = [event(text, indexed_example(photo_searcher, item)) for item in items]
            photo_searcher.use_taught(merge(examples))
            found.append(precision(photo_searcher, text, label == name, items))
    assert np.mean(found) >= least


@pytest.mark.slow
def test_one_wrong_example_costs_little_and_its_removal_restores_the_answer(photo_searcher: Searcher) -> None:
    label = labels(photo_searcher)
    photo_searcher.use_taught(merge([]))
    for text, right in (("dog", label == "dalmatian"), ("elephant", label == "elephant"), ("pizza", label == "pizza")):
        before = photo_searcher.find(parse(text), 50)
        least = precision(photo_searcher, text, right) - 0.05
        for wrong in ("leopard", "panda", "chair", "sunflower"):
            item = int(np.flatnonzero(label == wrong)[3])
            mistake = event(text, indexed_example(photo_searcher, item))
            photo_searcher.use_taught(merge([mistake]))
            assert precision(photo_searcher, text, right, [item]) >= least, (text, wrong)
        undone = new_cancel("T1/U1", new_action(), [mistake.id])
        photo_searcher.use_taught(merge([mistake, parse_event(undone.key, undone.data)]))
        assert photo_searcher.find(parse(text), 50) == before


@pytest.mark.slow
def test_wrong_examples_of_many_names_cost_little(photo_searcher: Searcher) -> None:
    label = labels(photo_searcher)
    others = sorted(set(label))
    costs = []
    for place, name in enumerate(NAMES_OF_CLASSES.split()):
        photo_searcher.use_taught(merge([]))
        before = precision(photo_searcher, name, label == name)
        for wrong in others[place % 3 :: 3]:
            if wrong != name:
                item = int(np.flatnonzero(label == wrong)[3])
                photo_searcher.use_taught(merge([event(name, indexed_example(photo_searcher, item))]))
                costs.append(before - precision(photo_searcher, name, label == name, [item]))
    assert np.mean(costs) <= 0.001
    assert np.mean(np.array(costs) > 0.05) <= 0.01


@pytest.mark.slow
def test_one_wrong_example_of_a_word_in_folder_names_costs_little(photo_searcher: Searcher) -> None:
    label = labels(photo_searcher)
    for name in ("chandelier", "lotus", "mandolin", "sunflower"):  # none of them names a class
        photo_searcher.use_taught(merge([]))
        before = photo_searcher.find(parse(name), 50)
        least = precision(photo_searcher, name, label == name) - 0.05
        item = int(np.flatnonzero(label == "panda")[3])
        photo_searcher.use_taught(merge([event(name, indexed_example(photo_searcher, item))]))
        assert precision(photo_searcher, name, label == name, [item]) >= least, name
        photo_searcher.use_taught(merge([]))
        assert photo_searcher.find(parse(name), 50) == before
        items = np.flatnonzero(label == "car")[:3].tolist()
        photo_searcher.use_taught(merge([event(name, indexed_example(photo_searcher, each)) for each in items]))
        assert precision(photo_searcher, name, label == "car", items) >= 0.8, name


@pytest.mark.slow
def test_several_examples_can_give_a_word_another_meaning(photo_searcher: Searcher) -> None:
    label = labels(photo_searcher)
    items = np.flatnonzero(label == "car")[:3].tolist()
    photo_searcher.use_taught(merge([event("leopard", indexed_example(photo_searcher, item)) for item in items]))
    assert precision(photo_searcher, "leopard", label == "car", items) >= 0.8


@pytest.mark.slow
def test_taught_word_is_fast_and_cached(photo_searcher: Searcher) -> None:
    label = labels(photo_searcher)

    def milliseconds(text: str) -> float:
        start = time.perf_counter()
        photo_searcher.find(parse(text), 10)
        return (time.perf_counter() - start) * 1000

    examples = [indexed_example(photo_searcher, item) for item in np.flatnonzero(label == "lotus")[:20].tolist()]
    photo_searcher.use_taught(merge([event("zqxlotus", each) for each in examples]))
    photo_searcher.find(parse("zqxlotus"), 10)
    taught = min(milliseconds("zqxlotus") for _ in range(20))
    plain = min(milliseconds("elephant") for _ in range(20))
    assert taught < plain + 5
