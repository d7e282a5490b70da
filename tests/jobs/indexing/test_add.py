"""Add single images to a library without listing its sources."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import findimg
import findimg_jobs.indexing.run
from findimg.errors import FindimgError, LibraryError, LockedError, NotPublishedError, SettingsError
from findimg.library.library import Library
from findimg.plugins import AddReport, Change
from findimg.settings import Settings
from findimg.storage.base import open_storage
from findimg_jobs.indexing.add import add, apply
from findimg_jobs.listing.listing import Listing
from findimg_jobs.maintenance.forget import forget
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store.lock import hold_lock
from tests.opened import all_rows

Draw = Callable[[Path, int], None]
Run = Callable[..., RunReport]


@pytest.fixture
def config(tmp_path: Path, pictures: Path, run: Run, cache: Path) -> Settings:
    """Return the settings of a library of six images."""
    run(str(tmp_path / "library"), pictures)
    return Settings(library=str(tmp_path / "library"), cache=cache)


def shown(config: Settings) -> set[str]:
    """Return the file names in the live version."""
    return {Path(row.uri).name for row in all_rows(Library(config.library, config.cache).open())}


def test_added_image_is_published_and_nothing_else_is_read(
    config: Settings, pictures: Path, draw: Draw, reads: list[str], run: Run
) -> None:
    library = Library(config.library, config.cache)
    before = library.open().manifest
    draw(pictures / "new" / "6.png", 6)
    draw(pictures / "7.png", 7)
    draw(pictures / "0.png", 8)
    reads.clear()
    report = add(config, [str(pictures / "new" / "6.png"), str(pictures / "0.png")])
    assert sorted(reads) == sorted(report.added) == [f"{pictures}/0.png", f"{pictures}/new/6.png"]
    assert (report.images, report.failures) == (7, ())
    assert shown(config) == {f"{number}.png" for number in range(7)}
    manifest = library.open().manifest
    assert [segment.images for segment in manifest.segments] == [6, 2]
    assert manifest.segments[0] == before.segments[0]
    assert verify(library, manifest).problems == []
    # The next run finds the added images as they are.
    reads.clear()
    nightly = run(config.library, pictures)
    assert (nightly.embedded, nightly.images, nightly.removed) == (1, 8, 0)
    assert reads == [f"{pictures}/7.png"]


def test_image_that_the_version_has_changes_nothing(config: Settings, pictures: Path, reads: list[str]) -> None:
    version = Library(config.library, config.cache).find_live_version()
    reads.clear()
    assert add(config, [str(pictures / "0.png")]) == AddReport(str(version), 6, (), ())
    assert reads == []


def test_image_that_cannot_be_added_is_named(config: Settings, pictures: Path, tmp_path: Path, draw: Draw) -> None:
    library = Library(config.library, config.cache)
    forget(config, [f"{pictures}/5.png"])
    before = library.find_live_version()
    draw(tmp_path / "elsewhere" / "6.png", 6)
    (pictures / "broken.png").write_bytes(b"no image")
    cases: list[tuple[str, type[FindimgError], str]] = [
        (f"{tmp_path}/elsewhere/6.png", LibraryError, "elsewhere/6.png is in no source of the library, so the next"),
        (f"{pictures}/5.png", LibraryError, r"5.png was forgotten, so nothing was added\. To allow it again"),
        (f"{pictures}/broken.png", NotPublishedError, "No image can be added. .*broken.png: "),
        (f"{pictures}/missing.png", SettingsError, "missing.png"),
    ]
    for uri, error, message in cases:
        with pytest.raises(error, match=message):
            add(config, [uri])
    assert library.find_live_version() == before
    draw(pictures / "6.png", 6)
    report = add(config, [f"{pictures}/6.png", f"{pictures}/broken.png"])
    assert report.added == (f"{pictures}/6.png",)
    assert [uri for uri, _ in report.failures] == [f"{pictures}/broken.png"]
    assert report.lines()[1].startswith(f"Not added: {pictures}/broken.png: ")


def test_callers_queue(config: Settings, pictures: Path, draw: Draw) -> None:
    for number in range(6, 12):
        draw(pictures / f"{number}.png", number)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: add(config, [f"{pictures}/{number}.png"]), range(6, 12)))
    library = Library(config.library, config.cache)
    assert shown(config) == {f"{number}.png" for number in range(12)}
    manifest = library.open().manifest
    # Small segments are merged, so that many calls leave few of them.
    assert len(manifest.segments) <= 4
    assert verify(library, manifest).problems == []


def test_caller_gives_up_after_its_patience(config: Settings, pictures: Path) -> None:
    with (
        hold_lock(Library(config.library, config.cache).storage),
        pytest.raises(LockedError, match="has been writing"),
    ):
        add(config, [f"{pictures}/0.png"], patience=0.1)


def test_image_added_while_a_run_lists_stays(
    config: Settings, pictures: Path, draw: Draw, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_sources = findimg_jobs.indexing.run.list_sources

    def list_and_add(*arguments: object) -> Listing:
        listing = list_sources(*arguments)
        draw(pictures / "6.png", 6)
        add(config, [f"{pictures}/6.png"])
        return listing

    monkeypatch.setattr(findimg_jobs.indexing.run, "list_sources", list_and_add)
    (pictures / "5.png").unlink()
    report = run(config.library, pictures)
    assert (report.outcome, report.images, report.embedded, report.removed) == ("published", 6, 0, 1)
    assert shown(config) == {"0.png", "1.png", "2.png", "3.png", "4.png", "6.png"}


def test_image_added_while_a_run_embeds_is_found_before_and_after_its_end(
    config: Settings, pictures: Path, draw: Draw, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Add two images and remove one while a run has embedded its new images, but not published them."""
    embed_images = findimg_jobs.indexing.run.embed_images

    def embed_and_add(*arguments: object) -> None:
        embed_images(*arguments)
        monkeypatch.setattr(findimg_jobs.indexing.run, "embed_images", embed_images)
        with pytest.raises(LockedError, match="has been writing"):
            run(config.library, pictures)
        with pytest.raises(LockedError, match="has been writing"):
            forget(config, [f"{pictures}/0.png"])
        for number in (8, 9):
            draw(pictures / f"{number}.png", number)
            add(config, [f"{pictures}/{number}.png"])
        assert apply(config, Change((), (f"{pictures}/1.png",))) == ()
        assert shown(config) == {"0.png", "2.png", "3.png", "4.png", "5.png", "8.png", "9.png"}

    draw(pictures / "6.png", 6)
    (pictures / "5.png").unlink()
    monkeypatch.setattr(findimg_jobs.indexing.run, "embed_images", embed_and_add)
    report = run(config.library, pictures)
    assert (report.outcome, report.images, report.embedded, report.reused) == ("published", 7, 1, 7)
    assert shown(config) == {"0.png", "2.png", "3.png", "4.png", "6.png", "8.png", "9.png"}
    library = Library(config.library, config.cache)
    assert verify(library, library.open().manifest).problems == []
    # The removed image is still in its folder, where the next run finds it.
    nightly = run(config.library, pictures)
    assert (nightly.images, nightly.embedded, nightly.removed) == (8, 0, 0)


@pytest.mark.long
def test_image_added_while_a_run_changes_the_encoder_is_embedded_by_that_run(
    config: Settings, pictures: Path, draw: Draw, run: Run, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    embed_images = findimg_jobs.indexing.run.embed_images

    def embed_and_add(*arguments: object) -> None:
        embed_images(*arguments)
        monkeypatch.setattr(findimg_jobs.indexing.run, "embed_images", embed_images)
        draw(pictures / "6.png", 6)
        add(config, [f"{pictures}/6.png"])
        reads.clear()

    monkeypatch.setattr(findimg_jobs.indexing.run, "embed_images", embed_and_add)
    report = run(config.library, pictures, backbone="efficientnet-lite2")
    assert (report.images, reads) == (7, [f"{pictures}/6.png"])
    assert shown(config) == {f"{number}.png" for number in range(7)}


def test_image_is_added_to_a_library_in_s3(s3: str, pictures: Path, cache: Path, run: Run) -> None:
    source = open_storage(f"{s3}/source")
    for number in range(5):
        source.upload(pictures / f"{number}.png", f"{number}.png")
    run(f"{s3}/library", source.root)
    source.upload(pictures / "5.png", "new/5.png")
    config = Settings(library=f"{s3}/library", cache=cache)
    assert add(config, [f"{source.root}/new/5.png"]).added == (f"{source.root}/new/5.png",)
    assert shown(config) == {f"{number}.png" for number in range(6)}


def test_python_interface_finds_an_added_image(
    library: str, samples: Path, tmp_path: Path, cache: Path, run: Run
) -> None:
    shutil.copytree(samples, tmp_path / "photos", ignore=shutil.ignore_patterns("cat*"))
    run(str(tmp_path / "library"), tmp_path / "photos")
    shutil.copy(samples / "cat.png", tmp_path / "photos" / "cat.png")
    with findimg.open(tmp_path / "library", cache=cache) as opened:
        before = len(opened)
        report = opened.add([tmp_path / "photos" / "cat.png"])
        assert report.added == (f"{tmp_path}/photos/cat.png",)
        assert len(opened) == report.images == before + 1
        assert opened.search("cat", k=1)[0].uri == report.added[0]
