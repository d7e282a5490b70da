"""Bolt listeners, one subject a file. Each package registers its own kind."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners import actions, commands, events, functions, shortcuts, views


def register_listeners(app: AsyncApp) -> None:
    """Register every listener with the app."""
    for kind in (commands, shortcuts, actions, events, functions, views):
        kind.register(app)
