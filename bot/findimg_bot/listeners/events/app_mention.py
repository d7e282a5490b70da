"""A message mentions the bot in a channel or a thread."""

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.events.answer_message import answer_message
from findimg_bot.slack_objects import SlackObject


async def app_mention(event: SlackObject, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Answer in the thread."""
    await answer_message(event, context, client)
