"""Test that no query fails or finds nothing while the encoder that finds images by words changes."""

import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from findimg.library.library import Library
from findimg.settings import Settings
from findimg_bot.question_results import ImageResults, find_results
from findimg_bot.questions import read_terminal_command
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.maintenance.encoder_roles import remove_encoder, use_encoders
from tests.shared.encoders.made_clip import make_agreeing_folder

pytestmark = pytest.mark.long
FIRST, SECOND = "onnx-clip", "onnx-clip@second"
EXPECTED = {
    "/findimg snow on the grass": "grass-snow",
    "/findimg a photo of the sea -snow -roses": "sea",
    '/findimg "roses" "sea"': "roses-sea",
    "/findimg coal": "coal",
}
THREADS = 4
ROUNDS = 6


def test_queries_are_answered_without_a_gap_while_encoders_change(things: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(things / "library", tmp_path / "library")
    make_agreeing_folder(tmp_path / "model", seed=2, dim=32)
    settings = Settings(library=str(tmp_path / "library"), cache=cache, engine="local")
    library, served = Library(settings.library, cache), ServedLibrary(settings)
    answers: Counter[str] = Counter()
    counting, stop = threading.Condition(), threading.Event()

    def ask(number: int) -> None:
        questions = list(EXPECTED.items())
        while not stop.is_set():
            text, expected = questions[number % len(questions)]
            number += 1
            with served.lend() as searcher:
                found = find_results(searcher, read_terminal_command(text), 5)
                assert isinstance(found, ImageResults), text
                assert Path(found.hits[0].uri).stem.rpartition("-")[0] == expected, text
            with counting:
                answers[found.version] += 1
                counting.notify_all()

    def is_answering(version: str) -> bool:
        return answers[version] >= 2 * THREADS or any(thread.done() for thread in running)

    served.refresh(warm=False)
    first = library.live_version()
    versions = []
    with ThreadPoolExecutor(THREADS) as pool:
        running = [pool.submit(ask, number) for number in range(THREADS)]
        try:
            added = settings.model_copy(update={"backbone": SECOND, "weights": str(tmp_path / "model")})
            changes = [lambda: index(added, [str(things / "pictures")], IndexOptions(from_thumbnails=True)).version]
            for by_words in (SECOND, FIRST) * (ROUNDS // 2) + (SECOND,):
                changes.append(lambda by_words=by_words: use_encoders(library, None, by_words).version)
            changes.append(lambda: remove_encoder(library, FIRST).version)
            for change in (lambda: first, *changes):
                version = str(change())
                versions.append(version)
                served.refresh()
                with counting:
                    assert counting.wait_for(lambda version=version: is_answering(version), 60), version
        finally:
            stop.set()
        for thread in running:
            thread.result()
    assert set(answers) == set(versions)
