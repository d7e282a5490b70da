"""Telling others how a run ended: Prometheus through a text file, people through a Slack channel."""

import sys
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

_PATIENCE = 10  # seconds for Slack to answer


@contextmanager
def notify_when_done(settings: Settings, metrics_file: Path | None) -> Iterator[Callable[[RunReport], None]]:
    """Tells how the run inside ends. It gives a function that takes the run's report.

    A run that met another one's lock tells nothing: the other one will.

    Raises:
        SettingsError: a channel is to be told and there is no token for it, or the file lies in no folder.
    """
    token = settings.slack_bot_token.get_secret_value()
    if settings.report_channel and not token:
        raise SettingsError(
            f"The channel {settings.report_channel} cannot be told without FINDIMG_SLACK_BOT_TOKEN; set it."
        )
    if metrics_file and not metrics_file.parent.is_dir():
        raise SettingsError(f"There is no folder {metrics_file.parent} for the metrics file; name another.")
    reports: list[RunReport] = []
    problem = ""
    try:
        yield reports.append
    except LockedError:
        raise
    except FindimgError as error:
        problem = str(error)
        raise
    finally:
        # Nothing but our own errors and success is an end that can be told of.
        if reports or problem:
            report = reports[-1] if reports else None
            if metrics_file:
                _write_metrics(metrics_file, settings.library, report, not problem)
            if settings.report_channel:
                _post(settings, token, format_message(settings.library, report, problem))


def format_message(library: str, report: RunReport | None, problem: str) -> str:
    """What the channel is told, in Slack's mrkdwn."""
    title = f"Indexing into {library} failed: {problem}" if problem else f"Indexing into {library} is done."
    told = [f"*{_escaped(title)}*", *(map(_escaped, report.lines()) if report else ())]
    return "\n".join(told)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _post(settings: Settings, token: str, text: str) -> None:
    client = WebClient(token, base_url=settings.slack_api_url, timeout=_PATIENCE)
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    try:
        client.chat_postMessage(channel=settings.report_channel, text=text, unfurl_links=False)
    except (SlackClientError, OSError) as error:
        # A run has ended as it has, whoever hears of it.
        reason = getattr(error, "response", {}).get("error") or error
        print(f"Slack's channel {settings.report_channel} could not be told: {reason}.", file=sys.stderr)


def _write_metrics(path: Path, library: str, report: RunReport | None, succeeded: bool) -> None:
    """Writes a text file for the node exporter, in one step."""
    registry = CollectorRegistry()

    def gauge(name: str, help_: str, value: float, **labels: str) -> None:
        made = gauges.get(name) or Gauge(f"findimg_run_{name}", help_, ["library", *labels], registry=registry)
        gauges[name] = made
        made.labels(library, *labels.values()).set(value)

    gauges: dict[str, Gauge] = {}
    gauge("success", "Whether the last run ended well.", succeeded)
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
        gauge("retries", "Requests that S3 was asked again.", report.retries)
        gauge("peak_memory_bytes", "Memory of the process that held most.", report.peak_memory)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        print(f"The metrics file {path} could not be written: {error.strerror}.", file=sys.stderr)
