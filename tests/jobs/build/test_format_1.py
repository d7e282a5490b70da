"""Libraries of format 1, which findimg wrote before there were segments.

`format_1.tar.xz` was made by the code of commit 1859a85, the last one that wrote format 1. It holds 64 made-up
embeddings of 16 dimensions, projected to 4, and two versions. The first has 50 images. The second lacks two of them,
and has 14 others and a copy.
"""

import shutil
import tarfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from findimg.library.library import Library
from findimg.search.query import Query, parse
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import EMBEDDED, WordVectors, open_words
from findimg_jobs.build.publish import set_current
from findimg_jobs.build.rebuild import rebuild
from findimg_jobs.maintenance.forget import forget
from findimg_jobs.maintenance.prune import prune
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.store.lock import hold_lock

FILTERS = ["sort:date", "in:made-up", "before:2019"]
WORDS = ["bird fish", "table -dog", "dog after:2019"]
FIRST, SECOND = "20261126T081050736908Z-b67a4555", "20261126T081053288566Z-16ea852d"
URI = "s3://made-up/00000/00000003.jpg"  # its copy is s3://made-up/copy.jpg


@pytest.fixture(scope="module")
def words() -> WordVectors:
    return open_words(EMBEDDED)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Settings:
    """Return the settings of the library that the former code made."""
    folder = tmp_path_factory.mktemp("original")
    with tarfile.open(Path(__file__).with_name("format_1.tar.xz")) as archive:
        archive.extractall(folder / "library", filter="data")
    return Settings(library=str(folder / "library"), cache=cache, engine="local")


@pytest.fixture(scope="module")
def merged(original: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the settings of the same library after `merge`."""
    merged = copy_library(original, tmp_path_factory.mktemp("merged"))
    rebuild(merged)
    return merged


@pytest.fixture
def config(merged: Settings, tmp_path: Path) -> Settings:
    """Return the settings of a copy of the library after `merge`."""
    return copy_library(merged, tmp_path)


def copy_library(config: Settings, folder: Path) -> Settings:
    shutil.copytree(config.library, folder / "library")
    return config.model_copy(update={"library": str(folder / "library")})


def open_library(config: Settings) -> Library:
    return Library(config.library, config.cache)


def answers(library: Library, words: WordVectors, queries: Sequence[str]) -> list[object]:
    """Return the live version's answers to queries, and the images that are similar to one."""
    with closing(Searcher(library.open(), words)) as searcher:
        item, features = searcher.look_up(URI)
        pages = [searcher.find(parse(text), 20) for text in queries]
        pages.append(searcher.similar(features, Query(""), 20, excluded=item))
    found: list[object] = []
    for page in pages:
        hits = [(hit.uri, pytest.approx(hit.score, abs=2e-4), hit.copies, hit.near_duplicates) for hit in page.hits]
        assert hits
        found.append((hits, page.total, page.note))
    return found


def embeddings(library: Library) -> dict[str, bytes]:
    return {entry.key: library.storage.read(entry.key) for entry in library.storage.list("embeddings")}


def make_live(library: Library, version: str) -> None:
    with hold_lock(library.storage) as lock:
        set_current(library, version, lock)


def test_library_of_format_1_opens_and_is_sound(original: Settings, words: WordVectors) -> None:
    library = open_library(original)
    assert library.versions() == [FIRST, SECOND]
    manifest = library.manifest(SECOND)
    assert (manifest.schema_, manifest.images, len(manifest.segments)) == (1, 63, 1)
    with closing(Searcher(library.open(), words)) as searcher:
        assert searcher.catalog.item("s3://made-up/copy.jpg") == 62
        assert searcher.catalog.item("s3://made-up/00000/00000000.jpg") is None
    findings = verify(library, manifest)
    assert (findings.problems, findings.compared) == ([], 63)


def test_merge_rewrites_format_1_without_embedding(original: Settings, merged: Settings, words: WordVectors) -> None:
    before, library = open_library(original), open_library(merged)
    new = library.open().manifest
    assert (new.schema_, len(new.segments), library.versions()) == (2, 1, [FIRST, SECOND, new.version])
    # Scores of words differ, because the library has a text index now, and leaves out improbable classes.
    assert answers(library, words, FILTERS) == answers(before, words, FILTERS)
    assert embeddings(library) == embeddings(before)
    assert verify(library, new).problems == []
    assert rebuild(merged) == new  # nothing is left to rewrite


def test_rollback_crosses_formats(config: Settings, words: WordVectors) -> None:
    library = open_library(config)
    expected = answers(library, words, WORDS)
    make_live(library, FIRST)
    assert library.open().manifest.images == 50
    make_live(library, SECOND)
    assert library.open().manifest.images == 63
    assert rebuild(config).schema_ == 2
    assert answers(library, words, WORDS) == expected


def test_prune_keeps_what_versions_of_both_formats_use(config: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("findimg_jobs.maintenance.prune.HOUR", 0)
    library = open_library(config)
    new = library.open().manifest
    assert prune(library, 1000, keep=2, grace=0).versions == [FIRST]
    for version in (SECOND, new.version):
        assert verify(library, library.manifest(version)).problems == []
    make_live(library, SECOND)
    # The segments stay as long as the version that uses them.
    assert prune(library, 1000, keep=1, grace=0).versions == []
    assert verify(library, new).problems == []
    make_live(library, new.version)
    assert prune(library, 1000, keep=0, grace=0).versions == [SECOND]
    assert verify(library, new).problems == []


def test_forgotten_image_leaves_versions_of_both_formats(config: Settings) -> None:
    library = open_library(config)
    forget(config, [URI, "s3://made-up/copy.jpg"])
    (version,) = library.versions()
    manifest = library.manifest(version)
    assert (manifest.schema_, manifest.images) == (2, 61)
    assert verify(library, manifest).problems == []
    held = [path for path in Path(config.library).rglob("*") if path.is_file() and b"00000003.jpg" in path.read_bytes()]
    assert held == []
