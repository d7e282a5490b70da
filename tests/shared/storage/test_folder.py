import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from findimg.errors import StorageError
from findimg.storage.base import open_storage
from findimg.storage.folder import FolderStorage


def keys(place: str, prefix: str = "") -> list[str]:
    return sorted(entry.key for entry in open_storage(place).list(prefix))


def test_sweep_deletes_old_temporary_files_only(tmp_path: Path) -> None:
    opened = FolderStorage(str(tmp_path))
    opened.write("a/x", b"")
    for name in (".draft-0123456789abcdef", "a/.draft-fedcba9876543210", ".draft-mine"):
        (tmp_path / name).write_bytes(b"half")
    assert opened.sweep(60) == 0
    assert opened.sweep(0) == 2
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [".draft-mine", "x"]


def test_full_disk_keeps_the_old_object_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    opened = FolderStorage(str(tmp_path))
    opened.write("x", b"old")
    (tmp_path / "source").write_bytes(bytes(100_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for fill in (
        lambda: opened.write("x", bytes(100_000)),
        lambda: opened.upload(tmp_path / "source", "x"),
        lambda: opened.create("y", bytes(100_000)),
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
        try:
            with pytest.raises(StorageError, match=r"/[xy] cannot be written: File too large\. Check"):
                fill()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert opened.read("x") == b"old"
    assert sorted(os.listdir(tmp_path)) == ["source", "x"]


def test_temporary_files_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / ".draft-0123").write_bytes(b"half")
    (tmp_path / ".hidden").write_bytes(b"whole")
    assert keys(str(tmp_path)) == [".hidden"]


def test_written_files_get_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FolderStorage(str(tmp_path)).write("x", b"")
        assert FolderStorage(str(tmp_path)).create("y", b"")
    finally:
        os.umask(before)
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in "xy"] == ["0o640", "0o640"]


def test_link_loops_end_and_linked_folders_are_listed_once(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/far").write_bytes(b"")
    top = tmp_path / "top"
    (top / "b").mkdir(parents=True)
    (top / "b/x").write_bytes(b"")
    (top / "a").symlink_to(top / "b")  # before b in the alphabet, and yet b/x is the address
    (top / "b/up").symlink_to(top)
    (top / "out").symlink_to(tmp_path / "outside")
    (top / "file").symlink_to(top / "b/x")
    assert keys(str(top)) == ["b/x", "file", "out/far"]


def test_dangling_links_and_pipes_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "below a file").symlink_to("x/y")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "long").symlink_to("n" * 300)
    os.mkfifo(tmp_path / "pipe.jpg")
    assert keys(str(tmp_path)) == ["x"]


def test_file_in_place_of_the_root_folder_is_an_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    opened = open_storage(tmp_path / "file")
    for attempt, done in {
        (lambda: list(opened.list())): "listed",
        (lambda: opened.read("x")): "read",
        (lambda: opened.write("x", b"")): "written",
        (lambda: opened.create("x", b"")): "written",
        (lambda: opened.delete("x")): "deleted",
    }.items():
        with pytest.raises(StorageError, match=rf"{tmp_path}/file(/x)? cannot be {done}: \w+.*\. Check the path"):
            attempt()
    assert not opened.exists("x")


def test_unreadable_folder_is_an_error_not_an_empty_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/x").write_bytes(b"")
    (tmp_path / "closed").chmod(0)
    if os.access(tmp_path / "closed", os.R_OK):  # root may read everything: the system call has to be refused by hand
        scandir = os.scandir

        def refuse(path: str) -> Iterator[os.DirEntry[str]]:
            if path.endswith("closed"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(StorageError, match=r"closed cannot be listed: Permission denied\. Check"):
        keys(str(tmp_path))
