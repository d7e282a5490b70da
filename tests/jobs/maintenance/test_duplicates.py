import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from PIL import Image, ImageOps
from typer.testing import CliRunner

from findimg.errors import LibraryError
from findimg.library.library import Library
from findimg.settings import Settings
from findimg_jobs.cli.root import app
from findimg_jobs.maintenance.duplicates import find_duplicates
from findimg_jobs.maintenance.forget import forget as run_forget
from findimg_jobs.reporting.run_report import RunReport
from tests.opened import open_catalog, write_format_1

Run = Callable[..., RunReport]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of photographs: one with two copies, one also encoded again and mirrored, one alone."""
    from skimage import data

    folder = tmp_path / "photos"
    (folder / "backup").mkdir(parents=True)
    Image.fromarray(data.chelsea()).save(folder / "cat.png")
    Image.fromarray(data.coffee()).save(folder / "coffee.png")
    Image.fromarray(data.rocket()).save(folder / "rocket.png")
    shutil.copy(folder / "cat.png", folder / "backup/cat.png")
    shutil.copy(folder / "cat.png", folder / "backup/cat (1).png")
    with Image.open(folder / "coffee.png") as coffee:
        coffee.save(folder / "coffee-small.jpg", quality=85)
        ImageOps.mirror(coffee).save(folder / "mirrored.png")
    return folder


@pytest.fixture
def library(tmp_path: Path, cache: Path, photos: Path, run: Run) -> Library:
    run(str(tmp_path / "library"), photos)
    return Library(str(tmp_path / "library"), cache)


def test_copies_and_near_duplicates_are_listed_with_their_sizes(library: Library, photos: Path) -> None:
    report = find_duplicates(library)
    assert report.images == 7
    kinds = [{str(Path(image.uri).relative_to(photos)): image.kind for image in group} for group in report.groups]
    assert sorted(kinds, key=str) == [
        {"backup/cat (1).png": "first", "backup/cat.png": "copy", "cat.png": "copy"},
        {"coffee-small.jpg": "first", "coffee.png": "near-duplicate", "mirrored.png": "near-duplicate"},
    ]
    assert report.count("copy") == 2
    assert report.bytes("copy") == 2 * (photos / "cat.png").stat().st_size
    assert report.count("near-duplicate") == 2
    for group in report.groups:
        for image in group:
            with Image.open(image.uri) as opened:
                assert (image.width, image.height) == opened.size
            assert image.bytes == Path(image.uri).stat().st_size


def test_version_without_groups_has_the_same_duplicates(library: Library) -> None:
    expected = find_duplicates(library)
    write_format_1(library, library.open(), with_groups=False)
    assert find_duplicates(library) == expected


def test_command_prints_a_table_or_json(library: Library) -> None:
    result = CliRunner().invoke(app, ["duplicates", "--library", library.uri])
    assert result.exit_code == 0, result.output
    assert "7 images: 2 copies take " in result.stdout
    assert "near-duplicate" in result.stdout
    result = CliRunner().invoke(app, ["duplicates", "--library", library.uri, "--json"])
    printed = json.loads(result.stdout)
    report = find_duplicates(library)
    assert printed["copies"] == {"images": 2, "bytes": report.bytes("copy")}
    assert [[image["uri"] for image in group] for group in printed["groups"]] == [
        [image.uri for image in group] for group in report.groups
    ]


def test_library_without_duplicates_says_so(tmp_path: Path, cache: Path, run: Run) -> None:
    from skimage import data

    (tmp_path / "photos").mkdir()
    Image.fromarray(data.chelsea()).save(tmp_path / "photos/cat.png")
    run(str(tmp_path / "library"), tmp_path / "photos")
    result = CliRunner().invoke(app, ["duplicates", "--library", str(tmp_path / "library")])
    assert result.stdout == "1 image: 0 copies take 0 bytes, 0 near-duplicates take 0 bytes.\n"


def test_nothing_published_is_an_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(LibraryError, match="Nothing is published"):
        find_duplicates(Library(str(tmp_path / "none"), cache))


def forget(library: Library, *arguments: str | Path, typed: str = "") -> Result:
    return CliRunner().invoke(
        app, ["forget", *map(str, arguments), "--library", library.uri], input=typed, catch_exceptions=True
    )


def indexed(library: Library, photos: Path) -> set[str]:
    catalog = open_catalog(library.open())
    names = {str(Path(catalog.row(item).uri).relative_to(photos)) for item in range(catalog.images)}
    catalog.close()
    return names


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINDIMG_ENGINE", "local")


@pytest.mark.usefixtures("engine")
def test_dry_run_names_everything_and_changes_nothing(library: Library, photos: Path) -> None:
    before = library.find_live_version()
    result = forget(library, photos / "cat.png", photos / "mirrored.png", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        f"Forget: {photos / 'cat.png'}",
        f"Forget: {photos / 'mirrored.png'}",
        f"Copy, stays: {photos / 'backup/cat (1).png'}",
        f"Copy, stays: {photos / 'backup/cat.png'}",
        f"Near-duplicate, stays: {photos / 'coffee-small.jpg'}",
        f"Near-duplicate, stays: {photos / 'coffee.png'}",
        "Nothing was changed.",
    ]
    assert (library.find_live_version(), len(indexed(library, photos))) == (before, 7)


@pytest.mark.usefixtures("engine")
def test_copies_and_near_duplicates_are_forgotten_on_request(library: Library, photos: Path) -> None:
    result = forget(library, photos / "cat.png", photos / "coffee.png", "--copies", "--near-duplicates")
    assert result.exit_code == 0, result.output
    assert indexed(library, photos) == {"rocket.png"}


@pytest.mark.usefixtures("engine")
def test_earlier_versions_are_deleted_only_after_a_yes(library: Library, photos: Path, run: Run) -> None:
    first = library.find_live_version()
    assert first
    (photos / "rocket.png").unlink()
    run(library.uri, photos)
    result = forget(library, photos / "mirrored.png", typed="n\n")
    assert first in result.stdout
    assert isinstance(result.exception, LibraryError)
    assert "Nothing was changed." in str(result.exception)
    assert isinstance(forget(library, photos / "mirrored.png").exception, LibraryError)
    assert first in library.versions()
    assert "mirrored.png" in indexed(library, photos)
    result = forget(library, photos / "mirrored.png", typed="y\n")
    assert result.exit_code == 0, result.output
    assert str(photos / "coffee.png") in result.stdout, "near-duplicates that stay are named"
    assert first not in library.versions()
    assert indexed(library, photos) == {
        "backup/cat (1).png",
        "backup/cat.png",
        "cat.png",
        "coffee-small.jpg",
        "coffee.png",
    }


def test_every_copy_of_a_forgotten_image_is_named(library: Library, photos: Path, cache: Path) -> None:
    report = run_forget(Settings(library=library.uri, cache=cache, engine="local"), [str(photos / "cat.png")])
    assert report.copies == (str(photos / "backup/cat (1).png"), str(photos / "backup/cat.png"))
