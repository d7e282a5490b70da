"""Test that the sample photographs are real, named after their content, and have their sources listed."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from findimg.errors import StorageError
from findimg_jobs.datasets.samples import SAMPLES, SOURCES, copy_samples


def _state(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != SOURCES}


def test_every_sample_is_a_photograph(tmp_path: Path) -> None:
    samples = copy_samples(tmp_path / "new" / "folder")
    assert len(samples) >= 30
    for sample in samples:
        with Image.open(tmp_path / "new" / "folder" / sample.name) as image:
            image.load()
            assert min(image.size) >= 256


def test_only_samples_and_sources_are_written(tmp_path: Path) -> None:
    samples = copy_samples(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {sample.name for sample in samples} | {SOURCES}


def test_every_sample_is_listed_with_source_and_licence(tmp_path: Path) -> None:
    copy_samples(tmp_path)
    rows = (tmp_path / SOURCES).read_text().splitlines()
    for sample in SAMPLES:
        (row,) = [row for row in rows if row.startswith(f"| {sample.name} |")]
        assert all(len(cell.strip()) > 2 for cell in row.strip("|").split("|"))


def test_sample_names_and_pictures_are_unique(tmp_path: Path) -> None:
    samples = copy_samples(tmp_path)
    assert len({(tmp_path / sample.name).read_bytes() for sample in samples}) == len(samples)


def test_second_call_keeps_photographs_and_restores_a_missing_one(tmp_path: Path) -> None:
    copy_samples(tmp_path)
    before = _state(tmp_path)
    (tmp_path / SAMPLES[0].name).unlink()
    copy_samples(tmp_path)
    after = _state(tmp_path)
    assert after.pop(SAMPLES[0].name) > before.pop(SAMPLES[0].name)
    assert after == before


def test_different_file_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "cat.png"
    mine.write_bytes(b"my own cat")
    with pytest.raises(StorageError, match=r"cat\.png differs from the sample.*empty folder"):
        copy_samples(tmp_path)
    assert mine.read_bytes() == b"my own cat"
    assert list(tmp_path.iterdir()) == [mine]


def test_missing_package_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not Path(entry, "foolbox").is_dir()])
    with pytest.raises(StorageError, match=r"which is not installed.*findimg\[samples\]"):
        copy_samples(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_target_that_is_a_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        copy_samples(tmp_path / "file")
