"""Test the wheel in empty environments."""

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from findimg_bot.slack.manifest import read_manifest
from tests.bot.team import WorkspaceThread

pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[1]
PACKED = ("pyproject.toml", "README.md", "LICENSE", "shared", "jobs", "bot")
SEARCH = """
import sys, findimg
library, cache, image = sys.argv[1:]
with findimg.open(library, cache=cache) as opened:
    print(opened.search("cat", k=1)[0].uri)
    print(opened.similar(image, k=1)[0].uri)
    print(", ".join(tag.word for tag in opened.tags(image, k=5)))
print(findimg.__file__)
"""
HEAVY = {"ray", "tensorflow", "keras", "h5py", "pyarrow", "slack_sdk", "slack_bolt", "typer", "rich"}


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment outside the project."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def run(self, *command: str | Path, **variables: str) -> str:
        """Run a program and return its standard output."""
        clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        done = subprocess.run(
            [str(each) for each in command],
            cwd=self.folder,
            env=clean | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def install(self, *requirements: str | Path) -> None:
        self.run(self.python, "-m", "pip", "install", "-qq", *requirements, "-c", PROJECT / "constraints.txt")

    def importable(self, names: set[str]) -> set[str]:
        code = "import sys, importlib.util as u; print(*(n for n in sys.argv[1:] if u.find_spec(n)))"
        return set(self.run(self.python, "-c", code, *sorted(names)).split())


def make_environment(folder: Path, *requirements: str | Path) -> Environment:
    venv.create(folder, with_pip=True)
    environment = Environment(folder)
    environment.install(*requirements)
    return environment


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a wheel, built from a copy of the project because a build leaves files behind."""
    copy, folder = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("wheel")
    for name in PACKED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
        else:
            shutil.copy(PROJECT / name, copy / name)
    command = [sys.executable, "-m", "pip", "wheel", "-qq", "--no-deps", "-w", str(folder), str(copy)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("findimg-*.whl")
    return built


@pytest.fixture(scope="module")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment with findimg and its base dependencies only."""
    return make_environment(tmp_path_factory.mktemp("base"), wheel)


@pytest.fixture
def photograph(samples: Path, tmp_path: Path) -> Path:
    """Return a file that is not in the library."""
    return Path(shutil.copy(samples / "cat.png", tmp_path / "new.png"))


def check_search(environment: Environment, library: str, samples: Path, photograph: Path, cache: Path) -> None:
    found = environment.run(environment.python, "-c", SEARCH, library, cache, photograph).splitlines()
    assert found[:2] == [str(samples / "cat.png")] * 2
    assert "cat" in found[2].split(", ")
    assert Path(found[3]).is_relative_to(environment.folder), "the installed package was used, not the project"
    assert list(cache.rglob("*.tflite")) == [], "the encoder came from the library"


def test_base_install_searches_by_words_and_by_image(
    base: Environment, library: str, samples: Path, photograph: Path, tmp_path: Path
) -> None:
    assert base.importable(HEAVY) == set()
    check_search(base, library, samples, photograph, tmp_path / "cache")


def test_encoder_that_needs_tensorflow_names_the_extra(base: Environment, tmp_path: Path) -> None:
    (tmp_path / "vgg.h5").write_bytes(b"")
    code = (
        "from pathlib import Path\n"
        "from findimg.models.store import ModelStore\n"
        "from findimg.encoders.registry import build_encoder\n"
        "from findimg.errors import ModelError\n"
        "try:\n"
        f"    build_encoder('vgg16', ModelStore(Path({str(tmp_path)!r})), {str(tmp_path / 'vgg.h5')!r})\n"
        "except ModelError as error:\n"
        "    print(error)\n"
    )
    assert base.run(base.python, "-c", code).strip().endswith("is not installed. Run pip install 'findimg[vgg]'.")


def test_wheel_holds_the_three_packages_whole_and_nothing_else(base: Environment) -> None:
    (installed,) = base.folder.glob("lib/python*/site-packages/findimg-*.dist-info")
    record = (installed / "RECORD").read_text().splitlines()
    tops = {line.split("/")[0] for line in record if not line.startswith(("../", installed.name))}
    assert tops == {"findimg", "findimg_jobs", "findimg_bot"}
    packed = {line.split(",")[0] for line in record}
    tracked = subprocess.check_output(["git", "ls-files", "shared", "jobs", "bot"], cwd=PROJECT, text=True)
    assert packed >= {path.split("/", 1)[1] for path in tracked.splitlines()}


def test_unrelated_packages_named_shared_and_jobs_do_no_harm(
    base: Environment, library: str, samples: Path, photograph: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    for name in ("shared", "jobs"):
        (tmp_path / "other" / name).mkdir()
        (tmp_path / "other" / name / "__init__.py").write_text(f"NAME = 'unrelated {name}'\n")
    (tmp_path / "other" / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "unrelated"\nversion = "1"\n[tool.setuptools]\npackages = ["shared", "jobs"]\n'
    )
    base.install(tmp_path / "other")
    assert base.run(base.python, "-c", "import shared, jobs; print(jobs.NAME)") == "unrelated jobs\n"
    check_search(base, library, samples, photograph, tmp_path / "cache")


def test_bot_install_passes_the_doctor_and_answers(
    wheel: Path, library: str, samples: Path, photograph: Path, tmp_path: Path
) -> None:
    bot = make_environment(tmp_path / "bot", f"findimg[bot] @ {wheel.as_uri()}")
    assert bot.importable({"ray", "tensorflow", "keras", "h5py", "pyarrow", "slack_bolt"}) == {"slack_bolt"}
    slack = WorkspaceThread(read_manifest())
    try:
        settings = {
            "FINDIMG_LIBRARY": library,
            "FINDIMG_CACHE": str(tmp_path / "cache"),
            "FINDIMG_STATE": str(tmp_path / "state.sqlite"),
            "FINDIMG_SLACK_API_URL": slack.workspace.api_url,
            "FINDIMG_SLACK_BOT_TOKEN": slack.workspace.bot_token,
            "FINDIMG_SLACK_APP_TOKEN": slack.workspace.app_token,
        }
        findings = bot.run(bot.folder / "bin" / "findimg-bot", "doctor", **settings)
    finally:
        slack.stop()
    assert "efficientnet-lite0" in findings
    answer = bot.run(
        bot.folder / "bin" / "findimg-bot", "ask", "/similar", "--image", photograph, "-k", "1", "--json", **settings
    )
    assert str(samples / "cat.png") in answer
