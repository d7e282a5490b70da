import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from typer.testing import CliRunner

from findimg.errors import LibraryError
from findimg.library.layout import DUPLICATES_FILE
from findimg.library.library import Library
from findimg_jobs.cli.root import app
from findimg_jobs.maintenance.duplicates import find_duplicates
from findimg_jobs.reporting.run_report import RunReport

Run = Callable[..., RunReport]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photographs of a folder: one has two copies, another was encoded again and mirrored, one is alone."""
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
    path = library.open().folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["files"][DUPLICATES_FILE]
    path.write_text(json.dumps(manifest))
    assert find_duplicates(library) == expected


def test_command_prints_a_table_or_json(library: Library) -> None:
    told = CliRunner().invoke(app, ["duplicates", "--library", library.uri])
    assert told.exit_code == 0, told.output
    assert "7 images: 2 copies take " in told.stdout
    assert "near-duplicate" in told.stdout
    told = CliRunner().invoke(app, ["duplicates", "--library", library.uri, "--json"])
    printed = json.loads(told.stdout)
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
    told = CliRunner().invoke(app, ["duplicates", "--library", str(tmp_path / "library")])
    assert told.stdout == "1 images: 0 copies take 0 bytes, 0 near-duplicates take 0 bytes.\n"


def test_nothing_published_is_an_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(LibraryError, match="Nothing is published"):
        find_duplicates(Library(str(tmp_path / "none"), cache))
