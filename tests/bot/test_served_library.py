import contextlib
import functools
import gc
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from findimg.errors import FindimgError, LibraryError
from findimg.library.library import Library
from findimg.search.searcher import Searcher
from findimg.settings import Settings
from findimg.text.vectors import open_words
from findimg_bot.question_results import ImageResults, find_results
from findimg_bot.questions import read_terminal_command
from findimg_bot.served_library import ServedLibrary
from findimg_jobs.indexing.run import index

PARTS = ["versions", "segments", "shared"]  # the folders of a library that hold its versions
QUESTIONS = ["/findimg cat", "/findimg animal -cat", "/findimg motorcycle type:png", "/findimg person"]


@pytest.fixture(scope="module", autouse=True)
def one_vocabulary() -> Iterator[None]:
    """Open the word vectors once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("findimg_bot.served_library.open_words", functools.cache(open_words))
        yield


@pytest.fixture(scope="module")
def two_versions(library: str, samples: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Return a library with two versions: the sample photographs, and copies of them elsewhere without the cat."""
    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(library, folder / "library")
    shutil.copytree(samples, folder / "copies", ignore=shutil.ignore_patterns("cat.png"))
    index(Settings(library=str(folder / "library"), engine="local", cache=cache), [str(folder / "copies")])
    return Library(str(folder / "library"), cache)


@pytest.fixture
def ours(two_versions: Library, tmp_path: Path, cache: Path) -> Library:
    """Return a copy of the same library for one test. Its older version is live."""
    for name in PARTS:
        shutil.copytree(Path(two_versions.uri) / name, tmp_path / "library" / name)
    library = Library(str(tmp_path / "library"), cache)
    publish(library, library.versions()[0])
    return library


@pytest.fixture
def served(ours: Library, cache: Path) -> ServedLibrary:
    return ServedLibrary(Settings(library=ours.uri, cache=cache))


def publish(library: Library, version: str) -> None:
    library.storage.write("CURRENT", f"{version}\n".encode())


def add_version(library: Library, like: str, **changes: object) -> str:
    """Add a newer version with the segments of another one."""
    name = f"{library.versions()[-1]}-more"
    folder = Path(library.uri) / "versions"
    shutil.copytree(folder / like, folder / name)
    manifest = library.manifest(like).model_copy(update={"version": name, **changes})
    library.storage.write(f"versions/{name}/manifest.json", manifest.model_dump_json(by_alias=True).encode())
    return name


def asked(searcher: Searcher, text: str = "/findimg cat") -> tuple[str, list[str]]:
    """Search, and return the version that answers and the URIs of the hits."""
    found = find_results(searcher, read_terminal_command(text), 5)
    assert isinstance(found, ImageResults)
    return found.version, [hit.uri for hit in found.hits]


def open_versions(library: Library) -> list[str]:
    """Return the versions whose files are open in this process."""
    gc.collect()  # what failed to open is closed with its last reference
    paths = [Path(file.path) for file in psutil.Process().open_files()]
    opened = {path.parent.name for path in paths if path.name == "catalog.sqlite" and path.is_relative_to(library.uri)}
    found = []
    for name in library.versions():
        with contextlib.suppress(LibraryError):  # some tests damage a manifest
            segments = {segment.name for segment in library.manifest(name).segments}
            found += [name] if segments <= opened else []
    return found


def test_queries_succeed_while_versions_change(ours: Library, served: ServedLibrary) -> None:
    versions = ours.versions()
    expected = {}
    for version in versions:
        publish(ours, version)
        served.refresh(warm=False)
        with served.lend() as searcher:
            expected |= {(version, text): asked(searcher, text)[1] for text in QUESTIONS}
    assert not {*expected[versions[0], QUESTIONS[0]]} & {*expected[versions[1], QUESTIONS[0]]}

    def ask(number: int) -> str:
        text = QUESTIONS[number % len(QUESTIONS)]
        with served.lend() as searcher:
            version, uris = asked(searcher, text)
            for uri in uris:
                searcher.look_up(uri)  # in the other version there is none of them
            assert (searcher.manifest.version, uris) == (version, expected[version, text])
        return version

    answered = []
    with ThreadPoolExecutor(6) as threads:
        for number, version in enumerate(threads.map(ask, range(1000))):
            answered.append(version)
            if number % 50 == 0:
                publish(ours, versions[number // 50 % 2])
                assert served.refresh(warm=False)
    assert len(answered) == 1000
    assert min(answered.count(version) for version in versions) > 100
    assert open_versions(ours) == [served.version]
    served.close()
    assert open_versions(ours) == []


def test_running_query_keeps_its_version(ours: Library, served: ServedLibrary) -> None:
    old, new = ours.versions()
    with served.lend() as before:
        publish(ours, new)
        assert served.refresh()
        with served.lend() as after:
            assert (asked(before)[0], asked(after)[0], served.version) == (old, new, new)
            assert open_versions(ours) == [old, new]
        assert asked(before)[0] == old
    assert open_versions(ours) == [new]


def test_old_version_is_closed_after_its_last_query(ours: Library, served: ServedLibrary) -> None:
    old, new = ours.versions()
    with served.lend() as searcher:
        with served.lend():
            publish(ours, new)
            served.refresh(warm=False)
        assert open_versions(ours) == [old, new]
        assert asked(searcher)[0] == old
    assert open_versions(ours) == [new]


def test_failed_query_releases_its_version(ours: Library, served: ServedLibrary) -> None:
    def fail() -> None:
        with served.lend():
            publish(ours, ours.versions()[1])
            served.refresh(warm=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert open_versions(ours) == [served.version]


def test_unused_old_version_is_closed_at_once(ours: Library, served: ServedLibrary) -> None:
    served.refresh(warm=False)
    publish(ours, ours.versions()[1])
    served.refresh(warm=False)
    assert open_versions(ours) == [ours.versions()[1]]


def test_open_version_is_not_opened_again(ours: Library, served: ServedLibrary) -> None:
    assert [served.refresh(warm=False) for _ in range(3)] == [True, False, False]
    assert open_versions(ours) == [ours.versions()[0]]


def test_rollback_is_followed(ours: Library, served: ServedLibrary) -> None:
    old, new = ours.versions()
    for version in (new, old):
        publish(ours, version)
        served.refresh(warm=False)
        assert served.version == version
    with served.lend() as searcher:
        assert asked(searcher)[1][0].endswith("/cat.png")


@pytest.mark.parametrize("ask", [lambda served: served.refresh(warm=False), lambda served: served.lend().__enter__()])
def test_concurrent_threads_open_a_version_once(
    ours: Library, served: ServedLibrary, ask: Callable[[ServedLibrary], object]
) -> None:
    gate = threading.Barrier(8)

    def run(_: int) -> None:
        gate.wait()
        ask(served)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(run, range(8)))
    assert open_versions(ours) == [served.version]


def no_manifest(library: Library, new: str) -> None:
    library.storage.write(f"versions/{new}/manifest.json", b"{ not json")


def no_version(library: Library, new: str) -> None:
    library.storage.clear(f"versions/{new}")


def no_name(library: Library, new: str) -> None:
    library.storage.write("CURRENT", b"../../etc")


def own_segment(library: Library, new: str) -> str:
    """Return the folder of a segment that only the newest version has."""
    old, _ = library.versions()
    shared = {segment.name for segment in library.manifest(old).segments}
    return next(f"segments/{each.name}" for each in library.manifest(new).segments if each.name not in shared)


def no_embeddings(library: Library, new: str) -> None:
    library.storage.delete(f"{own_segment(library, new)}/visual.f16")


def no_catalog(library: Library, new: str) -> None:
    path = Path(library.uri) / own_segment(library, new) / "catalog.sqlite"
    path.write_bytes(b"\xff" * path.stat().st_size)


def no_words(library: Library, new: str) -> None:
    publish(library, add_version(library, new, words="glove.6B.300d"))


@pytest.mark.parametrize("damage", [no_manifest, no_version, no_name, no_embeddings, no_catalog, no_words])
def test_unreadable_version_leaves_the_old_one_live(
    ours: Library, served: ServedLibrary, two_versions: Library, damage: Callable[[Library, str], None]
) -> None:
    old, new = ours.versions()
    served.refresh(warm=False)
    publish(ours, new)
    damage(ours, new)
    for _ in range(2):
        with pytest.raises(FindimgError):
            served.refresh(warm=False)
        with served.lend() as searcher:
            assert asked(searcher)[0] == old
        assert open_versions(ours) == [old]
    for name in PARTS:
        shutil.copytree(Path(two_versions.uri) / name, Path(ours.uri) / name, dirs_exist_ok=True)
    publish(ours, new)
    assert served.refresh(warm=False)
    assert served.version == new


def test_missing_version_is_reported_until_one_is_published(ours: Library, served: ServedLibrary) -> None:
    ours.storage.delete("CURRENT")
    assert not served.refresh()
    assert served.version is None
    with (
        pytest.raises(LibraryError, match=r"Nothing is published in .*\. Run findimg-jobs index first"),
        served.lend(),
    ):
        pass
    publish(ours, ours.versions()[0])
    with served.lend() as searcher:
        assert asked(searcher)[0] == ours.versions()[0]


def test_open_version_survives_a_lost_current_file(ours: Library, served: ServedLibrary) -> None:
    served.refresh(warm=False)
    ours.storage.delete("CURRENT")
    assert not served.refresh()
    with served.lend() as searcher:
        assert asked(searcher)[0] == ours.versions()[0]


def test_missing_library_setting_is_reported(cache: Path) -> None:
    served = ServedLibrary(Settings(library="", cache=cache))
    with pytest.raises(LibraryError, match="No library is named"), served.lend():
        pass


def test_s3_version_is_cached_until_its_last_query(ours: Library, cache: Path, s3: str) -> None:
    add_version(ours, ours.versions()[0])
    one, two, three = ours.versions()
    remote = Library(f"{s3}/library", cache)
    for entry in (entry for name in PARTS for entry in ours.storage.list(name)):
        remote.storage.write(entry.key, ours.storage.read(entry.key))
    served = ServedLibrary(Settings(library=remote.uri, cache=cache))

    def segments_of(*versions: str) -> set[str]:
        return {segment.name for version in versions for segment in ours.manifest(version).segments}

    def go_on_to(version: str) -> set[str]:
        publish(remote, version)
        assert served.refresh(warm=False)
        return {path.name for path in folder.iterdir()}

    publish(remote, one)
    with served.lend() as first:
        (segment,) = segments_of(one)
        (folder,) = (path.parent for path in (cache / "libraries").glob(f"*/segments/{segment}"))
        assert go_on_to(two) == segments_of(one, two)
        with served.lend() as second:
            go_on_to(three)
            # Whatever has left the cache by now: who began with a version ends with it.
            assert [asked(each)[0] for each in (first, second)] == [one, two]
    assert {path.name for path in folder.iterdir()} == segments_of(three)
    with served.lend() as searcher:
        assert asked(searcher)[0] == three
    served.close()
