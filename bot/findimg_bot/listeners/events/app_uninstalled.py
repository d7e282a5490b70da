"""The app is removed from a workspace."""

from slack_bolt.context.async_context import AsyncBoltContext

from findimg_bot.listeners.events.forget_workspace import forget_workspace


async def app_uninstalled(context: AsyncBoltContext) -> None:
    """Delete everything about the workspace."""
    await forget_workspace(context)
