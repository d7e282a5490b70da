"""Tells a channel once that its pictures are indexed."""

import asyncio
import logging

from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.errors import SLACK_ERRORS, slack_failure
from findimg_bot.slack.blocks.message import text_message
from findimg_bot.state.picture_changes import PictureChanges

_INDEXED = (
    "From now on, findimg finds the pictures of this channel, for the people who can see them in Slack. "
    "Any member can stop this: /findimg off."
)
_log = logging.getLogger(__name__)


async def announce(client: AsyncWebClient, pictures: PictureChanges, team: str, channel: str) -> None:
    """Post in a channel that its pictures are indexed, if no bot did so before."""
    if not await asyncio.to_thread(pictures.claim_announcement, team, channel):
        return
    message = text_message(_INDEXED)
    try:
        await client.chat_postMessage(channel=channel, text=message.text, blocks=list(message.blocks))
    except SLACK_ERRORS as error:
        _log.warning("The channel %s cannot be told that it is indexed: %s", channel, slack_failure(error))
