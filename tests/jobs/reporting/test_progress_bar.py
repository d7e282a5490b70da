import json
from collections.abc import Iterator

import pytest

from findimg_jobs.reporting import progress_bar
from findimg_jobs.reporting.progress_bar import show_progress
from findimg_jobs.store.shards import ShardStats

SHARDS = [ShardStats(str(number), images=10, embedded=10, failed=0, bytes_read=0) for number in range(3)]


def test_progress_without_terminal_is_json_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_bar, "_LINE_INTERVAL", 0.0)
    assert list(show_progress(iter(SHARDS), 30)) == SHARDS
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["done"], line["of"]) for line in lines] == [(10, 30), (20, 30), (30, 30)]
    assert lines[-1]["seconds_left"] == 0
    assert lines[-1]["images_per_second"] > 0


def test_short_run_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    list(show_progress(iter(SHARDS), 30))
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    list(show_progress(iter(SHARDS), 30))
    shown = capsys.readouterr().err
    assert "30/30" in shown
    assert "images/s" in shown


def test_shards_are_yielded_one_by_one() -> None:
    asked: list[str] = []

    def shards() -> Iterator[ShardStats]:
        for shard in SHARDS:
            asked.append(shard.shard)
            yield shard

    next(show_progress(shards(), 30))
    assert asked == ["0"]
