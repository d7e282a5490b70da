"""A workspace revokes tokens."""

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.listeners.events.forget_workspace import forget_workspace
from findimg_bot.slack_objects import SlackObject


async def tokens_revoked(event: SlackObject, context: AsyncBoltContext) -> None:
    """Delete everything about the workspace when the bot's own token is revoked."""
    if event.get("tokens", {}).get("bot"):
        await forget_workspace(context)
