"""Surrounds the handling of each request: counts and times it, shows progress, and sends the reason for an error.

Listeners call it as `BotServices.handling_request`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from findimg.errors import UnknownWordError
from findimg_bot.errors import SLACK_ERRORS, explain, slack_failure
from findimg_bot.service.metrics import Metrics
from findimg_bot.slack.blocks.message import Message, text_message
from findimg_bot.slack.delivery_record import SupersededError
from findimg_bot.slack.replies import Reply

PROGRESS_DELAY = 1.5  # seconds until the person is told that the search is running
_ACKNOWLEDGE_DELAY = 0.02  # seconds; unnoticeable, and enough to acknowledge many commands that come at once
_log = logging.getLogger(__name__)


class TeachableError(UnknownWordError):
    """A query has an unknown word, which the person may teach.

    Attributes:
        message: the answer, with a button that teaches the word.
    """

    def __init__(self, text: str, message: Message):
        super().__init__(text)
        self.message = message


@asynccontextmanager
async def handling_request(
    metrics: Metrics, kind: str, reply: Reply, progress_after: float = PROGRESS_DELAY
) -> AsyncIterator[None]:
    """Count and time a request, show progress, and send the reason when the block raises an error.

    Args:
        kind: label of the request in the metrics.
        progress_after: seconds until the person is told that the search is running.
    """
    progress = asyncio.create_task(_show_progress_later(reply, progress_after))
    # Acknowledge all pending requests before starting any search.
    await asyncio.sleep(_ACKNOWLEDGE_DELAY)
    try:
        with metrics.measuring_request(kind):
            yield
    except SupersededError:
        _log.info("Another bot has taken over a request.")
    except TeachableError as error:
        await _send_reason(reply, error.message)
    except Exception as error:
        await _send_reason(reply, text_message(explain(error)))
    finally:
        progress.cancel()


async def _show_progress_later(reply: Reply, seconds: float) -> None:
    """Tell the person that the search is running, when the answer takes longer."""
    await asyncio.sleep(seconds)
    with suppress(*SLACK_ERRORS):
        await reply.show_progress()


async def _send_reason(reply: Reply, message: Message) -> None:
    """Send the reason for a failure; when that fails as well, log it."""
    try:
        await reply.send(message)
    except SupersededError:
        _log.info("Another bot has taken over a request.")
    except Exception as error:
        _log.error("The person who asked cannot be told about an error: %s", slack_failure(error))
