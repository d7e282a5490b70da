"""Folders that killed runs leave are deleted, and those of running processes are not."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from findimg_jobs.tables.temporary_folders import LockedFolder, build_folder

# Like a run: keys in one folder, a version that is built in another.
RUN = """
import sys
from findimg_jobs.tables.source_records import SourceImage
from findimg_jobs.tables.image_table import ImageTable
from findimg_jobs.tables.temporary_folders import build_folder

images = ImageTable.of([SourceImage("a.jpg", "1")])
with build_folder() as folder:
    (folder / "visual.f16").write_bytes(b"vectors")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def process(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", RUN]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=os.environ | {"TMPDIR": str(temporary)}
    ) as run:
        assert run.stdout
        assert run.stdout.readline() == "ready\n"
        yield run
        run.kill()


def names(folder: Path) -> set[str]:
    return {path.name.rpartition("-")[0] for path in folder.iterdir()}


def test_folders_of_a_killed_run_are_deleted_by_the_next_one(temporary: Path, process: subprocess.Popen[str]) -> None:
    left = set(temporary.iterdir())
    assert names(temporary) == {"findimg-keys", "findimg-build"}
    process.kill()
    process.wait()
    assert set(temporary.iterdir()) == left
    folder = LockedFolder("keys")
    assert set(temporary.iterdir()) == {folder.path.parent}
    folder.delete()
    assert not names(temporary)


def test_folders_of_a_running_process_stay(temporary: Path, process: subprocess.Popen[str]) -> None:
    before = set(temporary.iterdir())
    with build_folder():
        assert before < set(temporary.iterdir())
    assert set(temporary.iterdir()) == before
    assert process.communicate("")[0] == ""
    assert process.returncode == 0
    assert not names(temporary), "a run that ends leaves nothing"


def test_folders_that_no_run_locked_stay(temporary: Path) -> None:
    (temporary / "elsewhere").mkdir()
    (temporary / "findimg-keys-link").symlink_to(temporary / "elsewhere")
    (temporary / "findimg-keys-other").mkdir()
    (temporary / "findimg-keys-other" / "1.parquet").write_bytes(b"keys of an older release")
    before = set(temporary.iterdir())
    LockedFolder("keys").delete()
    assert set(temporary.iterdir()) == before


def test_temporary_folder_that_cannot_be_written_is_an_error(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("findimg_jobs.tables.temporary_folders._create_lock", full)
    with pytest.raises(OSError, match="No space left"):
        LockedFolder("keys")


def test_folders_are_made_where_the_file_system_has_no_locks(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("findimg_jobs.tables.temporary_folders.fcntl.flock", no_locks)
    first, second = LockedFolder("keys"), LockedFolder("build")
    assert first.path.is_dir()
    for folder in (first, second):
        folder.delete()
    assert not names(temporary)
