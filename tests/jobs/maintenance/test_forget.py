"""Test that forgotten images disappear at once and for ever, and that all others stay."""

import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

import findimg_jobs.maintenance.forget
from findimg.errors import LibraryError, LockedError, StorageError
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library
from findimg.settings import Settings
from findimg_jobs.maintenance.forget import allow, forget
from findimg_jobs.maintenance.verify import verify
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.store.lock import hold_lock
from tests.opened import open_catalog

Run = Callable[..., RunReport]


@pytest.fixture
def settings(tmp_path: Path, cache: Path) -> Settings:
    return Settings(library=str(tmp_path / "library"), cache=cache, engine="local")


@pytest.fixture
def library(settings: Settings) -> Library:
    return Library(settings.library, settings.cache)


def shown(library: Library) -> dict[str, str]:
    """Return the SHA-256 of each image of the live version, by file name."""
    catalog = open_catalog(library.open())
    rows = [catalog.row(item) for item in range(catalog.images)]
    return {Path(row.uri).name: row.sha256 for row in rows}


def mentions(library: Library, *texts: str) -> list[str]:
    """Return the keys of all objects in the library with one of the texts in their name or content."""
    return [
        entry.key
        for entry in library.storage.list()
        if any(text in entry.key or text.encode() in library.storage.read(entry.key) for text in texts)
    ]


def test_forgotten_image_is_removed_everywhere_and_not_indexed_again(
    place: str, cache: Path, pictures: Path, run: Run, draw: Callable[[Path, int], None], reads: list[str]
) -> None:
    settings = Settings(library=place, cache=cache, engine="local")
    library = Library(place, cache)
    run(library.uri, pictures)
    first, before = library.find_live_version(), shown(library)
    assert library.storage.exists(thumbnail_key(before["3.png"]))
    report = forget(settings, [str(pictures / "3.png")])
    assert shown(library) == {name: sha256 for name, sha256 in before.items() if name != "3.png"}
    assert (report.version, report.images, report.rows, report.thumbnails) == (library.find_live_version(), 5, 1, 1)
    # Neither its content, nor its name: not in an older version, to which nobody can go back.
    assert mentions(library, before["3.png"], "3.png") == []
    assert library.versions() == [report.version] != [first]
    assert verify(library, library.manifest(report.version)).problems == []
    reads.clear()
    again = run(library.uri, pictures)
    assert (again.outcome, again.seen, reads) == ("unchanged", 5, [])
    draw(pictures / "3.png", 99)
    assert run(library.uri, pictures).images == 5


def test_allowed_image_is_indexed_again(settings: Settings, library: Library, pictures: Path, run: Run) -> None:
    run(library.uri, pictures)
    uris = [str(pictures / "1.png"), str(pictures / "4.png")]
    forget(settings, uris)
    allow(settings, uris[:1])
    assert (run(library.uri, pictures).embedded, shown(library).keys()) == (
        1,
        {"0.png", "1.png", "2.png", "3.png", "5.png"},
    )
    with pytest.raises(LibraryError, match=r"1\.png was not forgotten"):
        allow(settings, uris)


def test_content_shared_with_another_image_stays_and_is_reported(
    settings: Settings, library: Library, pictures: Path, run: Run
) -> None:
    shutil.copy(pictures / "2.png", pictures / "copy.png")
    run(library.uri, pictures)
    sha256 = shown(library)["copy.png"]
    report = forget(settings, [str(pictures / "2.png")])
    assert report.copies == (str(pictures / "copy.png"),)
    assert str(pictures / "copy.png") in "\n".join(report.lines())
    assert (report.thumbnails, shown(library)["copy.png"]) == (0, sha256)
    assert library.storage.exists(thumbnail_key(sha256))
    assert verify(library, library.manifest(report.version)).problems == []
    assert mentions(library, "2.png") == []
    assert run(library.uri, pictures).embedded == 0
    assert forget(settings, [str(pictures / "copy.png")]).thumbnails == 1
    assert mentions(library, sha256) == []


def test_renamed_image_is_forgotten_under_both_names(
    settings: Settings, library: Library, pictures: Path, run: Run
) -> None:
    run(library.uri, pictures)
    sha256 = shown(library)["0.png"]
    (pictures / "0.png").rename(pictures / "renamed.png")
    run(library.uri, pictures)
    forget(settings, [str(pictures / "renamed.png")])
    assert mentions(library, sha256, "renamed.png") == []


@pytest.mark.parametrize("step", ["publish_images", "delete_version", "thumbnail_key", "delete_rows"])
def test_second_call_completes_an_interrupted_forget(
    settings: Settings, library: Library, pictures: Path, run: Run, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    run(library.uri, pictures)
    sha256 = shown(library)["5.png"]

    def interrupt(*_: object, **__: object) -> None:
        raise StorageError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(findimg_jobs.maintenance.forget, step, interrupt)
        with pytest.raises(StorageError, match="power"):
            forget(settings, [str(pictures / "5.png")])
    # Even before that call no run brings it back.
    assert run(library.uri, pictures).images == 5
    forget(settings, [str(pictures / "5.png")])
    assert mentions(library, sha256, "5.png") == []


def test_invalid_forget_changes_nothing(settings: Settings, library: Library, pictures: Path, run: Run) -> None:
    with pytest.raises(LibraryError, match="Nothing is published"):
        forget(settings, ["x"])
    run(library.uri, pictures)
    before = sorted((entry.key, entry.etag) for entry in library.storage.list())
    with pytest.raises(LibraryError, match=r"nosuch\.png is not in .*nothing was changed"):
        forget(settings, [str(pictures / "1.png"), str(pictures / "nosuch.png")])
    with pytest.raises(LibraryError, match="holds no other image"):
        forget(settings, [str(path) for path in pictures.iterdir()])
    with hold_lock(library.storage), pytest.raises(LockedError):
        forget(settings, [str(pictures / "1.png")])
    assert sorted((entry.key, entry.etag) for entry in library.storage.list()) == before


@pytest.mark.slow
def test_forget_command_accepts_relative_paths_and_prints_a_report(
    library: Library, pictures: Path, run: Run, cache: Path
) -> None:
    run(library.uri, pictures)
    command = [Path(sys.executable).with_name("findimg-jobs"), "forget", "2.png", "--library", library.uri]
    done = subprocess.run([*command, "--cache", cache], cwd=pictures, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert "with 5 images is live. It does not contain the forgotten images" in done.stdout
    allowed = subprocess.run([*command, "--allow"], cwd=pictures, capture_output=True, text=True, timeout=300)
    assert "indexes 1 image again" in allowed.stdout


def test_forget_accepts_composed_and_decomposed_names(
    settings: Settings, library: Library, pictures: Path, run: Run
) -> None:
    stored = unicodedata.normalize("NFD", "Zürich.png")
    (pictures / "3.png").rename(pictures / stored)
    run(library.uri, pictures)
    forget(settings, [unicodedata.normalize("NFC", str(pictures / stored))])
    assert stored not in shown(library)
    assert run(library.uri, pictures).images == 5
