"""Repeats a call once that Slack refused with 429, if the wait that Slack demands is short."""

from contextvars import ContextVar

from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

ANSWER_SECONDS = 3.0  # a modal must open within 3 seconds, and a person who waits longer asks again

# Seconds: if Slack demands a longer wait, the call is not repeated. The default is for background work.
longest_wait: ContextVar[float] = ContextVar("longest_wait", default=120.0)


class RateLimitRetryHandler(AsyncRateLimitErrorRetryHandler):
    """Repeats a call after the wait that Slack demands, unless that is longer than `longest_wait`."""

    async def _can_retry_async(
        self,
        *,
        state: RetryState,
        request: HttpRequest,
        response: HttpResponse | None = None,
        error: Exception | None = None,
    ) -> bool:
        if response is None or response.status_code != 429:
            return False
        waits = [values[0] for name, values in response.headers.items() if name.lower() == "retry-after" and values]
        return not waits or (waits[0].isdecimal() and int(waits[0]) <= longest_wait.get())
