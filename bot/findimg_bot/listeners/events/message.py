"""A message: one to the bot, or one in a channel that was deleted."""

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.events.answer_message import answer_message
from findimg_bot.listeners.events.channel_pictures import message_deleted
from findimg_bot.slack_objects import SlackObject

# Subtypes of new messages. A broadcast is a reply that is "also sent to the channel".
_NEW_MESSAGES = (None, "file_share", "thread_broadcast")


async def message(event: SlackObject, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Answer new messages of people, follow deleted ones, and ignore all others."""
    if event.get("subtype") == "message_deleted":
        await message_deleted(event, context)
    elif event.get("channel_type") == "im" and event.get("subtype") in _NEW_MESSAGES and "bot_id" not in event:
        await answer_message(event, context, client)
