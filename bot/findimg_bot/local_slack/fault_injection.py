"""Faults that tests inject into the workspace, and its timeouts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class FaultInjection:
    """The injected faults. There are none by default."""

    ready_after: float | None = 0.0  # seconds until an uploaded file gets its mimetype; None never
    rate_limited: dict[str, int] = field(default_factory=dict)  # method → how many calls are answered with 429
    retry_after: int = 1  # seconds, said with each 429
    failing: dict[str, str] = field(default_factory=dict)  # method → the error that each call is answered with
    delays: dict[str, float] = field(default_factory=dict)  # method → seconds until it is looked at
    latency: float = 0.0  # seconds until any request of the bot is looked at: calls, uploads and response_urls
    file_stubs: bool = False  # events name files only by id, with `file_access: check_file_info`, as in Slack Connect
    revoked: bool = False  # whether every token is
    login_page: bool = False  # downloads answer 200 and HTML, as without files:read
    file_length: int | None = None  # the Content-Length that downloads announce, whatever follows
    files_moved_to: str | None = None  # where downloads are redirected to
    response_urls_refuse_files: bool = False  # a response_url rejects slack_file, as Slack does for new files
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)  # every Web API call, with its arguments
    drop_sockets: Callable[[], None] = lambda: None  # cuts every Socket Mode connection; set by the workspace


@dataclass(slots=True)
class Timing:
    """Slack's timeouts in seconds. Tests shorten them."""

    acknowledge: float = 3.0
    trigger: float = 3.0
    response_url: float = 1800.0
    function: float = 30.0  # of a step in a workflow; Slack waits for days
    search: float = 10.0
    token: float | None = None  # validity of a bot token with token rotation; Slack's are valid for 12 hours
    retries: tuple[float, ...] = (0.0, 60.0, 300.0)  # waits before an event is sent again
