"""Slash commands."""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.commands.findimg import findimg
from findimg_bot.listeners.commands.similar import similar
from findimg_bot.listeners.commands.tag import tag
from findimg_bot.listeners.commands.teach import teach
from findimg_bot.listeners.commands.words import words


def register(app: AsyncApp) -> None:
    """Register the commands with the app."""
    app.command("/findimg")(findimg)
    app.command("/similar")(similar)
    app.command("/tag")(tag)
    app.command("/teach")(teach)
    app.command("/words")(words)
