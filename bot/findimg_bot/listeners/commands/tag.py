"""`/tag`: name what an image shows."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.commands.image_command import answer_image_command


async def tag(
    ack: AsyncAck, command: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Answer one person with the tags of a linked, indexed, or chosen image, or the newest in the channel."""
    await answer_image_command("/tag", ack, command, context, client, respond)
