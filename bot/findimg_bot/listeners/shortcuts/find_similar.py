"""`Find similar` in a message's menu."""

from typing import Any

from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.async_context import AsyncBoltContext
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.shortcuts.message_shortcut import answer_shortcut


async def find_similar(
    ack: AsyncAck, shortcut: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, respond: AsyncRespond
) -> None:
    """Answer one person with images like the message's image."""
    await ack()
    await answer_shortcut("/similar", shortcut, context, client, respond)
