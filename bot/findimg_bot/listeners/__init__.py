"""What the bot listens to, one callback a file; each kind's package registers its own."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners import actions, commands, events, shortcuts, views


def register_listeners(app: AsyncApp) -> None:
    """Connects every listener with the app."""
    for kind in (commands, shortcuts, actions, events, views):
        kind.register(app)
