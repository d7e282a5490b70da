"""`/similar`: find images like one."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.commands.image_command import answer_image_command


async def similar(
    ack: AsyncAck, command: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Answer one person with images like a linked, indexed, or chosen one, or the newest in the channel."""
    await answer_image_command("/similar", ack, command, context, client, respond)
