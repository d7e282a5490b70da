"""What a monitor can see of the bot, in Prometheus' form."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from findimg.errors import FindimgError

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One bot's figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._queries = Counter("findimg_queries", "Questions that were asked.", ["kind"], registry=self.registry)
        self._failures = Counter(
            "findimg_failures",
            "Questions without an answer: what was asked cannot be answered (asked), or something is broken (broken).",
            ["kind", "fault"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "findimg_answer_seconds",
            "From a question to its answer in Slack.",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._version = Gauge("findimg_version_info", "The version served.", ["version"], registry=self.registry)
        self._images = Gauge("findimg_images", "Images in the version served.", registry=self.registry)
        self._created = Gauge(
            "findimg_version_created_seconds", "When the version served was made, Unix time.", registry=self.registry
        )
        self.refresh_failures = Counter(
            "findimg_refresh_failures", "Published versions that could not be opened.", registry=self.registry
        )
        self.thumbnail_failures = Counter(
            "findimg_thumbnail_failures", "Answers whose thumbnails could not all be shown.", registry=self.registry
        )

    @contextmanager
    def answering(self, kind: str) -> Iterator[None]:
        """Counts and times one question; what it raises counts as a failure and goes on."""
        self._queries.labels(kind).inc()
        start = time.perf_counter()
        try:
            yield
        except FindimgError:
            self._failures.labels(kind, "asked").inc()
            raise
        except Exception:
            self._failures.labels(kind, "broken").inc()
            raise
        finally:
            self._latency.labels(kind).observe(time.perf_counter() - start)

    def serving(self, version: str, images: int, created: float) -> None:
        """Notes which version is served.

        Args:
            created: Unix time in seconds.
        """
        self._version.clear()
        self._version.labels(version).set(1)
        self._images.set(images)
        self._created.set(created)
