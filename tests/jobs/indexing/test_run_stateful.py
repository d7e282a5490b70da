"""Test random histories of a library: after any events, the version holds what the sources hold."""

import hashlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache as remember
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from numpy.typing import NDArray
from PIL import Image

import findimg_jobs.build.context
import findimg_jobs.build.measurements
import findimg_jobs.indexing.embed
import findimg_jobs.indexing.run
import findimg_jobs.maintenance.prune
import findimg_jobs.store.compaction
from findimg.errors import FindimgError, NotPublishedError, SettingsError
from findimg.heads.conse import Conse
from findimg.images import decode
from findimg.index.version_files import open_items, open_visual
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library, Version
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.storage.folder import FolderStorage
from findimg.storage.s3 import S3Storage
from findimg.text.lexicon import open_lexicon
from findimg.text.vectors import EMBEDDED, open_words
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store.shards import CommittedImages, read_committed
from tests.opened import all_rows

SHARD_SIZE = 3
NAMES = st.sampled_from(["a.bmp", "b.bmp", "c.bmp", "sub/d.bmp", "sub/e.bmp"])
KINDS = [
    "add or change",
    "change while the clock goes backwards",
    "restore as it once was",
    "rename",
    "copy",
    "delete",
    "break",
]
CHANGES = st.lists(st.tuples(st.sampled_from(KINDS), NAMES, NAMES, st.integers(0, 7)), max_size=5)
_CHANGES = ("write", "upload", "create", "swap", "delete", "clear")
_LOOKS = ("read", "fetch", "list", "exists")


class Crash(BaseException):
    """An error that nothing in findimg catches, in place of the end of the process."""


class _Doom:
    """A counter of the changes of storage until the crash."""

    def __init__(self, at: int, done: bool):
        self._left = at
        self._done = done
        self._counting = threading.Lock()

    def wrap(self, method: Callable[..., Any], changes: bool) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            with self._counting:
                # Once dead it neither changes nor sees anything, so nothing is tidied up.
                if self._left <= 0:
                    raise Crash
                self._left -= changes
                dies = self._left == 0
            if dies and not self._done:
                raise Crash
            result = method(*arguments, **named)
            if dies:
                raise Crash
            return result

        return wrapped


@contextmanager
def crashing(at: int, done: bool) -> Iterator[None]:
    """Raise Crash at the `at`-th change of storage, before or after the change is made."""
    doom = _Doom(at, done)
    with pytest.MonkeyPatch.context() as patch, suppress(Crash):
        for kind in (FolderStorage, S3Storage):
            for name in (*_CHANGES, *_LOOKS):
                patch.setattr(kind, name, doom.wrap(getattr(kind, name), name in _CHANGES))
        yield


@remember
def picture(seed: int) -> bytes:
    """Return a bitmap. All bitmaps have the same size."""
    buffer = io.BytesIO()
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((48, 32), Image.Resampling.NEAREST).save(buffer, "BMP")
    return buffer.getvalue()


@remember
def looks(models: Path, data: bytes) -> NDArray[np.float32]:
    """Return the visual embedding of an image that is embedded alone, float32[dim]."""
    backbone = findimg_jobs.indexing.embed.open_backbone("efficientnet-lite0", ModelStore(models), None)
    visual: NDArray[np.float32] = backbone.embed(backbone.preprocess(decode(data).pixels)[None]).visual[0]
    return visual


class History(RuleBasedStateMachine):
    """A state machine: images appear and disappear, runs publish or crash."""

    place: str
    cache: Path
    number = 0

    @initialize()
    def begin(self) -> None:
        type(self).number += 1
        self.source = open_storage(f"{self.place}/{self.number}/source")
        self.settings = Settings(
            library=f"{self.place}/{self.number}/library", engine="local", shard_size=SHARD_SIZE, cache=self.cache
        )
        self.library = Library(self.settings.library, self.cache)
        self.files: dict[str, tuple[bytes, int]] = {}
        self.past: list[tuple[str, bytes, int]] = []
        self.clock = 1_000_000
        self.source.write("note.txt", b"no image")  # a folder must be there

    def put(self, name: str, data: bytes, tick: int) -> None:
        self.source.write(name, data)
        if isinstance(self.source, FolderStorage):
            os.utime(self.source.path(name), ns=(tick * 10**6, tick * 10**6))
        self.files[name] = data, tick
        self.past.append((name, data, tick))

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def take(self, name: str) -> bytes:
        data, _ = self.files.pop(name)
        self.source.delete(name)
        return data

    def change(self, changes: list[tuple[str, str, str, int]]) -> None:
        for kind, name, other, seed in changes:
            if kind == "add or change":
                self.put(name, picture(seed), self.tick())
            elif kind == "change while the clock goes backwards":
                self.put(name, picture(seed), 1_000_000 - self.tick())
            elif kind == "restore as it once was" and self.past:
                self.put(*self.past[seed % len(self.past)])
            elif name not in self.files:
                continue
            elif kind == "rename":
                _, tick = self.files[name]
                self.put(other, self.take(name), tick)
            elif kind == "copy":
                self.put(other, self.files[name][0], self.tick())
            elif kind == "delete":
                self.take(name)
            elif kind == "break":
                self.put(name, picture(seed)[: 10 * seed], self.tick())

    @rule(changes=CHANGES, retry_failed=st.booleans())
    def run(self, changes: list[tuple[str, str, str, int]], retry_failed: bool) -> None:
        self.change(changes)
        good = self.good()
        before = self.library.current()
        stored = {key.sha256 for key in self.known().contents.values()}
        if not good:
            with pytest.raises(FindimgError, match=r"There is no image|nothing to publish"):
                self.index(retry_failed)
            assert self.library.current() == before
            return
        report = self.index(retry_failed)
        new = [data for data in good.values() if hashlib.sha256(data).hexdigest() not in stored]
        assert len(set(new)) <= report.embedded <= len(new)
        assert (report.seen, report.images) == (len(self.files), len(good))
        assert report.reused == len(good) - report.embedded
        assert report.failed == len(self.files) - len(good)
        self.compare(self.library.open(), good)

    def compare(self, version: Version, good: dict[str, bytes]) -> None:
        expected = {self.source.uri(name): hashlib.sha256(data).hexdigest() for name, data in good.items()}
        rows = all_rows(version)
        assert {row.uri: row.sha256 for row in rows} == expected
        visual = open_visual(version, open_items(version)[0])[:]
        by_uri = {self.source.uri(name): data for name, data in good.items()}
        wanted = np.stack([looks(self.cache / "models", by_uri[row.uri]) for row in rows])
        np.testing.assert_allclose(visual, wanted, rtol=0.01, atol=0.01)
        for sha256 in expected.values():
            assert self.library.storage.exists(thumbnail_key(sha256))

    @rule(changes=CHANGES, at=st.integers(1, 35), done=st.booleans())
    def run_and_die(self, changes: list[tuple[str, str, str, int]], at: int, done: bool) -> None:
        self.change(changes)
        self.die(at, done, lambda: self.index(False))

    @rule(keep=st.integers(0, 2))
    def prune(self, keep: int) -> None:
        prune(self.library, SHARD_SIZE, keep, grace=0)
        self.check()

    @rule(at=st.integers(1, 25), done=st.booleans(), keep=st.integers(0, 2))
    def prune_and_die(self, at: int, done: bool, keep: int) -> None:
        self.die(at, done, lambda: prune(self.library, SHARD_SIZE, keep, grace=0))

    def index(self, retry_failed: bool) -> RunReport:
        return index(self.settings, [self.source.root], IndexOptions(allow_shrink=True, retry_failed=retry_failed))

    def die(self, at: int, done: bool, doomed: Callable[[], object]) -> None:
        before = self.library.current()
        with crashing(at, done), suppress(SettingsError, NotPublishedError):
            doomed()
        storage = self.library.storage
        if storage.exists("LOCK"):
            # This process lives on; the one that died held the lock as another.
            lease = json.loads(storage.read("LOCK"))
            lease["process"] = lease["process"].rpartition(" ")[0] + " 99999999"
            storage.write("LOCK", json.dumps(lease).encode())
        self.check()
        if self.library.current() != before:
            self.compare(self.library.open(), self.good())

    def check(self) -> None:
        """Check that the live version is sound and all its images are in the embedding store."""
        if self.library.current():
            live = self.library.open().manifest
            findings = verify(self.library, live)
            assert (findings.problems, findings.compared) == ([], live.images)

    def good(self) -> dict[str, bytes]:
        return {name: data for name, (data, _) in self.files.items() if len(data) > 200}

    def known(self) -> CommittedImages:
        found = [entry.key.split("/")[1] for entry in self.library.storage.list("embeddings")]
        return read_committed(self.library.storage, found[0] if found else "none")

    def teardown(self) -> None:
        if not self.good():
            return
        self.run([], False)
        fresh = Library(self.library.uri + "-fresh", self.cache)
        index(self.settings.model_copy(update={"library": fresh.uri}), [self.source.root])
        assert all_rows(self.library.open()) == all_rows(fresh.open())
        self.check()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Lower the limits, so that short histories reach them, and make once what all runs share."""
    monkeypatch.setattr(findimg_jobs.store.compaction, "SMALL", 2)
    monkeypatch.setattr(findimg_jobs.store.compaction, "MANY", 2)
    monkeypatch.setattr(findimg_jobs.maintenance.prune, "HOUR", 0)
    monkeypatch.setattr(findimg_jobs.maintenance.prune, "HISTORY", 0)
    words = remember(open_words)
    head = Conse(words(EMBEDDED, ModelStore(cache / "models").words(EMBEDDED)), open_lexicon())
    monkeypatch.setattr(findimg_jobs.build.context, "open_words", words)
    monkeypatch.setattr(findimg_jobs.build.context, "open_head", lambda name, words, *_: head)
    monkeypatch.setattr(findimg_jobs.build.measurements, "_terms", lambda words: [])


def play(place: str, cache: Path, examples: int, steps: int) -> None:
    History.place, History.cache = place, cache
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.mark.usefixtures("quick")
def test_version_equals_the_sources_after_any_short_history(tmp_path: Path, cache: Path) -> None:
    play(str(tmp_path), cache, examples=12, steps=8)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.long
def test_version_equals_the_sources_after_any_history(place: str, cache: Path) -> None:
    play(place, cache, examples=30, steps=12)
