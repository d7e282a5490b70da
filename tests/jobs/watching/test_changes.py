import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from findimg_jobs.watching.changes import ChangeWatcher, WatchTimes, watch_folders

COMMAND = Path(sys.executable).with_name("findimg-jobs")
LONG = 60.0  # seconds that no test waits for


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[ChangeWatcher]:
    """Yield a watcher of a folder with a library in it."""
    (tmp_path / "photos" / "library").mkdir(parents=True)
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    watcher = ChangeWatcher(str(tmp_path / "photos" / "library"), WatchTimes(settle=0.3, every=LONG))
    with watch_folders([str(tmp_path / "photos")], watcher):
        yield watcher


def returns_within(watcher: ChangeWatcher, seconds: float) -> bool:
    waiter = threading.Thread(target=watcher.wait, daemon=True)
    waiter.start()
    waiter.join(seconds)
    return not waiter.is_alive()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "new.jpg").write_bytes(b"x"),
        lambda folder: (folder / "a.jpg").unlink(),
        lambda folder: (folder / "a.jpg").rename(folder / "b.jpg"),
        lambda folder: (folder / "a.jpg").write_bytes(b"changed"),
    ],
    ids=["new", "deleted", "renamed", "changed"],
)
def test_change_of_an_image_starts_a_run(
    watched: ChangeWatcher, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    change(tmp_path / "photos")
    assert returns_within(watched, 20)


def test_reading_and_the_library_itself_start_no_run(watched: ChangeWatcher, tmp_path: Path) -> None:
    (tmp_path / "photos" / "a.jpg").read_bytes()
    (tmp_path / "photos" / "library" / "CURRENT").write_text("v1")
    (tmp_path / "photos" / ".hidden.jpg").write_bytes(b"x")
    assert not returns_within(watched, 2)


def test_run_waits_until_changes_have_settled() -> None:
    watcher = ChangeWatcher("/nowhere", WatchTimes(settle=0.6, every=LONG))
    start = time.monotonic()
    watcher.note()
    later = threading.Timer(0.4, watcher.note)
    later.start()
    watcher.wait()
    assert time.monotonic() - start >= 1.0


def test_run_starts_after_the_interval_without_any_event() -> None:
    start = time.monotonic()
    ChangeWatcher("/nowhere", WatchTimes(settle=LONG, every=0.2)).wait()
    assert time.monotonic() - start < 20


def interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C, and again after ten seconds: Python drops an interrupt that arrives in a destructor."""
    while True:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=10)[1]


@pytest.mark.long
def test_watch_command_indexes_a_new_image(
    pictures: Path, draw: Callable[[Path, int], None], tmp_path: Path, cache: Path
) -> None:
    arguments = [COMMAND, "watch", pictures, "--library", tmp_path / "library", "--json", "--engine", "local"]
    process = subprocess.Popen(
        [*arguments, "--cache", cache, "--settle", "0.5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert json.loads(process.stdout.readline())["images"] == 6
    draw(pictures / "new.png", 9)
    assert json.loads(process.stdout.readline())["images"] == 7
    errors = interrupt(process)
    assert process.returncode == 0
    assert "Stopped." in errors
