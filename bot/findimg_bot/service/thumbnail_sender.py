"""Sends messages with thumbnails, and tries again when Slack refuses them."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from slack_sdk.web.async_client import AsyncWebClient

from findimg.search.answers.results import Hit
from findimg_bot.service.metrics import Metrics
from findimg_bot.slack.blocks.results.results_page import HitThumbnails
from findimg_bot.slack.pictures.thumbnails import Thumbnails
from findimg_bot.slack.replies import RefusedError

_ATTEMPTS = 3  # with thumbnails. One more follows without them.
_log = logging.getLogger(__name__)


class ThumbnailSender:
    """Sends messages that show thumbnails of hits."""

    def __init__(self, thumbnails: Thumbnails, metrics: Metrics):
        """Args:
        metrics: count answers with missing thumbnails.
        """
        self._thumbnails = thumbnails
        self._metrics = metrics

    async def send_with_thumbnails(
        self,
        client: AsyncWebClient,
        team: str,
        hits: Sequence[Hit],
        send_attempt: Callable[[HitThumbnails, int], Awaitable[None]],
        first: int = 1,
        grid: bool = False,
    ) -> None:
        """Send a message with thumbnails, and try again when Slack refuses them.

        Slack refuses a message when it still scans a new file, or when somebody deleted a file. The last attempt sends
        the message without thumbnails.

        Args:
            send_attempt: builds the message with the given thumbnails and sends it. It also takes the number of the
                attempt, from 0 on, and raises `RefusedError` when Slack refuses the message.
            first: number of the first hit in the answer.
            grid: whether the person asked for a contact sheet.
        """
        for attempt in range(_ATTEMPTS):
            pictures = await self._thumbnails.for_hits(client, team, hits, first=first, grid=grid, ready=attempt > 0)
            try:
                await send_attempt(pictures, attempt)
                break
            except RefusedError as error:
                _log.info("Slack refused the thumbnails of an answer: %s", error)
                if attempt or not pictures.fresh:
                    await self._thumbnails.refused(team, hits, first)
        else:
            _log.warning("Slack refuses the thumbnails of an answer.")
            pictures = HitThumbnails(note="Slack does not show the thumbnails.")
            await send_attempt(pictures, _ATTEMPTS)
        if pictures.note:
            self._metrics.thumbnail_failures.inc()
