"""Test that text is read once, later, after interruptions and around broken images, and that searches find it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import findimg
from findimg.errors import ImageError, ModelError, SettingsError
from findimg.library.layout import thumbnail_key
from findimg.library.library import Library
from findimg.models.store import ModelStore
from findimg.ocr import engine
from findimg.ocr.reader import TextReader
from findimg.settings import Settings
from findimg_jobs.maintenance.prune import DAY, prune
from findimg_jobs.reporting.run_report import RunReport
from findimg_jobs.text_reading import text_worker
from findimg_jobs.text_reading.live_text import LiveTextReport, read_live_text
from findimg_jobs.text_store.text_shards import read_committed_texts
from tests.jobs.maintenance.test_prune import age, pretend
from tests.shared.ocr.drawn_text import draw_lines
from tests.shared.ocr.made_recogniser import make_recogniser
from tests.text_keys import text_failures, text_keys

pytestmark = pytest.mark.slow
Run = Callable[..., RunReport]


@pytest.fixture
def folder(pictures: Path) -> Path:
    """Return six coloured images, a screenshot, its copy, and a page."""
    draw_lines("Server error 500", "Try again later", width=600, height=400).save(pictures / "screenshot.png")
    draw_lines("Server error 500", "Try again later", width=600, height=400).save(pictures / "copy.png")
    draw_lines("Minutes of the weekly meeting", size=24, width=800, height=500).save(pictures / "page.jpg")
    return pictures


@pytest.fixture
def texts_read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Return the sizes of all pictures whose text is read."""
    read: list[tuple[int, int]] = []
    original = TextReader.read

    def noted(self: TextReader, picture: Image.Image) -> Any:
        read.append(picture.size)
        return original(self, picture)

    monkeypatch.setattr(TextReader, "read", noted)
    return read


@pytest.fixture
def read_later(tmp_path: Path, cache: Path) -> Callable[..., LiveTextReport]:
    """Read the text of `tmp_path/library` without Ray."""

    def read_later(**flags: Any) -> LiveTextReport:
        return read_live_text(Settings(library=str(tmp_path / "library"), cache=cache, engine="local", **flags))

    return read_later


def found(library: str, query: str, cache: Path) -> list[str]:
    with findimg.open(library, cache=cache) as opened:
        return sorted(Path(hit.uri).name for hit in opened.search(query, k=5))


def test_written_words_find_their_image_after_indexing(tmp_path: Path, folder: Path, run: Run, cache: Path) -> None:
    library = str(tmp_path / "library")
    report = run(library, folder, read_text="all")
    assert (report.text.images, report.text.read, report.text.failed) == (8, 8, 0)
    assert report.text.images_per_second > 0
    assert any(line.startswith("Text: 8 of 8 images read; ") for line in report.lines())
    assert found(library, 'text:"weekly meeting"', cache) == ["page.jpg"]
    with findimg.open(library, cache=cache) as opened:
        (hit,) = opened.search('text:"error 500"', k=5)
    assert {Path(hit.uri).name, *(Path(uri).name for uri in hit.copies)} == {"screenshot.png", "copy.png"}


def test_text_is_read_once(
    tmp_path: Path, folder: Path, run: Run, texts_read: list[tuple[int, int]], read_later: Callable[..., LiveTextReport]
) -> None:
    run(str(tmp_path / "library"), folder, read_text="all")
    assert texts_read.count((600, 400)) == 1, "equal content is read once"
    texts_read.clear()
    draw_lines("A new sign", size=40, width=500, height=300).save(folder / "sign.png")
    (folder / "page.jpg").rename(folder / "renamed.jpg")
    report = run(str(tmp_path / "library"), folder, read_text="all")
    assert (texts_read, report.text.images) == ([(500, 300)], 1)
    again = read_later(read_text="all")
    assert again.text.images == 0
    assert again.manifest.version == report.version
    assert again.lines()[0] == "Text: all images were read before."


def test_first_look_leaves_out_images_without_text(
    tmp_path: Path,
    samples: Path,
    run: Run,
    texts_read: list[tuple[int, int]],
    read_later: Callable[..., LiveTextReport],
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    shutil.copy(samples / "dalmatian.jpg", mixed)
    draw_lines("Minutes of the weekly meeting", size=24, width=800, height=500).save(mixed / "page.jpg")
    with Image.open(mixed / "dalmatian.jpg") as photograph:
        size = photograph.size
    report = run(str(tmp_path / "library"), mixed, read_text="likely")
    assert (report.text.images, report.text.read) == (2, 1)
    assert texts_read == [(800, 500)]
    texts_read.clear()
    thorough = read_later(read_text="all")
    assert (thorough.text.images, thorough.text.read) == (1, 1)
    assert texts_read == [size]


def test_small_picture_is_read_where_it_looks_like_text_and_later_as_a_whole(
    tmp_path: Path,
    samples: Path,
    run: Run,
    cache: Path,
    texts_read: list[tuple[int, int]],
    read_later: Callable[..., LiveTextReport],
) -> None:
    (tmp_path / "small").mkdir()
    with Image.open(samples / "dalmatian.jpg") as photograph:
        picture = photograph.convert("RGB").resize((320, 240))
    picture.paste(draw_lines("Way out", size=24, width=170, height=84), (0, 156))
    picture.save(tmp_path / "small" / "sign.png")
    report = run(str(tmp_path / "library"), tmp_path / "small", read_text="likely")
    assert (report.text.images, report.text.read, texts_read) == (1, 1, [])
    assert found(str(tmp_path / "library"), 'text:"way out"', cache) == ["sign.png"]
    assert read_later().text.images == 0
    assert read_later(read_text="all").text.images == 1
    assert texts_read == [(320, 240)]


def test_version_without_text_gets_it_later_and_nothing_is_embedded(
    tmp_path: Path, folder: Path, run: Run, cache: Path, reads: list[str], read_later: Callable[..., LiveTextReport]
) -> None:
    library = str(tmp_path / "library")
    first = run(library, folder)
    assert found(library, 'text:"weekly meeting"', cache) == []
    reads.clear()
    later = read_later()
    assert reads == []
    assert later.manifest.version != first.version
    assert found(library, 'text:"weekly meeting"', cache) == ["page.jpg"]
    assert run(library, folder).outcome == "unchanged", "without the flag, the text stays"


def test_image_whose_text_cannot_be_read_fails_alone(
    tmp_path: Path, folder: Path, run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = str(tmp_path / "library")
    original = TextReader.read

    def poisoned(self: TextReader, picture: Image.Image) -> Any:
        if picture.size == (800, 500):
            raise ImageError("Its text cannot be read: RuntimeError.")
        return original(self, picture)

    monkeypatch.setattr(TextReader, "read", poisoned)
    report = run(library, folder, read_text="all")
    assert (report.text.images, report.text.failed, report.failed) == (7, 1, 0)
    assert report.images == 9, "the image is found by what it shows"
    (failure,) = text_failures(read_committed_texts(Library(library, cache).storage))
    assert (Path(failure.uri).name, failure.transient) == ("page.jpg", False)
    assert run(library, folder, read_text="all").text.failed == 0, "it is not tried again"


@pytest.mark.long
def test_source_that_is_away_is_read_in_a_later_run(
    tmp_path: Path, folder: Path, run: Run, read_later: Callable[..., LiveTextReport]
) -> None:
    run(str(tmp_path / "library"), folder)
    page = folder / "page.jpg"
    page.rename(tmp_path / "away.jpg")
    assert read_later(read_text="all").text.failed == 1
    (tmp_path / "away.jpg").rename(page)
    assert read_later(read_text="all").text.images == 1


@pytest.mark.long
def test_changed_file_is_not_read_as_what_it_was(
    tmp_path: Path, folder: Path, run: Run, cache: Path, read_later: Callable[..., LiveTextReport]
) -> None:
    library = str(tmp_path / "library")
    run(library, folder)
    draw_lines("Something else entirely", width=600, height=400).save(folder / "page.jpg")
    assert read_later(read_text="all").text.failed == 1
    assert found(library, 'text:"something else"', cache) == []


def test_missing_extra_is_noticed_before_anything_is_read(
    tmp_path: Path, folder: Path, run: Run, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="needs the extra ocr"):
        run(str(tmp_path / "library"), folder, read_text="likely")
    assert reads == []
    assert not (tmp_path / "library").exists()
    assert run(str(tmp_path / "library"), folder).outcome == "published", "without the setting nothing is missing"


def test_images_are_read_again_with_a_further_script(tmp_path: Path, folder: Path, run: Run) -> None:
    own = tmp_path / "cache"
    model = make_recogniser(tmp_path / "model.onnx", "δρομος", 1.0)
    library = str(tmp_path / "library")
    run(library, folder, read_text="all")
    assert not found(library, "text:δρομος", own)
    ModelStore(own / "models").pull("ocr-greek", str(model))
    greek = Settings(library=library, cache=own, engine="local", read_text="all", text_scripts="greek")
    assert read_live_text(greek).text.read == 8, "equal content is read once"
    assert read_live_text(greek).text.images == 0
    assert found(library, "text:δρομος", own)


def test_missing_model_of_a_script_is_noticed_before_anything_is_read(
    tmp_path: Path, folder: Path, run: Run, reads: list[str]
) -> None:
    with pytest.raises(SettingsError, match="There is no script 'runes' for text_scripts"):
        run(str(tmp_path / "library"), folder, read_text="likely", text_scripts="runes")
    assert reads == []


def test_worker_with_other_models_is_refused(tmp_path: Path) -> None:
    task = text_worker.TextTask(
        str(tmp_path / "library"), "encoder", "rapidocr-of-another-release", "all", (), tmp_path
    )
    with pytest.raises(ModelError, match="another release of rapidocr"):
        task.open(1)


@pytest.mark.long
def test_image_without_thumbnail_is_read(
    tmp_path: Path, folder: Path, run: Run, cache: Path, read_later: Callable[..., LiveTextReport]
) -> None:
    library = Library(str(tmp_path / "library"), cache)
    run(library.uri, folder)
    for entry in list(library.storage.list("thumbnails")):
        library.storage.delete(entry.key)
    assert thumbnail_key("ab") not in {entry.key for entry in library.storage.list("thumbnails")}
    assert read_later(read_text="likely").text.read == 8


def test_prune_removes_text_that_no_version_uses(tmp_path: Path, folder: Path, run: Run, cache: Path) -> None:
    library = Library(str(tmp_path / "library"), cache)
    run(library.uri, folder, read_text="all")
    assert text_keys(read_committed_texts(library.storage))
    age(tmp_path / "library", 30 * DAY)
    prune(library, shard_size=256)
    assert len(text_keys(read_committed_texts(library.storage))) == 8, "the live version uses it"
    for path in folder.iterdir():
        path.unlink()
    draw_lines("The only page that stays", width=600, height=300).save(folder / "last.png")
    run(library.uri, folder, allow_shrink=True)
    age(tmp_path / "library", 30 * DAY)
    pretend(library, library.versions()[0], days=30)
    prune(library, shard_size=256, keep=0)
    assert not text_keys(read_committed_texts(library.storage))
