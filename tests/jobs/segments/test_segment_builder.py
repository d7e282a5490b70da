"""Check that a library of several segments answers like one segment of the same images."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import findimg_jobs.segments.segment_builder
from findimg.library.layout import JOINT_FILE, NOISE_FILE
from findimg.library.library import Library
from findimg.library.manifest import FileEntry, SegmentEntry
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.storage.base import Storage
from findimg.text.vectors import EMBEDDED, WordVectors, open_words
from findimg_jobs.build.merge_policies import SegmentSize, choose_compact_merges, choose_merges, choose_purge_merges
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.build_config.build_context import make_build_context
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.store.committed_images import CommittedImages, read_committed
from findimg_jobs.store.shard_rows import ShardRow
from findimg_jobs.store.shards import ShardStats, commit_shard, read_vectors
from findimg_jobs.tables.source_records import SourceImage
from tests.answers import ask_everything
from tests.benchmarks.made_up import commit_made_up, made_up_images, publish_images
from tests.conftest import make_once

IMAGES = 240
COPIES = 12
QUERIES = [
    "dog",
    "cat",
    "boat -car",
    "bird fish",
    "music",
    "table/bottle",
    "dog in:copies",
    "sort:date",
    "car after:2020",
]
QUERIES += ["copies", '"00000005"', "flower before:2019", "in:copies", "cat sort:oldest", "zebra dog", "-dog type:jpeg"]


def keep_all(sizes: Sequence[SegmentSize], largest: int) -> set[int]:
    """Merge nothing."""
    return set()


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def store(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library without a version. It has embeddings of made-up images, copies and near-duplicates."""

    def make(folder: Path) -> None:
        config = Settings(library=str(folder), cache=cache, engine="local")
        fingerprint = make_build_context(config, None, []).config.fingerprint
        storage = Library(str(folder), cache).storage
        images = made_up_images(IMAGES)
        commit_made_up(storage, fingerprint, images)
        copies = [SourceImage(f"s3://made-up/copies/{number:02}.jpg", "1") for number in range(COPIES)]
        rows = [ShardRow(each.uri, "1", sha256_of(images[7 * n]), None) for n, each in enumerate(copies)]
        commit_shard(storage, fingerprint, rows, [], ShardStats("copies", COPIES, 0, 0, 0))
        commit_near_duplicates(storage, fingerprint, images)

    return make_once(tmp_path_factory, "segments-store", make)


def commit_near_duplicates(storage: Storage, fingerprint: str, images: Sequence[SourceImage]) -> None:
    """Commit a near-duplicate of every twelfth image."""
    wanted = {sha256_of(image): image for image in images[::12]}
    rows = []
    for sha256, content in read_vectors(storage, fingerprint, f"{0:024}"):
        if sha256 in wanted:
            uri = wanted[sha256].uri.replace(".jpg", "-again.jpg")
            visual = content.visual.copy()
            visual[::100] += np.float16(0.5)
            changed = replace(content, visual=visual)
            rows.append(ShardRow(uri, "1", hashlib.sha256(uri.encode()).hexdigest(), changed))
    commit_shard(storage, fingerprint, rows, [], ShardStats("near", len(rows), len(rows), 0, 0))


def sha256_of(image: SourceImage) -> str:
    return hashlib.sha256(image.uri.encode()).hexdigest()


def open_store(store: Path, folder: Path, cache: Path) -> tuple[Settings, CommittedImages]:
    """Copy the store to a new library without a version."""
    shutil.copytree(store, folder)
    config = Settings(library=str(folder), cache=cache, engine="local")
    (fingerprint,) = (path.name for path in (folder / "embeddings").iterdir())
    return config, read_committed(Library(config.library, cache).storage, fingerprint)


def all_images(known: CommittedImages) -> list[SourceImage]:
    return sorted(SourceImage(key.uri, key.etag) for key in known.select_keys("counts"))


def answers_of(config: Settings, words: WordVectors, images: Sequence[SourceImage]) -> list[object]:
    """Return what the library of some images answers."""
    uris = [image.uri for image in images[::25]]
    library = Library(config.library, config.cache)
    found = ask_everything(library, words, QUERIES, uris, like=["in:copies", "class:dog"])
    with closing(Searcher(library.open(), words)) as searcher:
        found.append(searcher.catalog.without([sha256_of(image) for image in images] + ["ab" * 32]))
    return found


# Shrinking would take minutes, because each step publishes several versions.
@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate], print_blob=True)
@given(
    history=st.lists(st.tuples(st.integers(0, 2**32), st.sampled_from([0.02, 0.3, 0.7, 1.0])), min_size=2, max_size=4),
    merge_policy=st.sampled_from([keep_all, keep_all, choose_merges, choose_compact_merges]),
)
@pytest.mark.long
def test_segments_answer_like_a_fresh_library(
    history: list[tuple[int, float]],
    merge_policy: Callable[[Sequence[SegmentSize], int], set[int]],
    store: Path,
    cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
    words: WordVectors,
) -> None:
    folder = tmp_path_factory.mktemp("history")
    ours, known = open_store(store, folder / "ours", cache)
    images = all_images(known)
    before: set[SourceImage] = set()
    for seed, share in history:
        random = np.random.default_rng(seed)
        present = {image for image in images if random.random() < share} | {images[0]}
        if present == before:
            continue
        published = publish_images(ours, sorted(present), known, merge_policy)
        before = present
    assert merge_policy is not keep_all or len(published.manifest.segments) <= len(history)
    fresh, _ = open_store(store, folder / "fresh", cache)
    publish_images(fresh, sorted(before), known)
    got, expected = (answers_of(each, words, sorted(before)) for each in (ours, fresh))
    for one, other in zip(got, expected, strict=True):
        assert one == other


def test_noise_floor_is_right_after_all_stored_images_of_a_term_are_deleted(
    store: Path, tmp_path: Path, cache: Path
) -> None:
    ours, known = open_store(store, tmp_path / "ours", cache)
    images = all_images(known)
    before = publish_images(ours, images, known).manifest
    (segment,) = before.segments
    stored = np.load(Path(ours.library) / "segments" / segment.name / NOISE_FILE)
    strongest = stored[np.argsort(-stored["relevance"][:, 0])[:40]]
    deleted = set(strongest["row"].ravel().tolist())
    left = [image for row, image in enumerate(images) if row not in deleted]
    after = publish_images(ours, left, known, keep_all).manifest
    assert [each.name for each in after.segments] == [segment.name]
    fresh, _ = open_store(store, tmp_path / "fresh", cache)
    expected = publish_images(fresh, left, known).manifest.noise_floor
    assert after.noise_floor == pytest.approx(expected, abs=1e-4)
    assert after.noise_floor < before.noise_floor


def test_shard_compaction_leaves_one_segment_without_deleted_images(store: Path, tmp_path: Path, cache: Path) -> None:
    ours, known = open_store(store, tmp_path / "ours", cache)
    images = all_images(known)
    for present in (images[:200], images[:230], images[5:]):
        before = publish_images(ours, present, known, keep_all).manifest
    assert len(before.segments) == 3
    assert sum(segment.images for segment in before.segments) == len(images)
    library, store_before = Library(ours.library, cache), stored(ours, "embeddings")
    after = rebuild(ours, merge_policy=choose_compact_merges)
    assert [segment.images for segment in after.segments] == [len(images) - 5]
    assert verify(library, after).problems == []
    assert stored(ours, "embeddings") == store_before
    assert rebuild(ours, merge_policy=choose_purge_merges).version == after.version
    # A reader may still open the earlier versions, which are younger than an hour.
    prune(library, 1000, keep=0)
    assert stored(ours, "segments").keys() >= {segment.name for segment in before.segments}


def exact_files(segment: SegmentEntry) -> dict[str, FileEntry]:
    """Return the files without those of sums, whose last digits depend on the number of threads of a worker."""
    return {name: entry for name, entry in segment.files.items() if name != JOINT_FILE}


@pytest.mark.long
def test_segments_that_ray_workers_build_equal_those_of_this_process(
    store: Path, tmp_path: Path, cache: Path, words: WordVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, known = open_store(store, tmp_path / "here", cache)
    there, _ = open_store(store, tmp_path / "there", cache)
    here = here.model_copy(update={"partition_size": 100})
    there = there.model_copy(update={"partition_size": 100, "engine": "ray"})
    images = all_images(known)
    monkeypatch.setattr(findimg_jobs.segments.segment_builder, "_SMALL", 20)  # images that workers are not worth
    for present in (images[:200], images[3:]):
        expected = publish_images(here, present, known, keep_all).manifest
        manifest = publish_images(there, present, known, keep_all).manifest
        assert [exact_files(each) for each in manifest.segments] == [exact_files(each) for each in expected.segments]
        assert verify(Library(there.library, cache), manifest).problems == []
    assert len(manifest.segments) == 3
    assert answers_of(there, words, images[3:]) == answers_of(here, words, images[3:])


def stored(config: Settings, folder: str) -> dict[str, list[str]]:
    """Return the file names in each folder of a part of the library."""
    folders = Path(config.library, folder).iterdir()
    return {each.name: sorted(str(path) for path in each.rglob("*")) for each in folders}
