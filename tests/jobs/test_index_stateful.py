"""Random histories of a library: whatever happens to images and runs, what is published is what the sources hold."""

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
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from numpy.typing import NDArray
from PIL import Image

import jobs.compaction
import jobs.embed
import jobs.index
import jobs.merge
import jobs.prune
from jobs.index import index
from jobs.prune import prune
from jobs.report import RunReport
from jobs.shards import Known, read_known
from jobs.verify import verify
from shared.catalog import Catalog
from shared.errors import FindimgError, NotPublishedError, SettingsError
from shared.heads import open_head
from shared.images import decode
from shared.library import Library, Version, thumbnail_key
from shared.models import ModelStore
from shared.settings import Settings
from shared.storage import FolderStorage, S3Storage, open_storage
from shared.words import EMBEDDED, open_words

SHARD_SIZE = 5
NAMES = st.sampled_from([f"{name}.bmp" for name in ("a", "b", "c", "sub/d", "sub/e", "f", "g", "h")])
SEEDS = st.integers(0, 7)
_CHANGES = ("write", "upload", "create", "swap", "delete", "clear")
_LOOKS = ("read", "fetch", "list", "exists")


class Crash(BaseException):
    """What nothing in findimg catches: the process is gone."""


class _Doom:
    """Counts the changes of storage until the process dies."""

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
    """Kills what runs inside when it changes storage for the `at`-th time: before that is done, or after."""
    doom = _Doom(at, done)
    with pytest.MonkeyPatch.context() as patch, suppress(Crash):
        for kind in (FolderStorage, S3Storage):
            for name in (*_CHANGES, *_LOOKS):
                patch.setattr(kind, name, doom.wrap(getattr(kind, name), name in _CHANGES))
        yield


@remember
def picture(seed: int) -> bytes:
    """A bitmap, so that all of them have one size."""
    buffer = io.BytesIO()
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((48, 32), Image.Resampling.NEAREST).save(buffer, "BMP")
    return buffer.getvalue()


@remember
def looks(models: Path, data: bytes) -> NDArray[np.float32]:
    """The visual embedding of an image alone, float32[dim]."""
    backbone = jobs.embed.open_backbone("efficientnet-lite0", ModelStore(models), None)
    visual: NDArray[np.float32] = backbone.embed(backbone.preprocess(decode(data).pixels)[None]).visual[0]
    return visual


class History(RuleBasedStateMachine):
    """Images come and go, runs publish or die."""

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

    def present(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.files)), "name")

    @rule(name=NAMES, seed=SEEDS)
    def add_or_change(self, name: str, seed: int) -> None:
        self.put(name, picture(seed), self.tick())

    @rule(name=NAMES, seed=SEEDS)
    def change_while_the_clock_goes_backwards(self, name: str, seed: int) -> None:
        self.put(name, picture(seed), 1_000_000 - self.tick())

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def restore_as_it_once_was(self, data: st.DataObject) -> None:
        self.put(*data.draw(st.sampled_from(self.past), "past"))

    @precondition(lambda self: self.files)
    @rule(data=st.data(), to=NAMES)
    def rename(self, data: st.DataObject, to: str) -> None:
        name = self.present(data)
        _, tick = self.files[name]
        self.put(to, self.take(name), tick)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), to=NAMES)
    def copy(self, data: st.DataObject, to: str) -> None:
        self.put(to, self.files[self.present(data)][0], self.tick())

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.take(self.present(data))

    @precondition(lambda self: self.files)
    @rule(data=st.data(), cut=st.integers(0, 200))
    def break_(self, data: st.DataObject, cut: int) -> None:
        self.put(self.present(data), picture(0)[:cut], self.tick())

    @rule(retry_failed=st.booleans())
    def run(self, retry_failed: bool) -> None:
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
        catalog = Catalog(version.folder / "catalog.sqlite")
        rows = [catalog.row(item) for item in range(catalog.images)]
        assert {row.uri: row.sha256 for row in rows} == expected
        visual = np.fromfile(version.folder / "visual.f16", np.float16).reshape(len(rows), -1)
        by_uri = {self.source.uri(name): data for name, data in good.items()}
        wanted = np.stack([looks(self.cache / "models", by_uri[row.uri]) for row in rows])
        np.testing.assert_allclose(visual, wanted, rtol=0.01, atol=0.01)
        for sha256 in expected.values():
            assert self.library.storage.exists(thumbnail_key(sha256))

    @rule(at=st.integers(1, 40), done=st.booleans())
    def run_and_die(self, at: int, done: bool) -> None:
        self.die(at, done, lambda: self.index(False))

    @rule(keep=st.integers(0, 2))
    def prune(self, keep: int) -> None:
        prune(self.library, SHARD_SIZE, keep, grace=0)

    @rule(at=st.integers(1, 40), done=st.booleans(), keep=st.integers(0, 2))
    def prune_and_die(self, at: int, done: bool, keep: int) -> None:
        self.die(at, done, lambda: prune(self.library, SHARD_SIZE, keep, grace=0))

    def index(self, retry_failed: bool) -> RunReport:
        return index(self.settings, [self.source.root], allow_shrink=True, retry_failed=retry_failed)

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
        live = self.library.current()
        if live:
            assert not verify(self.library, self.library.manifest(live)).problems
        if live != before:
            self.compare(self.library.open(), self.good())

    def good(self) -> dict[str, bytes]:
        return {name: data for name, (data, _) in self.files.items() if len(data) > 200}

    def known(self) -> Known:
        found = [entry.key.split("/")[1] for entry in self.library.storage.list("embeddings")]
        return read_known(self.library.storage, found[0] if found else "none")

    def teardown(self) -> None:
        if not self.good():
            return
        self.run(False)
        fresh = Library(self.library.uri + "-fresh", self.cache)
        index(self.settings.model_copy(update={"library": fresh.uri}), [self.source.root])
        ours, theirs = (library.open().manifest for library in (self.library, fresh))
        assert ours.files["catalog.sqlite"] == theirs.files["catalog.sqlite"]
        assert not verify(self.library, ours).problems


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Small limits, so that short histories reach them; and what is the same in each run is made once."""
    monkeypatch.setattr(jobs.compaction, "SMALL", 2)
    monkeypatch.setattr(jobs.compaction, "MANY", 2)
    monkeypatch.setattr(jobs.prune, "HOUR", 0)
    monkeypatch.setattr(jobs.prune, "HISTORY", 0)
    words = remember(open_words)
    head = open_head("conse", words(EMBEDDED, ModelStore(cache / "models").words(EMBEDDED)))
    monkeypatch.setattr(jobs.index, "open_words", words)
    monkeypatch.setattr(jobs.index, "open_head", lambda name, words, *_: head)
    monkeypatch.setattr(jobs.merge, "_measure_noise", lambda postings, words: 0.0)


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
def test_after_any_short_history_the_version_is_what_the_sources_hold(tmp_path: Path, cache: Path) -> None:
    play(str(tmp_path), cache, examples=10, steps=10)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_after_any_history_the_version_is_what_the_sources_hold(place: str, cache: Path) -> None:
    play(place, cache, examples=25, steps=20)
