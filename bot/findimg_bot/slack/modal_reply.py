"""Sends an answer into an open modal."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.errors import explain
from findimg_bot.slack.blocks.elements import Block, small_text
from findimg_bot.slack.blocks.message import Message, text_message
from findimg_bot.slack.blocks.modals.find_picture import find_picture_modal
from findimg_bot.slack.replies import SEARCHING, PrivateReply, RefusedError

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ModalReply:
    """Shows an answer in an open modal."""

    client: AsyncWebClient
    view: str  # id of the view
    user: str
    show: Callable[[Sequence[Block]], Block] = find_picture_modal  # returns the modal with an answer's blocks
    channel: str = ""
    private: bool = True
    _answered: bool = False
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def show_progress(self) -> None:
        """See `Reply.show_progress`."""
        async with self._sending:
            if not self._answered:
                await self._show([small_text(SEARCHING)])

    async def send(self, message: Message, fresh: bool = False) -> None:
        """See `Reply.send`. An answer to a modal that was closed meanwhile is dropped.

        If Slack refuses to change the modal, the person gets the reason as a direct message.
        """
        async with self._sending:
            self._answered = True
            try:
                await self._show(message.blocks)
            except SlackApiError as error:
                code = error.response.get("error")
                if code == "not_found":
                    _log.info("A modal was closed before its answer.")
                elif code == "invalid_arguments":
                    raise RefusedError(str(error)) from error
                else:
                    await PrivateReply(self.client, self.channel, self.user).send(text_message(explain(error)))

    async def _show(self, blocks: Sequence[Block]) -> None:
        await self.client.views_update(view_id=self.view, view=self.show(blocks))
