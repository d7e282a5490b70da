"""Run the benchmarks in their short form. Their figures are not checked."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.benchmarks.figures import in_turns
from tests.benchmarks.fuzz import fuzz

PROJECT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.long
def test_short_benchmark_prints_and_writes_figures(tmp_path: Path) -> None:
    # Not tmp_path: Ray's sockets lie below TMPDIR, and their paths may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="findimg-") as scratch:
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks", "--short", "--json", tmp_path / "figures.json"],
            cwd=PROJECT,
            env=os.environ | {"COLUMNS": "200", "TMPDIR": scratch},
            capture_output=True,
            text=True,
            timeout=600,
        )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "figures.json").read_text())
    names = [figure["name"] for figure in written["figures"]]
    assert written["machine"]["cpus"] == os.cpu_count()
    assert all(figure["value"] > 0 for figure in written["figures"])
    for name in (
        "efficientnet-lite0: indexing",
        "vgg16-gap: indexing",
        "a run on Ray, its start included",
        "a run on 200 unchanged images",
        "text query, 2,000 images, p99",
        "image query, 2,000 images, recall@10",
        "4 commands over http, acknowledged, p99",
    ):
        assert name in names
        assert name in done.stdout


def test_candidates_are_timed_in_turns_after_a_warm_up() -> None:
    ran: list[str] = []
    spent = in_turns({"one": lambda: ran.append("one"), "two": lambda: ran.append("two")}, rounds=3)

    assert ran == ["one", "two"] * 4
    assert spent.keys() == {"one", "two"}
    assert all(each.wall >= 0 for each in spent.values())


@pytest.mark.slow
def test_mutated_images_break_no_rule(tmp_path: Path) -> None:
    inputs, problems = fuzz(5, 1, tmp_path)
    assert inputs >= 100
    assert not problems
