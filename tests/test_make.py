"""Test that the Makefile checks its requirements first and installs exact versions."""

import os
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def said(result: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the Makefile's own messages, without those of make."""
    return [line for line in (result.stdout + result.stderr).splitlines() if not line.startswith("make")]


@pytest.mark.parametrize("target", ["demo", "test"])
def test_missing_compiler_is_reported_first(target: str, tmp_path: Path) -> None:
    result = make(target, f"VENV={tmp_path}/venv", "CXX=no-such-compiler")
    assert result.returncode != 0
    (sentence,) = said(result)
    assert re.search(r"C\+\+ compiler no-such-compiler is missing.*install one", sentence)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("python", ["no-such-python", "false"])
def test_missing_or_unsupported_python_is_reported(python: str, tmp_path: Path) -> None:
    result = make("test", f"VENV={tmp_path}/venv", f"PYTHON={python}")
    assert result.returncode != 0
    (sentence,) = said(result)
    assert re.search(rf"needs Python 3\.11, 3\.12 or 3\.13, and {python} is not.*PYTHON=", sentence)
    assert list(tmp_path.iterdir()) == []


def test_existing_environment_is_reused(tmp_path: Path) -> None:
    (tmp_path / ".installed").touch()
    assert "pip install" not in make("--dry-run", "test", f"VENV={tmp_path}").stdout


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_new_dependencies_update_the_environment(changed: str, tmp_path: Path) -> None:
    (tmp_path / ".installed").touch()
    assert "pip install" in make("--dry-run", "--what-if", changed, "test", f"VENV={tmp_path}").stdout


def test_constraints_are_exact_versions() -> None:
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.+]*", line), line
