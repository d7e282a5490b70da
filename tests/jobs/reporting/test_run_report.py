import json
from pathlib import Path

from findimg.storage.base import open_storage
from findimg_jobs.reporting.run_report import RunReport, ShardTotals, add_up_shards, write_report
from findimg_jobs.store.shards import ShardStats
from findimg_jobs.tables.source_records import Failure

FAILURES = [
    Failure("/p/a.jpg", "1", "It is empty.", transient=False),
    Failure("/p/b.jpg", "1", "It is truncated.", transient=False),
    Failure("/p/c.jpg", "1", "It is truncated.", transient=False),
]
REPORT = RunReport(
    run="r1",
    outcome="published",
    version="v1",
    seen=13,
    embedded=8,
    reused=2,
    removed=1,
    failed=3,
    images=10,
    images_per_second=61.54,
    seconds=12.3,
    stages={"list": 0.1, "embed": 10.0},
    work={"decode": 3.0},
    bytes_read=1000,
    retries=7,
    peak_memory=1_500_000_000,
    failures=FAILURES,
)


def test_summary_has_the_fields_of_index_json() -> None:
    assert list(REPORT.summary()) == [
        "run",
        "version",
        "seen",
        "embedded",
        "reused",
        "removed",
        "failed",
        "images",
        "images_per_second",
        "seconds",
    ]


def test_written_report_lists_every_failure_and_the_most_frequent_reason_first(place: str) -> None:
    write_report(open_storage(place), REPORT)
    written = json.loads(open_storage(place).read("runs/r1.json"))
    assert [Path(failure["uri"]).name for failure in written["failures"]] == ["a.jpg", "b.jpg", "c.jpg"]
    assert written["top_errors"][0] == {"reason": "It is truncated.", "count": 2, "example": "/p/b.jpg"}


def test_report_lines_describe_the_run() -> None:
    text = "\n".join(REPORT.lines())
    assert "13 images seen: 8 embedded, 2 reused, 3 failed; 1 removed." in text
    assert "7 requests to storages were retried." in text
    assert "0.0 MB read; peak memory of one process 1500 MB." in text
    assert "2 × It is truncated. For example /p/b.jpg" in text
    assert text.endswith("Published. Version v1 with 10 images is live.")


def test_shard_statistics_are_added_up() -> None:
    shards = [
        ShardStats("a", 5, 4, 1, 100, {"read": 0.5, "model": 2.0}, memory=300),
        ShardStats("b", 5, 5, 0, 50, {"read": 0.25}, retries=3, memory=200),
    ]
    assert add_up_shards(shards) == ShardTotals(9, 150, 3, 0, 300, {"read": 0.75, "model": 2.0})
