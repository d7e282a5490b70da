"""`Find` in the modal `Find a picture`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.find_picture_modal import answer_in_modal
from findimg_bot.slack.blocks.elements import small_text
from findimg_bot.slack.blocks.modals.find_picture import find_picture_modal
from findimg_bot.slack.replies import SEARCHING


async def search_pictures(
    ack: AsyncAck, view: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Keep the modal open, and show the found pictures in it."""
    await ack(response_action="update", view=find_picture_modal([small_text(SEARCHING)]))
    await answer_in_modal(view, context, client)
