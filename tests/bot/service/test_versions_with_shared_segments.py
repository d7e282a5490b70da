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
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.build_config.build_context import make_build_context
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
    return shown(searcher.similar(searcher.features(item), Query(""), 10, excluded=item))


@pytest.fixture
def publish(s3: str, tmp_path: Path) -> Callable[[int], str]:
    """Return a function that publishes the images of a night and returns the version's name."""
    config = Settings(library=s3, cache=tmp_path / "writer", engine="local")
    images = made_up_images(IMAGES + NEW * SWITCHES)
    fingerprint = make_build_context(config, None, []).config.fingerprint
    known = commit_made_up(Library(s3, config.cache).storage, fingerprint, images)
    return lambda night: publish_images(config, images[GONE * night : IMAGES + NEW * night], known).manifest.version


def test_no_question_is_lost_while_versions_are_published(
    publish: Callable[[int], str], s3: str, tmp_path: Path
) -> None:
    config = Settings(library=s3, cache=tmp_path / "reader")
    served = ServedLibrary(config)
    versions = [publish(0)]
    served.refresh()
    allowed = threading.Semaphore(0)  # so many questions for each switch, some of them before and some after it

    def ask(number: int) -> tuple[int, str, object]:
        allowed.acquire()
        with served.lend() as searcher:
            return number, searcher.manifest.version, answer(searcher, number)

    with ThreadPoolExecutor(THREADS) as threads:
        running = [threads.submit(ask, number) for number in range(ASKED)]
        try:
            with served.lend() as slow:  # a question that lasts longer than all switches
                expected = answer(slow, 1)
                for night in range(1, SWITCHES + 1):
                    allowed.release(ASKED // SWITCHES // 2)
                    versions.append(publish(night))
                    allowed.release(ASKED // SWITCHES // 2)
                    assert served.refresh()
                assert answer(slow, 1) == expected
        finally:
            allowed.release(ASKED)
        answers = [each.result() for each in running]

    assert len(answers) == ASKED
    assert len({version for _, version, _ in answers}) > SWITCHES // 2
    assert served.version == versions[-1]
    served.close()
    words = open_words(EMBEDDED)
    segments = [len(Library(s3, config.cache).manifest(version).segments) for version in versions]
    assert max(segments) > 1
    for version in set(versions):
        given = [(number, found) for number, name, found in answers if name == version]
        with closing(Searcher(Library(s3, config.cache).open(version), words)) as searcher:
            assert all(answer(searcher, number) == found for number, found in given)
