"""Names of files that try to change the terminal, in every command that prints names."""

import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from findimg.settings import Settings
from findimg_jobs.indexing.run import index

FOLDER = "\x1b]0;owned\x07 [red] [/x] two\nlines \N{RIGHT-TO-LEFT OVERRIDE}gpj"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """A folder with a library of four images, two of them copies, in a folder with a hostile name."""
    root = tmp_path_factory.mktemp("hostile")
    source = root / FOLDER
    source.mkdir(parents=True)
    for number in range(4):
        # The first two have equal bytes.
        picture = Image.effect_mandelbrot((96, 64), (-2, -1, max(number, 1), 1), 40).convert("RGB")
        picture.save(source / f"{number}\x1b[2J.png")
    (source / "broken\x1b[2J.png").write_bytes(b"no image")
    index(Settings(library=str(root / "library"), cache=cache, engine="local"), [str(source)])
    return root


@pytest.fixture
def command(hostile: Path, cache: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def command(name: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"FINDIMG_CACHE": str(cache), "FINDIMG_ENGINE": "local"}
        path = Path(sys.executable).with_name(name)
        done = subprocess.run(
            [path, *arguments], cwd=hostile, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == code, done.stderr
        for char in (done.stdout + done.stderr).replace("\n", ""):
            assert unicodedata.category(char) not in ("Cc", "Cf"), (char, done.stdout, done.stderr)
        return done

    return command


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        (("findimg-jobs", "index", FOLDER, "--library", "library"), 0, r"broken\x1b[2J.png"),
        (("findimg-jobs", "duplicates", "--library", "library"), 0, r"two\nlines \u202egpj/1\x1b[2J.png"),
        (("findimg-jobs", "forget", f"{FOLDER}/0\x1b[2J.png", "--library", "library", "--dry-run"), 0, r"0\x1b[2J.png"),
        (("findimg-jobs", "forget", "\x1b[2J", "--library", "library"), 2, r"\x1b[2J"),
        (("findimg-bot", "ask", "fractal", "--library", "library"), 0, r"[red] [/x] two\nlines"),
        (("findimg-bot", "ask", "cat", "--library", "\x1b[2J"), 2, r"\x1b[2J"),
    ],
)
def test_name_is_escaped(
    command: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...], code: int, shown: str
) -> None:
    done = command(*arguments, code=code)
    assert shown in done.stdout + done.stderr
