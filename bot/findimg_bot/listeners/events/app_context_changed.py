"""A person looks at something else beside the assistant panel."""

from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from findimg_bot.listeners.assistant_panel import suggest_prompts
from findimg_bot.slack_objects import SlackObject


async def app_context_changed(event: SlackObject, context: AsyncBoltContext, client: AsyncWebClient) -> None:
    """Suggest what fits the new channel. Messages name the channel themselves, so nothing is stored."""
    if channel := event.get("channel"):
        await suggest_prompts(channel, event.get("context"), context, client)
