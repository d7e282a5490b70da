"""Shortcuts of messages, and the global one.

A new shortcut also needs its entry in `slack/manifest.json`, or in `slack/surfaces.json` if only one surface needs it.
"""

from slack_bolt.async_app import AsyncApp

from findimg_bot.listeners.shortcuts.find_picture import find_picture
from findimg_bot.listeners.shortcuts.find_similar import find_similar
from findimg_bot.listeners.shortcuts.name_picture import name_picture
from findimg_bot.listeners.shortcuts.tag_image import tag_image


def register(app: AsyncApp) -> None:
    """Register the shortcuts with the app."""
    app.global_shortcut("find_picture")(find_picture)
    app.message_shortcut("find_similar")(find_similar)
    app.message_shortcut("name_picture")(name_picture)
    app.message_shortcut("tag_image")(tag_image)
