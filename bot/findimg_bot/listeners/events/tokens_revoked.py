"""A workspace revokes tokens."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.listeners.events.forget_workspace import forget_workspace


async def tokens_revoked(event: dict[str, Any], context: AsyncBoltContext) -> None:
    """Delete everything about the workspace when the bot's own token is revoked."""
    if event.get("tokens", {}).get("bot"):
        await forget_workspace(context)
