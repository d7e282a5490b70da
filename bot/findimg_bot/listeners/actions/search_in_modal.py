"""Enter in the text field of the modal `Find a picture`."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.find_picture_modal import answer_in_modal


async def search_in_modal(
    ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient
) -> None:
    """Show the pictures for the new words in the modal."""
    await ack()
    await answer_in_modal(body["view"], context, client)
