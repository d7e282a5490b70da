import pytest
from prometheus_client import generate_latest

from findimg.errors import FindimgError, ImageError, LibraryError, QueryError, StorageError
from findimg_bot.errors import BusyError
from findimg_bot.service.metrics import Metrics
from findimg_bot.slack.limits import LimitError


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_questions_are_counted_and_timed_by_kind(metrics: Metrics) -> None:
    for kind in ("findimg", "findimg", "tag"):
        with metrics.measuring_request(kind):
            pass
    assert value(metrics, "findimg_queries_total", kind="findimg") == 2
    assert value(metrics, "findimg_queries_total", kind="tag") == 1
    assert value(metrics, "findimg_answer_seconds_count", kind="findimg") == 2
    assert value(metrics, "findimg_failures_total", kind="findimg", fault="asked") is None


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (QueryError("?"), "asked"),
        (ImageError("?"), "asked"),
        (BusyError("!"), "broken"),
        (FindimgError("!"), "broken"),
        (LibraryError("!"), "broken"),
        (StorageError("!"), "broken"),
        (LimitError("!"), "broken"),
        (MemoryError(), "broken"),
        (OSError("!"), "broken"),
    ],
)
def test_failure_is_counted_as_the_users_or_the_operators(metrics: Metrics, error: Exception, fault: str) -> None:
    with pytest.raises(type(error)), metrics.measuring_request("tag"):
        raise error
    assert value(metrics, "findimg_failures_total", kind="tag", fault=fault) == 1
    assert value(metrics, "findimg_queries_total", kind="tag") == 1
    assert value(metrics, "findimg_answer_seconds_count", kind="tag") == 1
    assert generate_latest(metrics.registry).count(b"findimg_failures_total{") == 1


def test_only_the_served_version_is_shown(metrics: Metrics) -> None:
    metrics.serving("20240601T120000Z", 12345, 1717243200.0)
    metrics.serving("20240602T120000Z", 7, 1717329600.0)
    assert value(metrics, "findimg_version_info", version="20240602T120000Z") == 1
    assert value(metrics, "findimg_version_info", version="20240601T120000Z") is None
    assert value(metrics, "findimg_images") == 7
    assert value(metrics, "findimg_version_created_seconds") == 1717329600


def test_metrics_are_separate_for_each_bot(metrics: Metrics) -> None:
    with Metrics().measuring_request("tag"):
        pass
    assert value(metrics, "findimg_queries_total", kind="tag") is None


def test_background_failures_start_at_zero(metrics: Metrics) -> None:
    shown = generate_latest(metrics.registry).decode()
    for name in ("findimg_refresh_failures_total 0.0", "findimg_thumbnail_failures_total 0.0", "findimg_images 0.0"):
        assert name in shown
