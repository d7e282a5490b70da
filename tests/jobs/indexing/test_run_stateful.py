"""Test random histories of a library: after each event the version has the right images and answers like a new one."""

import hashlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
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

import findimg_jobs.build_config.build_context
import findimg_jobs.indexing.embed_worker
import findimg_jobs.indexing.run
import findimg_jobs.maintenance.prune
import findimg_jobs.segments.library_measures
import findimg_jobs.store.shard_compaction
from findimg.errors import FindimgError, NotPublishedError, SettingsError
from findimg.images import decode
from findimg.index.version_files import open_items, open_visual
from findimg.library.catalog import Catalog
from findimg.library.layout import CATALOG_FILE, thumbnail_key
from findimg.library.library import Library, Version
from findimg.models.store import ModelStore
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg.storage.folder import FolderStorage
from findimg.storage.s3 import S3Storage
from findimg.text.vectors import WordVectors
from findimg_jobs.build.build_stage import build_and_publish
from findimg_jobs.build.merge_policies import choose_compact_merges, choose_purge_merges
from findimg_jobs.build.part_builder import BuildRequest
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.build.write_session import WriteSession
from findimg_jobs.build_config.build_context import make_build_context
from findimg_jobs.cli.commands.versions import rollback
from findimg_jobs.engines.engine import Engine
from findimg_jobs.indexing.add import add
from findimg_jobs.indexing.run import IndexOptions, index
from findimg_jobs.maintenance.forget import allow, forget
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.reporting.stage_clock import StageClock
from findimg_jobs.segments.version_images import find_version_images
from findimg_jobs.store.blocklist import is_blocked
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.lock import hold_lock
from findimg_jobs.store.plan import read_planned_images
from tests.answers import ask_everything
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
SEEDS = st.integers(0, 7)
QUERIES = ["dog", "textile", "in:sub dog", "sort:date", "b", "-cat type:bmp", "window/door", '"e"']
CHANGES = st.lists(st.tuples(st.sampled_from(KINDS), NAMES, NAMES, SEEDS), max_size=5)
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


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@remember
def looks(models: Path, data: bytes) -> NDArray[np.float32]:
    """Return the visual embedding of an image that is embedded alone, float32[dim]."""
    encoder = findimg_jobs.indexing.embed_worker.build_encoder("efficientnet-lite0", ModelStore(models), None)
    visual: NDArray[np.float32] = encoder.embed(encoder.preprocess(decode(data).pixels)[None]).visual[0]
    return visual


class History(RuleBasedStateMachine):
    """A state machine: images appear and disappear, and a person works on the library, or dies while doing so."""

    place: str
    cache: Path
    words: WordVectors
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
        self.versions: dict[str, dict[str, bytes]] = {}  # the images of each version that was live, by name
        self.blocked: set[str] = set()  # names of forgotten images
        self.source.write("note.txt", b"no image")  # a folder must be there

    def put(self, name: str, data: bytes, tick: int) -> None:
        self.source.write(name, data)
        if isinstance(self.source, FolderStorage):
            os.utime(self.source.local_path(name), ns=(tick * 10**6, tick * 10**6))
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
        before = self.library.find_live_version()
        stored = {key.sha256 for key in self.known().select_keys("holds")}
        if not good:
            with pytest.raises(FindimgError, match=r"There is no image|nothing to publish"):
                self.index(retry_failed)
            assert self.library.find_live_version() == before
            return
        report = self.index(retry_failed)
        new = [data for data in good.values() if hash_of(data) not in stored]
        assert len(set(new)) <= report.embedded <= len(new)
        listed = len(self.files.keys() - self.blocked)
        assert (report.seen, report.images) == (listed, len(good))
        assert report.reused == len(good) - report.embedded
        assert report.failed == listed - len(good)
        self.expect(good)

    @rule(name=NAMES, seed=SEEDS)
    def add(self, name: str, seed: int) -> None:
        if self.library.find_live_version() and name not in self.blocked:
            images = self.live() | {name: picture(seed)}
            self.put(name, picture(seed), self.tick())
            add(self.settings, [self.source.uri(name)])
            self.expect(images)

    @rule(number=SEEDS)
    def forget(self, number: int) -> None:
        live = self.live()
        if len(live) > 1:
            name = sorted(live)[number % len(live)]
            self.blocked.add(name)
            forget(self.settings, [self.source.uri(name)])
            del live[name]
            self.expect(live)
            self.check_forgotten()

    @rule()
    def allow(self) -> None:
        for name in [name for name in self.blocked if is_blocked(self.library.storage, self.source.uri(name))]:
            allow(self.settings, [self.source.uri(name)])
        self.blocked.clear()

    @rule(purge=st.booleans())
    def compact(self, purge: bool) -> None:
        if self.library.find_live_version():
            images = self.live()
            manifest = rebuild(self.settings, merge_policy=choose_purge_merges if purge else choose_compact_merges)
            assert len(manifest.segments) == 1
            self.expect(images)

    @rule(number=SEEDS)
    def roll_back(self, number: int) -> None:
        if versions := self.library.versions():
            chosen = versions[number % len(versions)]
            rollback(version=chosen, library=self.library.uri, cache=self.cache)
            assert self.library.find_live_version() == chosen
            self.expect(self.versions[chosen])

    @rule(changes=CHANGES, at=st.integers(1, 35), done=st.booleans())
    def run_and_die(self, changes: list[tuple[str, str, str, int]], at: int, done: bool) -> None:
        self.change(changes)
        self.die(at, done, lambda: self.index(False), self.good())

    @rule(name=NAMES, seed=SEEDS, at=st.integers(1, 25), done=st.booleans())
    def add_and_die(self, name: str, seed: int, at: int, done: bool) -> None:
        if self.library.find_live_version() and name not in self.blocked:
            self.put(name, picture(seed), self.tick())
            uri = self.source.uri(name)
            self.die(at, done, lambda: add(self.settings, [uri]), self.live() | {name: picture(seed)})

    @rule(at=st.integers(1, 25), done=st.booleans())
    def compact_and_die(self, at: int, done: bool) -> None:
        if self.library.find_live_version():
            self.die(at, done, lambda: rebuild(self.settings, merge_policy=choose_purge_merges), self.live())

    @rule(number=SEEDS, at=st.integers(1, 25), done=st.booleans())
    def forget_and_die(self, number: int, at: int, done: bool) -> None:
        live = self.live()
        if len(live) < 2:
            return
        name = sorted(live)[number % len(live)]
        uri = self.source.uri(name)
        left = {each: data for each, data in live.items() if each != name}
        self.die(at, done, lambda: forget(self.settings, [uri]), left)
        self.blocked.add(name)
        if is_blocked(self.library.storage, uri):
            forget(self.settings, [uri])  # a second call completes the work
            self.expect(left)
            self.check_forgotten()
        else:
            self.blocked.discard(name)

    @rule(keep=st.integers(0, 2))
    def prune(self, keep: int) -> None:
        prune(self.library, SHARD_SIZE, keep, grace=0)
        self.check()

    @rule(at=st.integers(1, 25), done=st.booleans(), keep=st.integers(0, 2))
    def prune_and_die(self, at: int, done: bool, keep: int) -> None:
        self.die(at, done, lambda: prune(self.library, SHARD_SIZE, keep, grace=0), {})

    def index(self, retry_failed: bool) -> RunReport:
        return index(self.settings, [self.source.root], IndexOptions(allow_shrink=True, retry_failed=retry_failed))

    def die(self, at: int, done: bool, doomed: Callable[[], object], images: dict[str, bytes]) -> None:
        """Do something that dies at the `at`-th change. If it publishes a version, that has these images."""
        before = self.library.find_live_version()
        with crashing(at, done), suppress(SettingsError, NotPublishedError):
            doomed()
        storage = self.library.storage
        for key in ("LOCK", "PUBLISHING"):
            if storage.exists(key):
                # This process lives on; the one that died held the lock as another.
                lease = json.loads(storage.read(key))
                lease["process"] = lease["process"].rpartition(" ")[0] + " 99999999"
                storage.write(key, json.dumps(lease).encode())
        self.check()
        # A version whose manifest is complete can be rolled back to, although it never was live.
        for version in set(self.library.versions()) - self.versions.keys():
            self.versions[version] = images
        if self.library.find_live_version() != before:
            self.expect(images)

    def expect(self, images: dict[str, bytes]) -> None:
        """Check that the live version has these images, by name, and answers like a library that never had others."""
        version = self.library.open()
        self.versions[version.manifest.version] = dict(images)
        expected = {self.source.uri(name): data for name, data in images.items()}
        rows = all_rows(version)
        assert [row.uri for row in rows] == sorted(expected)
        assert {row.uri: row.sha256 for row in rows} == {uri: hash_of(data) for uri, data in expected.items()}
        visual = open_visual(version, open_items(version)[0])[:]
        wanted = np.stack([looks(self.cache / "models", expected[row.uri]) for row in rows])
        np.testing.assert_allclose(visual, wanted, rtol=0.01, atol=0.01)
        for row in rows:
            assert self.library.storage.exists(thumbnail_key(row.sha256))
        uris = sorted(expected)
        got, fresh = (ask_everything(each, self.words, QUERIES, uris) for each in (self.library, self.fresh(version)))
        for one, other in zip(got, fresh, strict=True):
            assert one == other

    def fresh(self, version: Version) -> Library:
        """Return a new library whose only version has the images of another one, built from the same embeddings."""
        manifest, storage = version.manifest, self.library.storage
        fresh = Library(f"{self.library.uri}-fresh", self.cache)
        fresh.storage.clear("")
        for entry in storage.list("embeddings"):
            fresh.storage.write(entry.key, storage.read(entry.key))
        context = make_build_context(self.settings, None, manifest.sources, manifest.fingerprint)
        images = find_version_images(
            read_planned_images(storage, manifest.run), read_committed(fresh.storage, manifest.fingerprint)
        )
        with Engine(self.settings) as engine, hold_lock(fresh.storage) as lock:
            session = WriteSession(fresh, lock, engine, StageClock())
            build_and_publish(session, [BuildRequest(manifest.run, context, images, manifest.failed)], None, True)
        return fresh

    def check(self) -> None:
        """Check that the live version is sound and all its images are in the embedding store."""
        if self.library.find_live_version():
            live = self.library.open().manifest
            findings = verify(self.library, live)
            assert (findings.problems, findings.compared) == ([], live.images)

    def check_forgotten(self) -> None:
        """Check that no version and no segment has a forgotten image."""
        self.check()
        blocked = {self.source.uri(name) for name in self.blocked}
        for version in self.library.versions():
            opened = self.library.open(version)
            for segment in opened.manifest.segments:
                with closing(Catalog(opened.folder(segment) / CATALOG_FILE)) as catalog:
                    uris = {row.uri for row in catalog.rows(range(catalog.images))}
                assert not blocked & uris

    def live(self) -> dict[str, bytes]:
        """Return the images of the live version, by name."""
        current = self.library.find_live_version()
        return dict(self.versions[current]) if current else {}

    def good(self) -> dict[str, bytes]:
        """Return the images of the source that can be indexed, by name."""
        return {name: data for name, (data, _) in self.files.items() if len(data) > 200 and name not in self.blocked}

    def known(self) -> CommittedImages:
        found = [entry.key.split("/")[1] for entry in self.library.storage.list("embeddings")]
        return read_committed(self.library.storage, found[0] if found else "none")

    def teardown(self) -> None:
        self.allow()
        if not self.good():
            return
        self.run([], False)
        fresh = Library(self.library.uri + "-fresh", self.cache)
        fresh.storage.clear("")
        index(self.settings.model_copy(update={"library": fresh.uri}), [self.source.root])
        assert all_rows(self.library.open()) == all_rows(fresh.open())
        self.check()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, one_vocabulary: WordVectors) -> None:
    """Lower the limits, so that short histories reach them, and make once what all runs share."""
    monkeypatch.setattr(findimg_jobs.store.shard_compaction, "SMALL", 2)
    monkeypatch.setattr(findimg_jobs.store.shard_compaction, "MANY", 2)
    monkeypatch.setattr(findimg_jobs.maintenance.prune, "HOUR", 0)
    monkeypatch.setattr(findimg_jobs.maintenance.prune, "HISTORY", 0)
    monkeypatch.setattr(findimg_jobs.segments.library_measures, "_terms", lambda words: [])


def play(place: str, cache: Path, words: WordVectors, examples: int, steps: int) -> None:
    History.place, History.cache, History.words = place, cache, words
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
def test_version_equals_the_sources_after_any_short_history(
    tmp_path: Path, cache: Path, one_vocabulary: WordVectors
) -> None:
    play(str(tmp_path), cache, one_vocabulary, examples=6, steps=8)


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.long
def test_version_equals_the_sources_after_any_history(place: str, cache: Path, one_vocabulary: WordVectors) -> None:
    play(place, cache, one_vocabulary, examples=12, steps=12)
