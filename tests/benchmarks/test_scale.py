"""Run the scale benchmark in its short form."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


@pytest.mark.long
def test_scale_benchmark_measures_every_step_and_cleans_up() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--images", "500", "--engine", "local"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line.get("name") for line in lines] == [
        "commit",
        "plan",
        "merge_and_publish",
        "search",
        "night",
        "search",
        "switch",
        None,
    ]
    assert all(line["own"] > 0 and line["cpu"] > 0 for line in lines[:-1])
    assert lines[2]["notes"]["segments"][0][1]["counts"] == [500]
    assert all(lines[place]["notes"]["text, ms"]["median"] > 0 for place in (3, 5))
    night = lines[4]["notes"]
    assert night["segments"] == [1400]  # so few images are merged with the new ones, without those that are gone
    assert night["MB written"] > 0
    assert 0 < night["MB that a bot fetches"] < night["MB written"]
    switch = lines[6]["notes"]
    assert switch["segments"] == [1400, 100]
    assert switch["switch, s"] > 0
    assert lines[-1]["embedding store, MB"] > 0
