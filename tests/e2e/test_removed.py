"""Remove one required part at a time and expect one sentence that names it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from findimg_bot.slack.manifest import read_manifest
from tests.bot.team import WorkspaceThread, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root cannot give up its rights"),
]
# Root may read and write whatever the modes of files say, unless it gives that right up.
MERE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.geteuid() == 0 else []


@dataclass
class Bench:
    """A complete setup for all commands. Each test removes one part."""

    folder: Path
    variables: dict[str, str]

    @property
    def library(self) -> Path:
        return Path(self.variables["FINDIMG_LIBRARY"])

    @property
    def version(self) -> Path:
        return self.library / "versions" / (self.library / "CURRENT").read_text().strip()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a user whom file modes restrict."""
        name, *rest = (each.replace("PORT", str(free_port())) for each in arguments)
        command = [*MERE, str(Path(sys.executable).with_name(name)), *rest]
        return subprocess.run(command, cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def slack() -> Iterator[WorkspaceThread]:
    slack = WorkspaceThread(read_manifest())
    yield slack
    slack.stop()


@pytest.fixture
def bench(library: str, samples: Path, slack: WorkspaceThread, tmp_path: Path) -> Bench:
    shutil.copytree(library, tmp_path / "library")
    (tmp_path / "pictures").mkdir()
    shutil.copy(samples / "cat.png", tmp_path / "pictures")
    outer = {name: value for name, value in os.environ.items() if not name.startswith(("FINDIMG_", "AWS_"))}
    bench = Bench(
        tmp_path,
        outer
        | {
            "HOME": str(tmp_path),
            "FINDIMG_LIBRARY": str(tmp_path / "library"),
            "FINDIMG_CACHE": str(tmp_path / "cache"),
            "FINDIMG_STATE": str(tmp_path / "state" / "bot.sqlite"),
            "FINDIMG_ENGINE": "local",
            "FINDIMG_SLACK_API_URL": slack.workspace.api_url,
            "FINDIMG_SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "FINDIMG_SLACK_APP_TOKEN": slack.workspace.app_token,
            "FINDIMG_SLACK_SIGNING_SECRET": slack.workspace.signing_secret,
        },
    )
    (tmp_path / "cache").mkdir()
    (tmp_path / "state").mkdir()
    return bench


def unset(name: str) -> Callable[[Bench], None]:
    return lambda bench: bench.variables.pop(name) and None


def lose(path: str) -> Callable[[Bench], None]:
    def lose(bench: Bench) -> None:
        target = bench.folder / path
        if path.startswith("VERSION/"):
            name = path.removeprefix("VERSION/")
            (target,) = [*bench.library.glob(f"segments/*/{name}"), *bench.version.glob(name)]
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return lose


def forbid(path: str, mode: int = 0) -> Callable[[Bench], None]:
    return lambda bench: (bench.folder / path).chmod(mode)


INDEX = ("findimg-jobs", "index", "pictures")
ASK = ("findimg-bot", "ask", "/findimg cat")
SOCKET = ("findimg-bot", "serve")
HTTP = ("findimg-bot", "serve", "--http", "127.0.0.1:PORT")
DOCTOR = ("findimg-bot", "doctor")


@pytest.mark.parametrize(
    ("take", "command", "named"),
    [
        (unset("FINDIMG_LIBRARY"), INDEX, "FINDIMG_LIBRARY"),
        (lose("pictures"), INDEX, "'pictures'"),
        (lose("pictures/cat.png"), INDEX, "no image in pictures"),
        (forbid("pictures"), INDEX, "No image could be read"),
        (forbid("library", 0o500), INDEX, "library"),
        (forbid("library"), INDEX, "library"),
        (unset("FINDIMG_LIBRARY"), ASK, "FINDIMG_LIBRARY"),
        (lose("library"), ASK, "library"),
        (lose("library/CURRENT"), ASK, "library"),
        (lose("VERSION/manifest.json"), ASK, "has no version"),
        (lose("VERSION/catalog.sqlite"), ASK, "catalog.sqlite"),
        (lose("VERSION/joint.f16"), ASK, "joint.f16"),
        (lose("VERSION/visual.f16"), ASK, "visual.f16"),
        (forbid("library"), ASK, "library"),
        (unset("FINDIMG_LIBRARY"), SOCKET, "FINDIMG_LIBRARY"),
        (unset("FINDIMG_SLACK_BOT_TOKEN"), SOCKET, "FINDIMG_SLACK_BOT_TOKEN"),
        (unset("FINDIMG_SLACK_APP_TOKEN"), SOCKET, "FINDIMG_SLACK_APP_TOKEN"),
        (forbid("state", 0o500), SOCKET, "--state"),
        (unset("FINDIMG_LIBRARY"), HTTP, "FINDIMG_LIBRARY"),
        (unset("FINDIMG_SLACK_BOT_TOKEN"), HTTP, "FINDIMG_SLACK_BOT_TOKEN"),
        (unset("FINDIMG_SLACK_SIGNING_SECRET"), HTTP, "FINDIMG_SLACK_SIGNING_SECRET"),
        (forbid("state", 0o500), HTTP, "--state"),
    ],
)
def test_missing_part_is_named_in_one_sentence(
    bench: Bench, take: Callable[[Bench], None], command: tuple[str, ...], named: str
) -> None:
    take(bench)
    done = bench.run(*command)
    assert done.returncode in (2, 3), done.stdout + done.stderr
    # A run also reports its status, as JSON lines where no terminal shows it.
    said = [line for line in done.stderr.strip().splitlines() if not line.startswith("{")]
    assert named in said[-1]
    assert "Traceback" not in done.stderr
    assert len(said) == 1, done.stderr


def test_doctor_names_several_missing_parts(bench: Bench) -> None:
    for take in (
        unset("FINDIMG_LIBRARY"),
        unset("FINDIMG_SLACK_BOT_TOKEN"),
        unset("FINDIMG_SLACK_APP_TOKEN"),
        forbid("state", 0o500),
    ):
        take(bench)
    done = bench.run(*DOCTOR)
    assert done.returncode == 2
    for named in ("FINDIMG_LIBRARY", "FINDIMG_SLACK_BOT_TOKEN", "FINDIMG_SLACK_APP_TOKEN", "--state"):
        assert sum(named in line and line.startswith("fix") for line in done.stdout.splitlines()) >= 1, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
