"""Ask questions while versions that share segments are published: none is lost, each is answered from one version."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from findimg.library.library import Library
from findimg.search.query import Query
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, open_words
from findimg_bot.service.live_library import LiveLibrary
from findimg_jobs.build.context import make_build_context
from tests.answers import found_by_words, shown
from tests.benchmarks.made_up import commit_made_up, made_up_images, publish_images

pytestmark = pytest.mark.long

ASKED, SWITCHES, THREADS = 1000, 20, 6
IMAGES, NEW, GONE = 100, 10, 3
QUERIES = ["dog", "boat -car", "music", "sort:date", "cat after:2019"]


def answer(searcher: Searcher, number: int) -> object:
    """Return the answer to a question: by words, by filters, or by image."""
    if number % (len(QUERIES) + 1):
        return found_by_words(searcher, QUERIES[number % len(QUERIES)], 10)
    item = number % searcher.manifest.images
    return shown(searcher.similar(searcher.features(item), Query(""), 10, without=item))


@pytest.fixture
def publish(place: str, tmp_path: Path) -> Callable[[int], str]:
    """Return a function that publishes the images of a night and returns the version's name."""
    config = Settings(library=place, cache=tmp_path / "writer", engine="local")
    images = made_up_images(IMAGES + NEW * SWITCHES)
    fingerprint = make_build_context(config, None, []).config.fingerprint
    known = commit_made_up(Library(place, config.cache).storage, fingerprint, images)
    return lambda night: publish_images(config, images[GONE * night : IMAGES + NEW * night], known).manifest.version


def test_no_question_is_lost_while_versions_are_published(
    publish: Callable[[int], str], place: str, tmp_path: Path
) -> None:
    config = Settings(library=place, cache=tmp_path / "reader")
    live = LiveLibrary(config)
    versions = [publish(0)]
    live.refresh()
    asked = iter(range(10**6))
    taking, done = threading.Lock(), threading.Event()

    def ask() -> list[tuple[int, str, object]]:
        answers = []
        while True:
            with taking:
                number = next(asked)
            if number >= ASKED and done.is_set():
                return answers
            with live.lease() as searcher:
                answers.append((number, searcher.manifest.version, answer(searcher, number)))

    with ThreadPoolExecutor(THREADS) as threads:
        running = [threads.submit(ask) for _ in range(THREADS)]
        with live.lease() as slow:  # a question that lasts longer than all switches
            expected = answer(slow, 1)
            try:
                for night in range(1, SWITCHES + 1):
                    versions.append(publish(night))
                    assert live.refresh()
            finally:
                done.set()
            assert answer(slow, 1) == expected
        answers = [each for thread in running for each in thread.result()]

    assert len(answers) >= ASKED
    assert sorted(number for number, _, _ in answers) == list(range(len(answers)))
    assert {version for _, version, _ in answers} <= set(versions)
    assert live.version == versions[-1]
    live.close()
    words = open_words(EMBEDDED)
    segments = [len(Library(place, config.cache).manifest(version).segments) for version in versions]
    assert max(segments) > 1
    for version in set(versions):
        given = [(number, found) for number, name, found in answers if name == version]
        with closing(Searcher(Library(place, config.cache).open(version), words)) as searcher:
            assert all(answer(searcher, number) == found for number, found in given)
