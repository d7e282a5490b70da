"""Run the unit tests of the page's JavaScript with node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_javascript_unit_tests_pass() -> None:
    """Run every `*.test.js` beside this file."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("NOT TESTED: the page's JavaScript needs node 20 or newer, and there is no `node` on the PATH.")
    tests = sorted(Path(__file__).with_name("page").glob("*.test.js"))
    run = subprocess.run([node, "--test", *tests], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(tests) >= 3
