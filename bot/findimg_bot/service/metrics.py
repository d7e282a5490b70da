"""The bot's metrics in Prometheus' format."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from findimg_bot.errors import is_user_fault

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The metrics of one bot, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._queries = Counter("findimg_queries", "Questions received.", ["kind"], registry=self.registry)
        self._failures = Counter(
            "findimg_failures",
            "Questions without an answer, because of the question itself (asked) or of an error (broken).",
            ["kind", "fault"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "findimg_answer_seconds",
            "Time from a question to its answer in Slack.",
            ["kind"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._version = Gauge("findimg_version_info", "The version served.", ["version"], registry=self.registry)
        self._images = Gauge("findimg_images", "Images in the version served.", registry=self.registry)
        self._created = Gauge(
            "findimg_version_created_seconds", "Unix time at which the version served was made.", registry=self.registry
        )
        self.refresh_failures = Counter(
            "findimg_refresh_failures", "Published versions that could not be opened.", registry=self.registry
        )
        self.thumbnail_failures = Counter(
            "findimg_thumbnail_failures", "Answers with missing thumbnails.", registry=self.registry
        )

    def add_connection_gauge(self) -> None:
        """Add the gauge of the Socket Mode connection, which a bot over HTTP does not have."""
        self._connected = Gauge(
            "findimg_socket_mode_connected",
            "Whether the bot is connected to Slack in Socket Mode: 1 or 0.",
            registry=self.registry,
        )

    def set_connected(self, connected: bool) -> None:
        """Set the gauge of the Socket Mode connection, after `add_connection_gauge`."""
        self._connected.set(connected)

    @contextmanager
    def measuring_request(self, kind: str) -> Iterator[None]:
        """Count and time one request. An error counts as a failure and is raised again."""
        self._queries.labels(kind).inc()
        start = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._failures.labels(kind, "asked" if is_user_fault(error) else "broken").inc()
            raise
        finally:
            self._latency.labels(kind).observe(time.perf_counter() - start)

    def serving(self, version: str, images: int, created: float) -> None:
        """Set the version that is served.

        Args:
            created: Unix time in seconds.
        """
        self._version.clear()
        self._version.labels(version).set(1)
        self._images.set(images)
        self._created.set(created)
