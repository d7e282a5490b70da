"""Tokens of a workspace are no longer good."""

from typing import Any

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.listeners.events.departure import forget_workspace


async def tokens_revoked(event: dict[str, Any], context: AsyncBoltContext) -> None:
    """Forgets the workspace when the bot's own token is among them."""
    if event.get("tokens", {}).get("bot"):
        await forget_workspace(context)
