"""Report how a run ended: to Prometheus in a text file, to people in a Slack channel."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from findimg.errors import FindimgError, LockedError, SettingsError
from findimg.settings import Settings
from findimg_jobs.reporting.run_report import RunReport

_SLACK_TIMEOUT = 10  # seconds
_log = logging.getLogger(__name__)


@contextmanager
def notify_when_done(settings: Settings, metrics_file: Path | None) -> Iterator[Callable[[RunReport], None]]:
    """Report how the run inside the block ends. Yield a function that takes the run's report.

    A run that found the library locked reports nothing, because the run that holds the lock will.

    Args:
        settings: the operator's settings, with the channel and its token.
        metrics_file: the text file for Prometheus, or None.

    Raises:
        SettingsError: the channel has no token, or the folder of the file does not exist.
    """
    token = settings.slack_bot_token.get_secret_value()
    if settings.report_channel and not token:
        raise SettingsError(
            f"No report can be sent to the channel {settings.report_channel} without a token. "
            "Set FINDIMG_SLACK_BOT_TOKEN."
        )
    if metrics_file and not metrics_file.parent.is_dir():
        raise SettingsError(
            f"The folder {metrics_file.parent} of the metrics file does not exist. Create it, or name another file."
        )
    reports: list[RunReport] = []
    problem = ""
    try:
        yield reports.append
    except LockedError:
        raise
    except FindimgError as error:
        problem = str(error)
        raise
    except Exception as error:
        # A crash, such as a lack of memory. The log has its traceback.
        problem = f"It crashed with {type(error).__name__}{f': {error}' if str(error) else ''}. See its log."
        raise
    finally:
        # A run that a person interrupted is not reported.
        if reports or problem:
            report = reports[-1] if reports else None
            if metrics_file:
                _write_metrics(metrics_file, settings.library, report, not problem)
            if settings.report_channel:
                _post(settings, token, format_message(settings.library, report, problem))


def format_message(library: str, report: RunReport | None, problem: str) -> str:
    """Return the message for the channel, in Slack's mrkdwn."""
    title = f"Indexing into {library} failed: {problem}" if problem else f"Indexing into {library} is done."
    lines = [f"*{_escaped(title)}*", *(map(_escaped, report.lines()) if report else ())]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(settings: Settings, token: str, text: str) -> None:
    client = WebClient(token, base_url=settings.slack_api_url, timeout=_SLACK_TIMEOUT)
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    try:
        client.chat_postMessage(channel=settings.report_channel, text=text, unfurl_links=False)
    except (SlackClientError, OSError) as error:
        # The run has ended all the same.
        reason = getattr(error, "response", {}).get("error") or error
        _log.warning("The report could not be sent to the Slack channel %s: %s.", settings.report_channel, reason)


def _write_metrics(path: Path, library: str, report: RunReport | None, succeeded: bool) -> None:
    """Write the metrics for Prometheus' node exporter, atomically."""
    registry = CollectorRegistry()

    def gauge(name: str, help_: str, value: float, **labels: str) -> None:
        made = gauges.get(name) or Gauge(f"findimg_run_{name}", help_, ["library", *labels], registry=registry)
        gauges[name] = made
        made.labels(library, *labels.values()).set(value)

    gauges: dict[str, Gauge] = {}
    gauge("success", "Whether the last run succeeded.", succeeded)
    gauge("end_timestamp_seconds", "When the last run ended.", time.time())
    if report:
        for state in ("seen", "embedded", "reused", "removed", "failed"):
            gauge("images", "Images of the last run.", getattr(report, state), state=state)
        gauge("live_images", "Images in the live version.", report.images)
        for stage, seconds in report.stages.items():
            gauge("stage_seconds", "Seconds of each stage of the last run.", seconds, stage=stage)
        gauge("seconds", "Seconds that the last run took.", report.seconds)
        gauge("images_per_second", "Images embedded in a second.", report.images_per_second)
        gauge("read_bytes", "Bytes of images read.", report.bytes_read)
        gauge("retries", "Requests to storages that were retried.", report.retries)
        gauge("peak_memory_bytes", "Peak memory of the largest process.", report.peak_memory)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        _log.warning("The metrics file %s could not be written: %s.", path, error.strerror)
