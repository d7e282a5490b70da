"""Test how long a call that Slack limits waits before it is repeated."""

import asyncio
from contextvars import copy_context

import pytest
from slack_sdk.http_retry.request import HttpRequest
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

from findimg_bot.slack.rate_limit import ANSWER_SECONDS, RateLimitRetryHandler, longest_wait

REQUEST = HttpRequest(method="POST", url="https://slack.com/api/chat.postMessage", headers={})


def is_repeated(status: int, headers: dict[str, list[str]]) -> bool:
    handler = RateLimitRetryHandler(max_retry_count=1)
    answer = HttpResponse(status_code=status, headers=headers)
    return asyncio.run(handler.can_retry_async(state=RetryState(), request=REQUEST, response=answer))


@pytest.mark.parametrize(
    ("status", "headers", "answering", "background"),
    [
        (429, {"Retry-After": ["1"]}, True, True),
        (429, {"retry-after": ["30"]}, False, True),
        (429, {"Retry-After": ["600"]}, False, False),
        (429, {}, True, True),
        (200, {}, False, False),
    ],
)
def test_people_do_not_wait_long_for_a_limited_call(
    status: int, headers: dict[str, list[str]], answering: bool, background: bool
) -> None:
    assert is_repeated(status, headers) is background

    def answer() -> bool:
        longest_wait.set(ANSWER_SECONDS)
        return is_repeated(status, headers)

    assert copy_context().run(answer) is answering
